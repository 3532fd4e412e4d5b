"""Input parsing: digits, keywords, e-mail addresses, MSISDNs, days, months, card numbers."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.publishing import pack_compiler
from menus.model.facts import Month
from menus.text.input_parsing import (
    fold_word,
    is_card_like,
    parse_date,
    parse_digits,
    parse_email,
    parse_key,
    parse_month,
    parse_msisdn,
    possible_month,
    possible_number,
    to_ascii_digits,
)
from tests.support.shipped_packs import shipped_menu

TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param(" 12 ", "12", id="outer spaces"),
        pytest.param("١٢٣", "123", id="Arabic-Indic"),
        pytest.param("۴۵۶", "456", id="Persian"),
        pytest.param("१२३", "123", id="Devanagari"),
        pytest.param("\u200f١\u200e\u2067*\u061c", "1*", id="bidi marks"),
        pytest.param("x²①½", "x²①½", id="not decimal digits"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_digits_of_any_script(text: str, read: str) -> None:
    assert to_ascii_digits(text) == read


@given(st.text())
def test_only_decimal_digits_become_digits(text: str) -> None:
    decimals = sum(unicodedata.decimal(letter, None) is not None for letter in text)
    assert sum(letter in "0123456789" for letter in to_ascii_digits(text)) == decimals


@pytest.mark.parametrize(
    "variants",
    [
        pytest.param(["FACTURĂ", "factura", "Factură", " fáctura! "], id="accents and case"),
        pytest.param(["ȘTIRI", "ŞTIRI", "stiri", "știri"], id="comma and cedilla"),
        pytest.param(["إشعار", "أشعار", "اشعار", "آشعار", "ٱشعار"], id="alef with hamza"),
        pytest.param(["فاتورة", "فاتوره", "فـاتـورة", "فَاتُورَة"], id="ta marbuta, tatweel, vowels"),
        pytest.param(["مبنى", "مبني", "مبنی"], id="alef maqsura and yeh"),
        pytest.param(["FACT ٦", "fact 6", "fact...6", "*fact#6"], id="digits and punctuation"),
        pytest.param(["sœur", "SOEUR", "Sœur\u200b"], id="ligatures"),
        pytest.param(["مسؤول", "مسوول"], id="waw with hamza"),
    ],
)
def test_variants_of_a_keyword_are_one(variants: list[str]) -> None:
    assert len({fold_word(word) for word in variants}) == 1


@pytest.mark.parametrize("pair", [("fact", "facturi"), ("fact 6", "fact6"), ("da", "nu"), ("دفع", "رجوع")])
def test_different_keywords_stay_different(pair: tuple[str, str]) -> None:
    assert fold_word(pair[0]) != fold_word(pair[1])


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold_word(text)
    assert fold_word(once) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize("text", ["3", " 3 ", "3#", "3.", "3)", "3 #", "٣", "٣.", "\u200f٣"])
def test_a_key_may_have_a_mark_behind_it(text: str) -> None:
    assert parse_key(text) == "3"


@pytest.mark.parametrize("text", ["#", "*", "3*1", "3.1", "#3", "3##", "123#", "oui"])
def test_what_is_no_key_stays_what_it_is(text: str) -> None:
    assert parse_key(text) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("8844 1207", "88441207", id="spaces between"),
        pytest.param("٨٨٤٤١٢٠٧", "88441207", id="Arabic digits"),
        pytest.param("88441207#", "88441207", id="a hash behind"),
        pytest.param("8844#1207", None, id="a hash inside"),
        pytest.param("123", None, id="too few"),
        pytest.param("123456789", None, id="too many"),
        pytest.param("1234a", None, id="a letter"),
        pytest.param("1234²", None, id="a superscript"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_digit_inputs_are_parsed(text: str, read: str | None) -> None:
    assert parse_digits(text, 4, 8) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (" Nom.Prenom+tt@Exemple.TN ", "Nom.Prenom+tt@exemple.tn"),
        ("a@b-c.example", "a@b-c.example"),
        ("a@b", None),
        ("a b@x.tn", None),
        ("a@@x.tn", None),
        (".a@x.tn", None),
        ("a..b@x.tn", None),
        ("a@-x.tn", None),
        ("a@x..tn", None),
        ("a@x.t1", None),
        ("é@x.tn", None),
        ("a@exemplé.tn", None),
        ("a@x.tn\nBcc: b@x.tn", None),
        ("@x.tn", None),
        ("", None),
        ("a" * 64 + "@x.tn", "a" * 64 + "@x.tn"),
        ("a" * 65 + "@x.tn", None),
        ("a@" + ".".join(["b" * 62] * 4) + ".tn", None),
    ],
)
def test_email_inputs_are_parsed(text: str, read: str | None) -> None:
    assert parse_email(text) == read


@pytest.mark.parametrize(
    ("text", "country", "trunk", "read"),
    [
        pytest.param("0740 000 101", "40", "0", "+40740000101", id="national"),
        pytest.param("740000101", "40", "0", "+40740000101", id="without its trunk"),
        pytest.param("+40 740-000-101", "40", "0", "+40740000101", id="plus"),
        pytest.param("0040740000101", "40", "0", "+40740000101", id="double zero"),
        pytest.param("40740000101", "40", "0", "+40740000101", id="bare country code"),
        pytest.param("+40 (0)740 000 101", "40", "0", "+40740000101", id="both country and trunk"),
        pytest.param("98 123 456", "216", "", "+21698123456", id="no trunk"),
        pytest.param("21612345", "216", "", "+21621612345", id="national that looks international"),
        pytest.param("٩٨١٢٣٤٥٦", "216", "", "+21698123456", id="Arabic digits"),
        pytest.param("+33600000101", "40", "0", "+33600000101", id="foreign"),
        pytest.param("411", "40", "0", None, id="short code"),
        pytest.param("+1234567890123456", "40", "0", None, id="above fifteen digits"),
        pytest.param("+0740000101", "40", "0", None, id="no country opens with zero"),
        pytest.param("07400O0101", "40", "0", None, id="a letter"),
        pytest.param("", "40", "0", None, id="nothing"),
    ],
)
def test_msisdn_inputs_are_parsed(text: str, country: str, trunk: str, read: str | None) -> None:
    assert parse_msisdn(text, country, trunk) == read


@pytest.mark.parametrize(
    ("text", "country", "trunk", "national", "read"),
    [
        pytest.param("99999", "216", "", [8], None, id="too short"),
        pytest.param("710001020", "216", "", [8], None, id="too long"),
        pytest.param("+216 99999", "216", "", [8], None, id="too short with its code"),
        pytest.param("71000102", "216", "", [8], "+21671000102", id="as they are"),
        pytest.param("0740 000 101", "40", "0", [9], "+40740000101", id="its trunk counts for nothing"),
        pytest.param("740 000 10", "40", "0", [8, 9], "+4074000010", id="one of two lengths"),
        pytest.param("+33600000101", "216", "", [8], "+33600000101", id="another country's"),
    ],
)
def test_a_country_knows_how_long_its_numbers_are(
    text: str, country: str, trunk: str, national: list[int], read: str | None
) -> None:
    assert parse_msisdn(text, country, trunk, national) == read


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_every_pack_we_ship_says_how_long_its_numbers_are(operator: str) -> None:
    menu = shipped_menu(operator)
    digits = min(menu.config.number_digits)
    assert menu.parse_msisdn("7" * digits) == f"+{menu.config.country_code}{'7' * digits}"
    assert menu.parse_msisdn("7" * (digits - 1)) is None


@pytest.mark.parametrize("text", ["05.03.2026", "05/03/2026", "5-3-2026", "05032026", " ٠٥/٠٣/٢٠٢٦ "])
def test_days_are_read(text: str) -> None:
    assert parse_date(text) == date(2026, 3, 5)


@pytest.mark.parametrize(
    "text", ["31.02.2026", "05.03/2026", "050326", "2026-03-05", "00.01.2026", "5 3 2026", ""]
)
def test_what_is_no_day_is_not_read(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize("text", ["0326", "03/26", "3/26", "03/2026", "032026", "03.2026", "٠٣٢٦"])
def test_months_are_read(text: str) -> None:
    assert parse_month(text, TODAY) == Month(2026, 3)


@pytest.mark.parametrize("text", ["1326", "0026", "326", "03/206", "03 26", "03/0000", "", "²3/26"])
def test_what_is_no_month_is_not_read(text: str) -> None:
    assert parse_month(text, TODAY) is None


@pytest.mark.parametrize(("short", "year"), [("99", 1999), ("00", 2000), ("75", 2075), ("76", 1976)])
def test_two_digits_mean_the_nearest_year(short: str, year: int) -> None:
    assert parse_month(f"12/{short}", TODAY) == Month(year, 12)


@pytest.mark.parametrize(
    ("text", "card"),
    [
        pytest.param("4111 1111 1111 1111", True, id="with spaces"),
        pytest.param("plata 4111-1111-1111-1111 va rog", True, id="inside a sentence"),
        pytest.param("2 4111111111111111", True, id="after a menu key"),
        pytest.param("4111111111111111 12-28 123", True, id="before its expiry"),
        pytest.param("٤١١١١١١١١١١١١١١١", True, id="Arabic digits"),
        pytest.param("4111.1111.1111.1111", True, id="with full stops"),
        pytest.param("4111/1111/1111/1111", True, id="with slashes"),
        pytest.param("4111\u00a01111\u202f1111\u00a01111", True, id="with no-break spaces"),
        pytest.param("4111\n1111\r\n1111\t1111", True, id="on several lines"),
        pytest.param("4111\u20111111\u20131111\u22121111", True, id="with other dashes"),
        pytest.param("4111\u200b1111\u20601111\u00ad1111", True, id="with invisible marks"),
        pytest.param("4222222222222", True, id="thirteen digits"),
        pytest.param("4111 1111 1111 1112", False, id="check digit off"),
        pytest.param("422222222222", False, id="twelve digits"),
        pytest.param("0" * 20, False, id="twenty digits"),
        pytest.param("+40740000101", False, id="a phone number"),
    ],
)
def test_card_numbers_are_detected(text: str, *, card: bool) -> None:
    assert is_card_like(text) is card


@given(st.integers(10**11, 10**18 - 1))
def test_one_check_digit_in_ten_is_valid(body: int) -> None:
    assert sum(is_card_like(f"{body}{check}") for check in range(10)) == 1


HASHED = {
    "a number": (parse_msisdn("0740000101#", "40", "0"), "+40740000101"),
    "a number with a space": (parse_msisdn("0740 000 101 #", "40", "0"), "+40740000101"),
    "a number behind a keyword": (possible_number("0740000101#"), "0740000101"),
    "a month": (parse_month("0226#", date(2026, 3, 10)), Month(2026, 2)),
    "a month with a slash": (possible_month("02/26 #"), "02/26"),
    "a day": (parse_date("10.03.2026#"), date(2026, 3, 10)),
    "a code": (parse_digits("123456#", 6, 8), "123456"),
    "a hash alone": (parse_digits("#", 1, 8), None),
    "two": (parse_digits("12##", 1, 8), None),
}


@pytest.mark.parametrize("case", HASHED)
def test_a_hash_behind_what_is_typed_is_forgiven(case: str) -> None:
    parsed, expected = HASHED[case]
    assert parsed == expected
