"""E.164 normalisation of the phone numbers providers send."""

import re

_E164 = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)


def to_e164(number: str) -> str:
    """Return the number in E.164 with its plus; empty when it is not one (withheld, a name, a short code).

    Accepts a leading space, which is the plus of `+254...` sent unescaped in a form, and a missing plus.
    """
    digits = number.strip(" ").removeprefix("+")
    return f"+{digits}" if _E164.fullmatch(digits) else ""


def is_e164(number: str) -> bool:
    """Return whether the number is in E.164 as it stands."""
    return number != "" and number == to_e164(number)
