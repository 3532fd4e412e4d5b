"""Formatting of money, dates and numbers in writing, and the interface that speech shares."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Protocol

from babel import Locale, UnknownLocaleError

from menus.model.facts import Count, Email, Fact, Money, Month, OneTimeCode, PhoneNumber, Rows, Text
from menus.text import masking
from menus.text.gsm import NO_BREAK_SPACE, clean_text

_QUANTA = tuple(Decimal(1).scaleb(-decimals) for decimals in range(5))
"""Rounding quantum by number of decimals: 1, 0.1 ... 0.0001."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as written and spoken in one language."""

    code: str
    """ISO 4217."""
    decimals: int
    """Minor-unit digits, ISO 4217: 2 for RON, MAD and EUR, 3 for TND; at most 4."""
    pattern: str
    """Pattern around the amount: `{amount} lei`; its spaces become no-break spaces."""
    unit: Mapping[str, str] = field(default_factory=dict)
    """Spoken unit by CLDR plural category, `other` at least: `leu`, `lei`, `de lei`."""
    subunit: Mapping[str, str] = field(default_factory=dict)
    """Spoken hundredth or thousandth by CLDR plural category: `ban`, `bani`, `de bani`."""

    def round_amount(self, amount: Decimal) -> Decimal:
        """Round an amount to the currency's decimals, halves away from zero; zero has no sign."""
        return amount.quantize(_QUANTA[self.decimals], ROUND_HALF_UP) + 0


class FactFormatter(Protocol):
    """Formats facts for a subscriber, in writing or in speech."""

    def format_money(self, amount: Decimal) -> str:
        """Format an amount with its currency."""

    def format_date(self, day: date) -> str:
        """Format a full date."""

    def format_month(self, month: Month) -> str:
        """Format a billing month with its four-digit year."""

    def format_count(self, value: int) -> str:
        """Format a whole number."""

    def format_number(self, msisdn: str) -> str:
        """Format a phone number (E.164), masked."""

    def format_email(self, address: str) -> str:
        """Format an e-mail address, masked."""

    def format_code(self, digits: str) -> str:
        """Format a one-time code, unmasked."""

    def format_text(self, text: str) -> str:
        """Put a text on one line, without invisible characters."""

    def plural_category(self, value: int) -> str:
        """Return the CLDR plural category of a count: `one`, `few`, `other`..."""

    def format_fact(self, fact: Fact | Rows) -> str:
        """Format any fact; TypeError for `TextRef` and `Rows`, which need a catalogue."""
        format_value = _FORMATTERS.get(type(fact))
        if format_value is None:
            raise TypeError(f"cannot format a {type(fact).__name__} without a text catalogue")
        return format_value(self, fact)


# By exact type: a datetime is a date in Python but not a billing day.
_FORMATTERS: Mapping[type, Callable[[FactFormatter, Any], str]] = {
    Money: lambda formatter, fact: formatter.format_money(fact.amount),
    date: lambda formatter, fact: formatter.format_date(fact),
    Month: lambda formatter, fact: formatter.format_month(fact),
    Text: lambda formatter, fact: formatter.format_text(fact.value),
    Count: lambda formatter, fact: formatter.format_count(fact.value),
    PhoneNumber: lambda formatter, fact: formatter.format_number(fact.value),
    Email: lambda formatter, fact: formatter.format_email(fact.value),
    OneTimeCode: lambda formatter, fact: formatter.format_code(fact.value),
}
# Letters of a date pattern, as in CLDR.
_DAY_PARTS = {
    "d": "{day}",
    "dd": "{day:02d}",
    "M": "{month}",
    "MM": "{month:02d}",
    "MMM": "{short}",
    "MMMM": "{name}",
    "yy": "{century:02d}",
    "yyyy": "{year:04d}",
}


class WrittenFormatter(FactFormatter):
    """Formats facts for screens, SMS and web pages, with no-break spaces inside."""

    def __init__(
        self,
        locale: str,
        currency: Currency,
        day: str = "dd.MM.yyyy",
        *,
        country_code: str = "",
        trunk: str = "",
        right_to_left: bool = False,
    ) -> None:
        """Compile a language; `day`: pattern of d, dd, M, MM, MMM, MMMM, yy, yyyy, ValueError for others.

        Where texts run from right to left masked numbers are written so that they still read from the left.
        """
        parsed_locale = parse_locale(locale)
        self._currency = currency
        self._marks = _number_marks(parsed_locale)
        self._amount_patterns = _signed_patterns(currency.pattern)
        self._bare_patterns = _bare_patterns(currency.pattern)
        self._day = _day_template(day)
        self._short_names, self._names = (
            month_names(parsed_locale, "abbreviated"),
            month_names(parsed_locale, "wide"),
        )
        self._country_code, self._trunk, self._right_to_left = country_code, trunk, right_to_left
        self._plural = lru_cache(maxsize=1024)(parsed_locale.plural_form)

    def format_bare_amount(self, amount: Decimal) -> str:
        """Format an amount without its currency, its sign on the same side as with it."""
        return self._format_amount(amount, self._bare_patterns)

    def format_money(self, amount: Decimal) -> str:
        return self._format_amount(amount, self._amount_patterns)

    def _format_amount(self, amount: Decimal, patterns: tuple[str, str]) -> str:
        exact = self._currency.round_amount(amount)
        return patterns[exact < 0].format(amount=f"{abs(exact):,f}".translate(self._marks))

    def format_date(self, day: date) -> str:
        month = day.month
        return self._day.format(
            day=day.day,
            month=month,
            short=self._short_names[month],
            name=self._names[month],
            century=day.year % 100,
            year=day.year,
        )

    def format_month(self, month: Month) -> str:
        return f"{month.month:02d}/{month.year:04d}"

    def format_count(self, value: int) -> str:
        return f"{value:,d}".translate(self._marks)

    def format_number(self, msisdn: str) -> str:
        """Mask a number: first two and last three digits of the national form; a foreign one keeps its plus."""
        masked = masking.mask_number(msisdn, self._country_code, self._trunk)
        return masking.join_masked_number(masked) if self._right_to_left else masked

    def format_full_number(self, msisdn: str) -> str:
        """Format a number unmasked, as dialled in its own country."""
        return masking.full_number(msisdn, self._country_code, self._trunk)

    def format_email(self, address: str) -> str:
        masked = masking.mask_email(address)
        return masking.join_masked_email(masked) if self._right_to_left else masked

    def format_code(self, digits: str) -> str:
        return digits

    def format_text(self, text: str) -> str:
        return to_one_line(text)

    def plural_category(self, value: int) -> str:
        return str(self._plural(value))


def parse_locale(name: str) -> Locale:
    """Parse a locale's name with either mark: `ro_RO`, `ro-RO`; ValueError for one that CLDR does not have."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except UnknownLocaleError as error:
        raise ValueError(str(error)) from error


def decimal_mark(locale: str) -> str:
    """Return the mark between units and decimals in a locale, with Western digits: a comma in `fr_FR`."""
    return str(parse_locale(locale).number_symbols["latn"]["decimal"])


def _number_marks(locale: Locale) -> dict[int, str]:
    """Return the translation from Python's group and decimal marks to the language's; digits stay Western."""
    symbols = locale.number_symbols["latn"]
    return {ord(","): _make_unbreakable(symbols["group"]), ord("."): _make_unbreakable(symbols["decimal"])}


def _make_unbreakable(text: str) -> str:
    """Replace the spaces of a text by no-break spaces."""
    return clean_text(text).replace(" ", NO_BREAK_SPACE)


def _signed_patterns(pattern: str) -> tuple[str, str]:
    """Return the patterns of a positive and a negative amount; right-to-left scripts put the sign behind."""
    solid = _make_unbreakable(pattern)
    if solid.count("{") != 1 or "{amount}" not in solid:
        raise ValueError(f"a money pattern needs {{amount}} exactly once, not {pattern!r}")
    if _is_right_to_left(solid):
        return solid, solid.replace("{amount}", "{amount}-")
    return solid, f"-{solid}"


def _bare_patterns(pattern: str) -> tuple[str, str]:
    """Return the patterns of a positive and a negative amount without the currency of a money pattern."""
    return "{amount}", "{amount}-" if _is_right_to_left(pattern) else "-{amount}"


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def _day_template(pattern: str) -> str:
    solid = _make_unbreakable(pattern)
    try:
        return re.sub(r"([A-Za-z])\1*", lambda part: _DAY_PARTS[part[0]], solid)
    except KeyError as error:
        raise ValueError(f"a date pattern cannot contain {error.args[0]!r}") from None


def month_names(locale: Locale, width: str) -> dict[int, str]:
    """Return the names of the months, `wide` or `abbreviated`, with no-break spaces."""
    return {month: _make_unbreakable(name) for month, name in locale.months["format"][width].items()}


def to_one_line(text: str) -> str:
    """Put a text on one line, without invisible characters."""
    return clean_text(text).replace("\n", " ").strip()
