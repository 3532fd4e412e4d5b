"""User errors: bad input from a person (pack, setting, argument) that stops a command."""


class UserError(ValueError):
    """Input that cannot be used; the message says why and where to correct it."""
