"""Allowances in a BSS's own words: kinds by what is counted, quantities by their units."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from flows.domain.account_activity import AllowanceKind
from flows.domain.failures import InvalidRecord
from storage.billing._client.answer_fields import ZERO, parse_amount

KIND_WORDS: Mapping[AllowanceKind, tuple[str, ...]] = {
    "call": ("voice", "call", "minute"),
    "data": ("data", "internet", "byte"),
    "text": ("sms", "mms", "text", "message"),
}
UNIT_FACTORS: Mapping[AllowanceKind, Mapping[str, Decimal]] = {
    "call": {
        **dict.fromkeys(("s", "sec", "second"), Decimal(1) / 60),
        **dict.fromkeys(("h", "hr", "hour"), Decimal(60)),
    },
    "data": {
        **dict.fromkeys(("tb", "tib", "to", "terabyte"), Decimal(1024 * 1024)),
        **dict.fromkeys(("gb", "gib", "go", "gigabyte"), Decimal(1024)),
        **dict.fromkeys(("kb", "kib", "ko", "kilobyte"), Decimal(1) / 1024),
        **dict.fromkeys(("b", "byte", "octet"), Decimal(1) / (1024 * 1024)),
    },
    "text": {},
}
"""Minutes, megabytes or messages in one of a unit; any other unit counts as one."""
MAX_QUANTITY = Decimal(10) ** 15
"""Larger quantities are refused: a petabyte in bytes."""
_split_words = re.compile(r"[^a-z]+").split


def allowance_kind(words: str) -> AllowanceKind | None:
    """Return the kind a usage type, bucket or unit names; None for one we do not know."""
    folded = words.lower()
    return next((kind for kind, known in KIND_WORDS.items() if any(word in folded for word in known)), None)


def parse_quantity(kind: AllowanceKind, value: object, unit: str) -> Decimal | None:
    """Return a quantity in minutes, megabytes or messages; None unless finite and below 10^15.

    `unit` may be a name with the unit among its words, such as `data-gb`.
    """
    try:
        return parse_amount(value, "quantity", MAX_QUANTITY) * _unit_factor(kind, unit)
    except InvalidRecord:
        return None


def _unit_factor(kind: AllowanceKind, unit: str) -> Decimal:
    factors, words = UNIT_FACTORS[kind], _split_words(unit.lower())
    known = (factors.get(word, factors.get(word.removesuffix("s"))) for word in words)
    return next((each for each in known if each is not None), Decimal(1))


def round_quantity(quantity: Decimal) -> int:
    """Return whole units, never below 0."""
    return int(max(quantity, ZERO).quantize(Decimal(1), ROUND_HALF_UP))
