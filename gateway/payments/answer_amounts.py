"""Fields of a provider's answers: amounts in minor units, texts and times, each checked."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flows.domain.failures import InvalidRecord

_PLAIN_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")


def to_minor_units(amount: Decimal, decimals: int) -> int:
    """Return an amount in the currency's smallest units; ValueError when it has more decimals than that."""
    scaled = amount.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError("the amount has more decimals than its currency")
    return int(scaled)


def from_minor_units(value: object, decimals: int) -> Decimal:
    """Return an amount given in smallest units; InvalidRecord unless it is a whole number."""
    if type(value) is not int:
        raise InvalidRecord("the payment provider answered an unusable amount")
    return Decimal(value).scaleb(-decimals)


def read_decimal(value: object) -> Decimal:
    """Return an amount given as a number or a text of digits; InvalidRecord for anything else."""
    text = str(value) if isinstance(value, str | Decimal) or type(value) is int else ""
    if not _PLAIN_AMOUNT.fullmatch(text):
        raise InvalidRecord("the payment provider answered an unusable amount")
    return Decimal(text)


def require_text(answer: Mapping[str, Any], name: str, most: int = 255) -> str:
    """Return a text of the answer; InvalidRecord when it is missing, empty or too long."""
    value = answer.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise InvalidRecord(f"the payment provider answered an unusable {name}")
    return value


def optional_text(answer: Mapping[str, Any], name: str) -> str:
    """Return a text of the answer; empty when it is anything else."""
    value = answer.get(name)
    return value if isinstance(value, str) else ""
