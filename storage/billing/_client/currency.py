"""Currency rules at the edge: minor units, rounding, overpayment and foreign currencies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from flows.domain.records import BillLine
from storage.billing._client.answer_fields import ZERO, clean_text, field_error, parse_amount

MINOR_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0
    ),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
}
"""Decimals of currencies that do not have two (ISO 4217)."""
DEFAULT_MINOR_DIGITS = 2


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's smallest unit; unchanged when the currency is not known."""
    if not currency:
        return amount
    return amount.quantize(_smallest_unit(currency), ROUND_HALF_UP) + ZERO


@dataclass(frozen=True, slots=True)
class CurrencyRule:
    """The currency an operator's amounts must be in, and the one whose smallest unit they are rounded to."""

    expected: str = ""
    """Name of the currency at the backend; empty accepts any."""
    rounding: str = ""
    """ISO 4217 code of the operator's currency; empty rounds by the currency an amount names."""

    def parse_money(self, value: object, unit: object, field_name: str) -> Decimal:
        """Parse an amount and round it; InvalidRecord for another currency or an unusable amount."""
        exact = self.parse_exact(value, unit, field_name)
        return round_amount(exact, self.rounding or clean_text(unit).upper() or self.expected)

    def parse_exact(self, value: object, unit: object, field_name: str) -> Decimal:
        """Parse an amount without rounding. An amount that names no currency is in the expected one."""
        named = clean_text(unit).upper()
        if named and self.expected and named != self.expected.upper():
            raise field_error(f"{field_name}: another currency")
        return parse_amount(value, field_name)

    def round_bill_lines(self, lines: Iterable[BillLine]) -> list[BillLine]:
        """Round the lines of a bill so that they still add up to the rounded sum (cascade rounding)."""
        exact, rounded, results = ZERO, ZERO, list[BillLine]()
        for line in lines:
            exact += line.amount
            share = round_amount(exact, self.rounding or self.expected) - rounded
            rounded += share
            results.append(line if share == line.amount else replace(line, amount=share))
        return results


def outstanding_amount(total: Decimal, remaining: Decimal) -> Decimal:
    """Return what is still to pay of a bill: nothing when more than the total was paid."""
    return max(remaining, ZERO) if total >= ZERO else remaining


@lru_cache(maxsize=256)
def _smallest_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-MINOR_DIGITS.get(currency.upper(), DEFAULT_MINOR_DIGITS))
