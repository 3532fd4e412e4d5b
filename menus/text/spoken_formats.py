"""Formatting of money, dates and numbers in speech; compiled once per pack and language."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache

from menus.model.facts import Month
from menus.packfile.language_file import NumberWordsForm
from menus.text import masking
from menus.text.formats import Currency, FactFormatter, month_names, parse_locale, to_one_line
from menus.text.language_data import load_language
from menus.text.number_words import NumberSpeller


class SpokenFormatter(FactFormatter):
    """Formats facts for speech: amounts and dates in words, phone numbers and codes digit by digit."""

    def __init__(
        self,
        locale: str,
        currency: Currency,
        *,
        country_code: str = "",
        trunk: str = "",
        idiom: NumberWordsForm | None = None,
    ) -> None:
        """Compile the formats; ValueError when the language has no number words or the currency no units.

        `idiom`: the language's words for numbers, by default those of its shared data file.
        """
        parsed_locale = parse_locale(locale)
        if "other" not in currency.unit or (currency.decimals and "other" not in currency.subunit):
            raise ValueError(f"{currency.code} has no spoken words in {locale}")
        self._idiom = idiom or load_language(parsed_locale.language).numbers
        self.speller = NumberSpeller(parsed_locale.language, self._idiom)
        self._currency = currency
        self._and_pattern = parsed_locale.list_patterns["standard"]["2"]
        self._names = month_names(parsed_locale, "wide")
        self._country_code, self._trunk = country_code, trunk
        self._plural = lru_cache(maxsize=1024)(parsed_locale.plural_form)

    def format_money(self, amount: Decimal) -> str:
        exact = self._currency.round_amount(amount)
        whole, rest = divmod(abs(int(exact.scaleb(self._currency.decimals))), 10**self._currency.decimals)
        spoken = self._join_units(whole, rest)
        return f"{self._idiom.minus} {spoken}" if exact < 0 else spoken

    def _join_units(self, whole: int, rest: int) -> str:
        """Spell whole units and subunits; units that are zero are left out before subunits."""
        if not rest:
            return self._spell_quantity(whole, self._currency.unit)
        small = self._spell_quantity(rest, self._currency.subunit)
        return (
            self._and_pattern.format(self._spell_quantity(whole, self._currency.unit), small)
            if whole
            else small
        )

    def _spell_quantity(self, value: int, units: Mapping[str, str]) -> str:
        return self.speller.spell_quantity(value, self.plural_category(value), units)

    def format_date(self, day: date) -> str:
        first = self._idiom.first_of_month if day.day == 1 else ""
        return self._idiom.day.format(
            day=first or self.speller.spell_number(day.day),
            nth=self.speller.spell_number(day.day, "ordinal"),
            month=self._names[day.month],
            year=self.speller.spell_year(day.year),
        )

    def format_month(self, month: Month, name: str = "") -> str:
        return f"{name or self._names[month.month]} {self.speller.spell_year(month.year)}"

    def format_count(self, value: int) -> str:
        return self.speller.spell_bare_number(value)

    def format_feminine(self, value: int) -> str:
        """Format a whole number as before a feminine noun."""
        return self.speller.spell_feminine(value)

    def format_number(self, msisdn: str) -> str:
        """Spell the digits the mask leaves at the end; the first two would only confuse the caller."""
        return " ".join(masking.mask_number(msisdn, self._country_code, self._trunk).rpartition("*")[2])

    def format_email(self, address: str) -> str:
        """Spell the first letter and the domain, with "at" and "dot" in words."""
        spoken = masking.mask_email(address).replace("***@", f" {self._idiom.at} ").replace("...", "")
        return spoken.replace(".", f" {self._idiom.dot} ")

    def format_code(self, digits: str) -> str:
        return " ".join(digits)

    def format_text(self, text: str) -> str:
        return to_one_line(text)

    def plural_category(self, value: int) -> str:
        return str(self._plural(value))
