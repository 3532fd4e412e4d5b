"""Amounts, dates, numbers and counts as written and as spoken, in each language."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menus.model.facts import Count, Email, Fact, Money, Month, OneTimeCode, PhoneNumber, Rows, Text, TextRef
from menus.text import masking
from menus.text.formats import Currency, FactFormatter, WrittenFormatter
from menus.text.spoken_formats import SpokenFormatter

LEI = Currency(
    "RON",
    2,
    "{amount} lei",
    {"one": "leu", "few": "lei", "other": "de lei"},
    {"one": "ban", "few": "bani", "other": "de bani"},
)
DINARS = Currency(
    "TND",
    3,
    "{amount} DT",
    {"one": "dinar", "many": "de dinars", "other": "dinars"},
    {"one": "millime", "other": "millimes"},
)
ARABIC_DINARS = Currency(
    "TND",
    3,
    "{amount} د.ت",
    {"one": "دينار", "two": "ديناران", "few": "دنانير", "many": "دينارا", "other": "دينار"},
    {"one": "مليم", "two": "مليمان", "few": "مليمات", "many": "مليما", "other": "مليم"},
)
EUROS = Currency("EUR", 2, "EUR {amount}", {"one": "euro", "other": "euros"}, {"one": "cent", "other": "cents"})

WRITTEN = {
    "ro": WrittenFormatter("ro_RO", LEI, country_code="40", trunk="0"),
    "fr": WrittenFormatter("fr-TN", DINARS, "dd/MM/yyyy", country_code="216"),
    "ar": WrittenFormatter("ar_TN", ARABIC_DINARS, "dd/MM/yyyy", country_code="216", right_to_left=True),
    "en": WrittenFormatter("en", EUROS, "d MMM yyyy", country_code="33", trunk="0"),
}
SPOKEN = {
    "ro": SpokenFormatter("ro_RO", LEI, country_code="40", trunk="0"),
    "fr": SpokenFormatter("fr_TN", DINARS, country_code="216"),
    "ar": SpokenFormatter("ar_TN", ARABIC_DINARS, country_code="216"),
    "en": SpokenFormatter("en", EUROS, country_code="33", trunk="0"),
}
ALL_FORMATS = [*WRITTEN.values(), *SPOKEN.values()]
AMOUNTS = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=4)


@pytest.mark.parametrize(
    ("language", "amount", "shown"),
    [
        ("ro", "79.90", "79,90 lei"),
        ("ro", "1234.5", "1.234,50 lei"),
        ("ro", "-12.5", "-12,50 lei"),
        ("ro", "0.005", "0,01 lei"),
        ("ro", "2.675", "2,68 lei"),
        ("ro", "-0.004", "0,00 lei"),
        ("fr", "45.23", "45,230 DT"),
        ("fr", "1234567.8", "1 234 567,800 DT"),
        ("ar", "1234.567", "1.234,567 د.ت"),
        ("ar", "-12.5", "12,500- د.ت"),
        ("en", "1234.5", "EUR 1,234.50"),
        ("en", "-12.50", "-EUR 12.50"),
    ],
)
def test_written_amounts(language: str, amount: str, shown: str) -> None:
    written = WRITTEN[language].format_money(Decimal(amount))
    assert " " not in written
    assert written.replace("\u00a0", " ") == shown


@given(AMOUNTS, st.sampled_from(["ro", "en", "fr", "ar"]))
def test_written_amounts_read_back_to_the_same_cent(amount: Decimal, language: str) -> None:
    written = WRITTEN[language].format_money(amount)
    sign = -1 if "-" in written else 1
    scale = (ARABIC_DINARS if language in ("ar", "fr") else LEI).decimals
    digits = "".join(letter for letter in written if letter.isdigit())
    assert abs(sign * Decimal(digits).scaleb(-scale) - amount) <= Decimal("0.5").scaleb(-scale)


@given(AMOUNTS, st.dates())
def test_no_invisible_marks_come_out(amount: Decimal, day: date) -> None:
    facts: list[Fact] = [Money(amount), day, Month.from_date(day), Count(1234567), Text("a\u200fb\u202f")]
    for fact in facts:
        shown = "".join(formats.format_fact(fact) for formats in ALL_FORMATS)
        assert not set(shown) & set("\u202f\u200f\u200e\u061c\n")


@pytest.mark.parametrize(
    ("language", "amount", "words"),
    [
        ("ro", "79.90", "șaptezeci și nouă de lei și nouăzeci de bani"),
        ("ro", "1", "un leu"),
        ("ro", "2.02", "doi lei și doi bani"),
        ("ro", "21.01", "douăzeci și unu de lei și un ban"),
        ("ro", "101", "o sută unu lei"),
        ("ro", "0", "zero lei"),
        ("ro", "0.50", "cincizeci de bani"),
        ("ro", "-12.50", "minus doisprezece lei și cincizeci de bani"),
        ("ro", "1210", "o mie două sute zece lei"),
        ("ro", "21000", "douăzeci și una de mii de lei"),
        ("ro", "12000", "douăsprezece mii de lei"),
        ("fr", "45.230", "quarante-cinq dinars et deux cent trente millimes"),
        ("fr", "1.001", "un dinar et un millime"),
        ("fr", "-80", "moins quatre-vingts dinars"),
        ("fr", "1000000", "un million de dinars"),
        ("en", "34.99", "thirty-four euros and ninety-nine cents"),
        ("en", "1.01", "one euro and one cent"),
        ("en", "2400", "two thousand four hundred euros"),
        ("ar", "1", "دينار واحد"),
        ("ar", "2", "ديناران"),
        ("ar", "3", "ثلاثة دنانير"),
        ("ar", "45.230", "خمسة وأربعون دينارا ومئتان وثلاثون مليما"),
        ("ar", "200", "مئتا دينار"),
    ],
)
def test_spoken_amounts(language: str, amount: str, words: str) -> None:
    assert SPOKEN[language].format_money(Decimal(amount)) == words


@given(AMOUNTS)
def test_spoken_amounts_have_no_digits(amount: Decimal) -> None:
    spoken = [formats.format_money(amount) for formats in SPOKEN.values()]
    assert not [text for text in spoken if any(map(str.isdigit, text)) or "  " in text]


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("dd.MM.yyyy", "05.03.2026"),
        ("d/M/yy", "5/3/26"),
        ("d MMM yyyy", "5 mar. 2026"),
        ("d MMMM yyyy", "5 martie 2026"),
    ],
)
def test_day_patterns(pattern: str, shown: str) -> None:
    written = WrittenFormatter("ro", LEI, pattern).format_date(date(2026, 3, 5))
    assert written == shown.replace(" ", "\u00a0")


def test_an_unknown_day_pattern_stops_the_load() -> None:
    with pytest.raises(ValueError, match="'EEE'"):
        WrittenFormatter("ro", LEI, "EEE d")


@pytest.mark.parametrize(
    ("language", "first", "other"),
    [
        ("ro", "întâi mai două mii douăzeci și șase", "doi martie două mii douăzeci și șase"),
        ("fr", "premier mai deux mille vingt-six", "deux mars deux mille vingt-six"),
        ("en", "the first of May twenty twenty-six", "the second of March twenty twenty-six"),
        ("ar", "أول ماي ألفين وستة وعشرين", "اثنان مارس ألفين وستة وعشرين"),
    ],
)
def test_spoken_days(language: str, first: str, other: str) -> None:
    formats = SPOKEN[language]
    assert [formats.format_date(date(2026, 5, 1)), formats.format_date(date(2026, 3, 2))] == [first, other]


@pytest.mark.parametrize(
    ("formats", "month"),
    [
        pytest.param(WRITTEN["ro"], "03/2026", id="written"),
        pytest.param(SPOKEN["ro"], "martie două mii douăzeci și șase", id="spoken Romanian"),
        pytest.param(SPOKEN["en"], "March twenty twenty-six", id="spoken English"),
    ],
)
def test_months_are_written_and_spoken(formats: FactFormatter, month: str) -> None:
    assert formats.format_month(Month(2026, 3)) == month


@pytest.mark.parametrize(
    ("language", "msisdn", "shown", "spoken"),
    [
        pytest.param("ro", "+40740000101", "07***101", "1 0 1", id="trunk zero"),
        pytest.param("fr", "+21698123456", "98***456", "4 5 6", id="no trunk"),
        pytest.param("ro", "+33600000102", "+33***102", "1 0 2", id="foreign"),
        pytest.param("ro", "+40411", "***", "", id="too short to mask"),
        pytest.param("ar", "+21698123456", "98xxx456", "4 5 6", id="right to left"),
        pytest.param("ar", "+33600000102", "0033xxx102", "1 0 2", id="foreign, right to left"),
        pytest.param("ar", "+216411", "xxx", "", id="too short, right to left"),
    ],
)
def test_numbers_are_masked(language: str, msisdn: str, shown: str, spoken: str) -> None:
    formats: list[FactFormatter] = [WRITTEN[language], SPOKEN[language]]
    assert [each.format_number(msisdn) for each in formats] == [shown, spoken]


@pytest.mark.parametrize(
    ("to", "shown"),
    [
        pytest.param("+40740000101", "...0101", id="number"),
        pytest.param("ana@x.ro", "a***@x.ro", id="address"),
        pytest.param("+40411", "***", id="too short to mask"),
        pytest.param("", "-", id="nobody"),
    ],
)
def test_recipients_are_recognised_by_the_staff(to: str, shown: str) -> None:
    assert masking.mask_recipient(to) == shown


@given(st.from_regex(r"\+(40|33|216)[0-9]{5,12}", fullmatch=True))
def test_a_mask_shows_five_digits_at_most(msisdn: str) -> None:
    digits = [letter for letter in WRITTEN["ro"].format_number(msisdn) if letter.isdigit()]
    assert len(digits) <= 5


@pytest.mark.parametrize(
    ("fact", "written", "spoken"),
    [
        pytest.param(Money(Decimal(65)), "65,00\u00a0lei", "șaizeci și cinci de lei", id="money"),
        pytest.param(
            date(2026, 3, 15), "15.03.2026", "cincisprezece martie două mii douăzeci și șase", id="day"
        ),
        pytest.param(Month(2026, 3), "03/2026", "martie două mii douăzeci și șase", id="month"),
        pytest.param(Count(1200), "1.200", "o mie două sute", id="count"),
        pytest.param(PhoneNumber("+40740000101"), "07***101", "1 0 1", id="number"),
        pytest.param(Email("ana@x.ro"), "a***@x.ro", "a arond x punct ro", id="e-mail"),
        pytest.param(OneTimeCode("004821"), "004821", "0 0 4 8 2 1", id="code"),
        pytest.param(Text(" ORO-2026\n\u200e1 "), "ORO-2026 1", "ORO-2026 1", id="text on one line"),
    ],
)
def test_each_fact_has_its_form(fact: Fact, written: str, spoken: str) -> None:
    assert (WRITTEN["ro"].format_fact(fact), SPOKEN["ro"].format_fact(fact)) == (written, spoken)


@pytest.mark.parametrize("fact", [TextRef("paid"), Rows(("a",), ()), datetime(2026, 3, 15)])
def test_what_has_no_form_of_its_own_is_refused(fact: Fact | Rows) -> None:
    for formats in ALL_FORMATS:
        with pytest.raises(TypeError):
            formats.format_fact(fact)


@pytest.mark.parametrize(
    ("language", "count", "words"),
    [
        ("ar", 2000, "ألفان"),
        ("ar", 200, "مئتان"),
        ("fr", -3, "moins trois"),
        ("en", 101, "one hundred and one"),
    ],
)
def test_counts_stand_alone(language: str, count: int, words: str) -> None:
    assert SPOKEN[language].format_count(count) == words


@pytest.mark.parametrize(
    ("language", "categories"),
    [
        ("ro", ["few", "one", "few", "other"]),
        ("fr", ["one", "one", "other", "other"]),
        ("en", ["other", "one", "other", "other"]),
        ("ar", ["zero", "one", "two", "many"]),
    ],
)
def test_plurals_follow_cldr(language: str, categories: list[str]) -> None:
    formats: list[FactFormatter] = [WRITTEN[language], SPOKEN[language]]
    for each in formats:
        assert [each.plural_category(count) for count in (0, 1, 2, 20)] == categories


@pytest.mark.parametrize("pattern", ["lei", "{sum} lei", "{amount} {amount}"])
def test_a_money_pattern_without_its_amount_stops_the_load(pattern: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        WrittenFormatter("ro", Currency("RON", 2, pattern))


def test_a_currency_that_cannot_be_spoken_stops_the_load() -> None:
    with pytest.raises(ValueError, match="RON has no spoken words"):
        SpokenFormatter("ro", Currency("RON", 2, "{amount} lei"))


def test_a_language_without_number_words_stops_the_load() -> None:
    with pytest.raises(ValueError, match="cannot be spoken in 'zu'"):
        SpokenFormatter("zu", EUROS)
