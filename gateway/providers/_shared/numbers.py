"""E.164 normalisation of the phone numbers providers and trunks send."""

import re
from urllib.parse import unquote

from gateway.providers.contract import NumberingPlan
from menus.text.input_parsing import parse_msisdn

_E164 = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_URI = re.compile(r"(?:<)?(?:sips?|tel):(?P<user>[^@;?>]*)[^>]*>?", re.IGNORECASE)
"""A SIP or tel URI (RFC 3261, RFC 3966): its user part, without host and parameters."""
_NATIONAL = re.compile(r"[0-9]{7,15}", re.ASCII)


def to_e164(number: str) -> str:
    """Return the number in E.164 with its plus; empty when it is not one (withheld, a name, a short code).

    Accepts a leading space, which is the plus of `+254...` sent unescaped in a form, and a missing plus.
    """
    digits = number.strip(" ").removeprefix("+")
    return f"+{digits}" if _E164.fullmatch(digits) else ""


def is_e164(number: str) -> bool:
    """Return whether the number is in E.164 as it stands."""
    return number != "" and number == to_e164(number)


def read_caller(written: str, plan: NumberingPlan) -> str:
    """Return a caller's number in E.164 as any trunk writes it; empty when it is none.

    Reads SIP and tel URIs, `00` and national numbers by the operator's numbering plan. Digits without a plus
    are national when they have a national number's length, else international.
    """
    if written.startswith("+"):
        return to_e164(written.strip())
    match = _URI.fullmatch(written.strip())
    number = unquote(match["user"]) if match else written
    if not match and number.startswith(" "):
        return to_e164(number)
    number = re.sub(r"[\s().-]", "", number) if match else number.strip()
    if not _NATIONAL.fullmatch(number):
        return to_e164(number)
    return _read_digits(number, plan)


def _read_digits(digits: str, plan: NumberingPlan) -> str:
    """Return digits without a plus in E.164."""
    if digits.startswith("00"):
        return to_e164(digits[2:])
    is_national = len(digits) in plan.number_lengths or bool(plan.trunk and digits.startswith(plan.trunk))
    if not plan.country_code or not is_national:
        return to_e164(digits)
    return parse_msisdn(digits, plan.country_code, plan.trunk, plan.number_lengths) or ""
