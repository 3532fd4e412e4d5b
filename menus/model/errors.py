"""Unusable: what somebody wrote or asked for, which a command cannot go on with."""


class Unusable(ValueError):  # noqa: N818 - what is raised is a finding somebody mends, not an accident
    """What was given cannot be used; the message says why, and where to mend it."""
