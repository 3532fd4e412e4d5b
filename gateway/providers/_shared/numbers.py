"""Numbers as providers write them, brought to E.164."""

import re

_E164 = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)


def e164(number: str) -> str:
    """The number with its plus, or empty when it is not one (withheld, a name, a short code).

    A form sends `+254...` unescaped now and then: the plus arrives as a space. A missing plus is fine too.
    """
    digits = number.strip(" ").removeprefix("+")
    return f"+{digits}" if _E164.fullmatch(digits) else ""


def is_e164(number: str) -> bool:
    """True when the number can be sent to as it stands."""
    return number != "" and number == e164(number)
