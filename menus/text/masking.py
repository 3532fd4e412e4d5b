"""Masking: the one place that says how much of a number or an address anybody else may see."""

import re

SHORTEST = 8
"""Digits of a number of which some may be shown: of fewer, too few would be hidden."""
_LONG = re.compile(r"\+?\d(?:[ .\-]?\d){7,}")
_ADDRESS = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")


def whole(msisdn: str, country_code: str = "", trunk: str = "") -> str:
    """The number as it is dialled at home, unmasked: only for whoever has just given it."""
    digits = msisdn.removeprefix("+")
    home = bool(country_code) and digits.startswith(country_code)
    return trunk + digits.removeprefix(country_code) if home else f"00{digits}"


def number(msisdn: str, country_code: str = "", trunk: str = "") -> str:
    """The first two and last three digits of the national form; a foreign number keeps its plus."""
    digits = msisdn.removeprefix("+")
    home = bool(country_code) and digits.startswith(country_code)
    shown = whole(msisdn, country_code, trunk) if home else digits
    if len(shown) < SHORTEST:
        return "***"
    return f"{'' if home else '+'}{shown[:2]}***{shown[-3:]}"


def email(address: str) -> str:
    """The first letter and the domain."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def recipient(to: str) -> str:
    """A number or an address as those who run the house see it: enough to recognise it, not to use it.

    A dash for nobody: not every row of the outbox is a message.
    """
    if not to:
        return "-"
    if "@" in to:
        return email(to)
    return f"...{to[-4:]}" if len(to.removeprefix("+")) >= SHORTEST else "***"


def scrubbed(text: str) -> str:
    """Words for a log or a trace: whatever looks like a number of 8 digits or an address is masked."""
    if text.isalpha():
        return text
    without = _ADDRESS.sub(lambda found: email(found[0]), text)
    return _LONG.sub(lambda found: number(re.sub(r"\D", "", found[0])), without)
