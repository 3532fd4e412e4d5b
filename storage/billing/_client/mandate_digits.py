"""Bank account of a direct debit mandate: only its last digits are kept."""

from storage.billing._client.answer_fields import clean_text

SHOWN_DIGITS = 4


def account_digits(value: object) -> str:
    """Return the last digits of a bank account however it is written or masked; empty for fewer than four."""
    digits = "".join(each for each in clean_text(value) if each.isdecimal())
    return digits[-SHOWN_DIGITS:] if len(digits) >= SHOWN_DIGITS else ""
