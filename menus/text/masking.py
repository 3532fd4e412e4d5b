"""Masking of personal data (PII): phone numbers and e-mail addresses on screens, in logs and traces."""

import re

MIN_SHOWN_DIGITS = 8
"""Fewest digits of a number of which some are shown; shorter numbers are masked entirely."""
MASK, JOINED_MASK = "***", "xxx"
"""What stands for the digits left out: stars, and Latin letters where text runs from right to left."""
MAX_DOMAIN_LENGTH = 24
"""Most characters shown of an e-mail address's domain, its end: the longest domain has 253 (RFC 1035)."""
NUMBER_SEPARATORS = r"\s().\-/\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060\u2066-\u2069\u2212"
"""Characters between the digits of a phone number as people and phones write it, for a set of a pattern.

The last ones are hyphens, dashes and invisible marks that come with numbers copied from a phone's contacts.
"""
_LONG_NUMBER = re.compile(rf"\+?\d(?:[{NUMBER_SEPARATORS}]{{0,4}}\d){{7,}}")
# Tried at the beginning of a word only: from every letter of it, the time would be the square of its length.
_EMAIL_ADDRESS = re.compile(r"(?<![^\s@<>\"'])[^\s@<>\"']++@[^\s@<>\"']+")


def full_number(msisdn: str, country_code: str = "", trunk: str = "") -> str:
    """Return a number unmasked, as dialled in its own country; only for the subscriber who just typed it."""
    digits = msisdn.removeprefix("+")
    is_national = bool(country_code) and digits.startswith(country_code)
    return trunk + digits.removeprefix(country_code) if is_national else f"00{digits}"


def mask_number(msisdn: str, country_code: str = "", trunk: str = "") -> str:
    """Mask a number: first two and last three digits of the national form; a foreign one keeps its plus."""
    digits = msisdn.removeprefix("+")
    is_national = bool(country_code) and digits.startswith(country_code)
    dialled = full_number(msisdn, country_code, trunk) if is_national else digits
    if len(dialled) < MIN_SHOWN_DIGITS:
        return MASK
    return f"{'' if is_national else '+'}{dialled[:2]}{MASK}{dialled[-3:]}"


def join_masked_number(masked: str) -> str:
    """Return a masked number that reads from the left in a text that runs from right to left.

    Stars and a plus take the direction of the text around them and part the digits: 06***101 is displayed as
    101***06 (Unicode Bidirectional Algorithm, rules W4 and N1). Latin letters keep them together, with no
    invisible mark, which old phones show as a box.
    """
    return masked.replace("+", "00").replace(MASK, JOINED_MASK)


def mask_email(address: str) -> str:
    """Mask an e-mail address: its first letter and the domain remain, of a long domain the end."""
    local, _, domain = address.rpartition("@")
    shown = domain if len(domain) <= MAX_DOMAIN_LENGTH else f"...{domain[3 - MAX_DOMAIN_LENGTH :]}"
    return f"{local[:1]}{MASK}@{shown}"


def join_masked_email(masked: str) -> str:
    """Return a masked address that reads from the left in a text that runs from right to left.

    It must begin with a letter: a digit would be displayed on the other side of the address.
    """
    return masked if masked[:1].isalpha() else f"x{masked[masked.index(MASK) :]}"


def mask_recipient(recipient: str) -> str:
    """Mask a recipient for the operator's staff: the last four digits, or a masked e-mail address.

    A dash when empty: not every row of the outbox is a message.
    """
    if not recipient:
        return "-"
    if "@" in recipient:
        return mask_email(recipient)
    return f"...{recipient[-4:]}" if len(recipient.removeprefix("+")) >= MIN_SHOWN_DIGITS else "***"


def redact_text(text: str) -> str:
    """Mask every number of 8 digits or more and every e-mail address in a text for a log or a trace."""
    if text.isalpha():
        return text
    without_addresses = _EMAIL_ADDRESS.sub(_mask_found_email, text) if "@" in text else text
    return _LONG_NUMBER.sub(_mask_found_number, without_addresses)


def _mask_found_email(match: re.Match[str]) -> str:
    return mask_email(match[0])


def _mask_found_number(match: re.Match[str]) -> str:
    return mask_number(re.sub(r"\D", "", match[0]))
