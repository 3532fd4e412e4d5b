"""How facts are written on a screen and spoken in a call, compiled once per pack and language."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Protocol

from babel import Locale

from menus.model.facts import Code, Count, Email, Fact, Money, Month, Number, Rows, Text
from menus.text import masking
from menus.text.gsm import KEEP, clean
from menus.text.number_words import alone, idiom, measured, words, year_words

_STEPS = tuple(Decimal(1).scaleb(-decimals) for decimals in range(5))


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as one language writes and speaks it."""

    code: str
    """ISO 4217."""
    decimals: int
    """Digits of the subunit, ISO 4217: 2 for RON, MAD and EUR, 3 for TND; at most 4."""
    written: str
    """The amount in its place: `{amount} lei`; the spaces in it never break."""
    unit: Mapping[str, str] = field(default_factory=dict)
    """Spoken words by CLDR plural category, `other` at least: `leu`, `lei`, `de lei`."""
    subunit: Mapping[str, str] = field(default_factory=dict)
    """The same for the hundredth or thousandth: `ban`, `bani`, `de bani`."""

    def rounded(self, amount: Decimal) -> Decimal:
        """The amount at the currency's own precision, halves away from zero."""
        return amount.quantize(_STEPS[self.decimals], ROUND_HALF_UP)


class Formats(Protocol):
    """One way of putting facts to a subscriber."""

    def money(self, amount: Decimal) -> str:
        """An amount with its currency."""

    def day(self, day: date) -> str:
        """A full date."""

    def month(self, month: Month) -> str:
        """A billing month with its whole year."""

    def short_month(self, month: Month) -> str:
        """A billing month where room is scarce."""

    def count(self, value: int) -> str:
        """A whole number."""

    def number(self, msisdn: str) -> str:
        """A phone number (E.164), masked."""

    def email(self, address: str) -> str:
        """An e-mail address, masked."""

    def code(self, digits: str) -> str:
        """A one-time code, whole."""

    def text(self, text: str) -> str:
        """Words as they are, on one line and without invisible marks."""

    def plural(self, value: int) -> str:
        """The CLDR plural category of a count: `one`, `few`, `other`..."""

    def show(self, fact: Fact | Rows) -> str:
        """Any fact but Word and Rows, which only a catalogue can put into words: TypeError."""
        kind = _KINDS.get(type(fact))
        if kind is None:
            raise TypeError(f"a {type(fact).__name__} has no form of its own")
        method, slot = kind
        value: Any = getattr(fact, slot) if slot else fact
        return str(getattr(self, method)(value))


# By exact type: a datetime is no billing day, though Python calls it a date.
_KINDS: Mapping[type, tuple[str, str]] = {
    Money: ("money", "amount"),
    date: ("day", ""),
    Month: ("month", ""),
    Text: ("text", "value"),
    Count: ("count", "value"),
    Number: ("number", "value"),
    Email: ("email", "value"),
    Code: ("code", "value"),
}
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


class Written(Formats):
    """Facts as a screen, a text message or a page shows them; the spaces inside never break."""

    def __init__(
        self,
        locale: str,
        currency: Currency,
        day: str = "dd.MM.yyyy",
        *,
        country_code: str = "",
        trunk: str = "",
    ) -> None:
        """`day` takes d, dd, M, MM, MMM, MMMM, yy and yyyy; ValueError for any other letter."""
        known = _locale(locale)
        self._currency = currency
        self._marks = _marks(known)
        self._signed = _signed(currency.written)
        self._day = _day_template(day)
        self._short, self._names = _months(known, "abbreviated"), _months(known, "wide")
        self._country_code, self._trunk = country_code, trunk
        self._plural = lru_cache(maxsize=1024)(known.plural_form)

    def bare(self, amount: Decimal) -> str:
        """An amount whose currency is known already."""
        exact = self._currency.rounded(amount)
        return f"{exact:,f}".translate(self._marks)

    def money(self, amount: Decimal) -> str:
        exact = self._currency.rounded(amount)
        digits = f"{abs(exact):,f}".translate(self._marks)
        return self._signed[exact < 0].format(amount=digits)

    def day(self, day: date) -> str:
        month = day.month
        return self._day.format(
            day=day.day,
            month=month,
            short=self._short[month],
            name=self._names[month],
            century=day.year % 100,
            year=day.year,
        )

    def month(self, month: Month) -> str:
        return f"{month.month:02d}/{month.year:04d}"

    def short_month(self, month: Month) -> str:
        return f"{month.month:02d}/{month.year % 100:02d}"

    def count(self, value: int) -> str:
        return f"{value:,d}".translate(self._marks)

    def number(self, msisdn: str) -> str:
        """The first two and last three digits of the national form; a foreign number keeps its plus."""
        return masking.number(msisdn, self._country_code, self._trunk)

    def whole(self, msisdn: str) -> str:
        """All digits of a number as it is dialled at home."""
        return masking.whole(msisdn, self._country_code, self._trunk)

    def email(self, address: str) -> str:
        return masking.email(address)

    def code(self, digits: str) -> str:
        return digits

    def text(self, text: str) -> str:
        return _one_line(text)

    def plural(self, value: int) -> str:
        return str(self._plural(value))


class Spoken(Formats):
    """Facts as a caller hears them: amounts and dates in words, numbers and codes digit by digit."""

    def __init__(self, locale: str, currency: Currency, *, country_code: str = "", trunk: str = "") -> None:
        """ValueError when the language has no number words or the currency no spoken units."""
        known = _locale(locale)
        if "other" not in currency.unit or (currency.decimals and "other" not in currency.subunit):
            raise ValueError(f"{currency.code} has no spoken words in {locale}")
        self._language = known.language
        self._idiom = idiom(known.language)
        self._currency = currency
        self._and = known.list_patterns["standard"]["2"]
        self._names = _months(known, "wide")
        self._country_code, self._trunk = country_code, trunk
        self._plural = lru_cache(maxsize=1024)(known.plural_form)

    def money(self, amount: Decimal) -> str:
        exact = self._currency.rounded(amount)
        whole, rest = divmod(abs(int(exact.scaleb(self._currency.decimals))), 10**self._currency.decimals)
        spoken = self._parts(whole, rest)
        return f"{self._idiom.minus} {spoken}" if exact < 0 else spoken

    def _parts(self, whole: int, rest: int) -> str:
        if not rest:
            return self._measured(whole, self._currency.unit)
        small = self._measured(rest, self._currency.subunit)
        return self._and.format(self._measured(whole, self._currency.unit), small) if whole else small

    def _measured(self, value: int, units: Mapping[str, str]) -> str:
        return measured(value, self._language, self.plural(value), units)

    def day(self, day: date) -> str:
        first = self._idiom.first if day.day == 1 else ""
        return self._idiom.day.format(
            day=first or words(day.day, self._language),
            nth=words(day.day, self._language, "ordinal"),
            month=self._names[day.month],
            year=self._year(day.year),
        )

    def month(self, month: Month, name: str = "") -> str:
        return f"{name or self._names[month.month]} {self._year(month.year)}"

    def short_month(self, month: Month) -> str:
        return self.month(month)

    def _year(self, year: int) -> str:
        return year_words(year, self._language)

    def count(self, value: int) -> str:
        return alone(value, self._language)

    def number(self, msisdn: str) -> str:
        """The digits the mask leaves at the end: the others would only puzzle the ear."""
        return " ".join(masking.number(msisdn, self._country_code, self._trunk).rpartition("*")[2])

    def email(self, address: str) -> str:
        """The first letter and the domain, its signs by name."""
        spoken = masking.email(address).replace("***@", f" {self._idiom.at} ")
        return spoken.replace(".", f" {self._idiom.dot} ")

    def code(self, digits: str) -> str:
        return " ".join(digits)

    def text(self, text: str) -> str:
        return _one_line(text)

    def plural(self, value: int) -> str:
        return str(self._plural(value))


def _locale(name: str) -> Locale:
    return Locale.parse(name.replace("-", "_"))


def _marks(locale: Locale) -> dict[int, str]:
    """From the marks Python writes to those of the language, digits staying Western."""
    symbols = locale.number_symbols["latn"]
    return {ord(","): _solid(symbols["group"]), ord("."): _solid(symbols["decimal"])}


def _solid(text: str) -> str:
    return clean(text).replace(" ", KEEP)


def _signed(pattern: str) -> tuple[str, str]:
    """The pattern of a positive amount, then of a negative one, its sign where the script wants it."""
    solid = _solid(pattern)
    if solid.count("{") != 1 or "{amount}" not in solid:
        raise ValueError(f"an amount is written around one {{amount}}, not as {pattern!r}")
    if any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in solid):
        return solid, solid.replace("{amount}", "{amount}-")
    return solid, f"-{solid}"


def _day_template(pattern: str) -> str:
    solid = _solid(pattern)
    try:
        return re.sub(r"([A-Za-z])\1*", lambda part: _DAY_PARTS[part[0]], solid)
    except KeyError as error:
        raise ValueError(f"a date pattern knows nothing of {error.args[0]!r}") from None


def _months(locale: Locale, width: str) -> dict[int, str]:
    return {month: _solid(name) for month, name in locale.months["format"][width].items()}


def _one_line(text: str) -> str:
    return clean(text).replace("\n", " ").strip()
