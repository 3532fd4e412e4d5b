"""CSV export: a reader gets back what was written, and no cell is a formula."""

import csv
import io
import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.records import Bill, BillLine
from flows.selfcare.csv_format import (
    CSV_COLUMNS,
    FORMULA_PREFIXES,
    RAW_FORMAT,
    CsvFormat,
    encode_csv,
    escape_formula,
    local_format,
)
from flows.selfcare.export import centre_root, export_csv, lines_to_export
from flows.services.file_links import LinkedFile, parse_file_link
from tests.support.shipped_packs import shipped_menu

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=5).filter(lambda row: row != [""]), max_size=8)
BILL = Bill(
    *("B-1", "B-1", "a1", date(2026, 3, 1), date(2026, 3, 13)),
    *(Decimal("30.00"), Decimal("5.00"), Decimal("30.00"), "due"),
)
LINES = [
    BillLine("subscriptions", "+33660000103", Decimal("10.00"), centre="CF-100-A"),
    BillLine("subscriptions", "+33660000113", Decimal("-2.50"), centre="CF-100-A", label="=1+1"),
    BillLine("subscriptions", "+33660000123", Decimal("22.50"), centre="CF-200-A", label='a "b", c'),
    BillLine("options", "+33660000123", Decimal("9.00")),
]


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def without_guards(cell: str) -> str:
    """Return the text of a cell without the apostrophes that guard it."""
    cell = cell[1:] if cell.startswith("'") else cell
    return re.sub(r"""([,;|\t\r\n"]\s*)'(?=[=+\-@'＝＋－＠])""", r"\1", cell)


def export_file(root: str = "", level: str = "lines") -> LinkedFile:
    return LinkedFile("export", "a1", "+33660000103", "B-1", root, level)


@given(ROWS)
def test_what_is_written_is_read_again(rows: list[list[str]]) -> None:
    assert [[without_guards(cell) for cell in row] for row in read_csv(encode_csv(rows))] == rows


@given(st.sampled_from(FORMULA_PREFIXES), CELLS)
def test_no_cell_begins_like_a_formula(first: str, rest: str) -> None:
    cell = escape_formula(first + rest)
    assert cell.startswith("'") or re.fullmatch(r"-[0-9]+([.,][0-9]+)?", cell)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_amounts_stay_numbers(amount: Decimal) -> None:
    assert escape_formula(str(amount)) == str(amount)


@pytest.mark.parametrize(
    "cell", ["+33660000103", "=cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "\t=1", "\r=1", "'x"]
)
def test_what_a_spreadsheet_might_run_is_text(cell: str) -> None:
    assert escape_formula(cell).startswith("'") and without_guards(escape_formula(cell)) == cell


def test_lines_end_as_the_standard_says() -> None:
    data = export_csv([(BILL, LINES)], export_file(), "EUR")
    assert data.count(b"\r\n") == data.count(b"\n") == 4
    assert data.startswith(b"bill,issued,centre,user,rubric,label,amount,currency\r\n")


def test_every_line_of_a_centre_is_there() -> None:
    head, first, credit, last = read_csv(export_csv([(BILL, LINES)], export_file(), "EUR"))
    assert tuple(head) == CSV_COLUMNS
    assert first == ["B-1", "2026-03-01", "CF-100-A", "'+33660000103", "subscriptions", "", "10.00", "EUR"]
    assert (credit[5:7], last[5]) == (["'=1+1", "-2.50"], 'a "b", c')


def test_totals_add_up_by_centre_and_rubric() -> None:
    rows = read_csv(export_csv([(BILL, LINES)], export_file(level="totals"), "EUR"))[1:]
    assert [(row[2], row[3], row[6]) for row in rows] == [("CF-100-A", "", "7.50"), ("CF-200-A", "", "22.50")]


def test_a_root_takes_its_own_centres_only() -> None:
    assert [line.centre for line in lines_to_export(LINES, export_file("CF-200"))] == ["CF-200-A"]
    assert lines_to_export(LINES, export_file("CF")) == []


def test_a_root_is_a_centre_without_its_last_part() -> None:
    assert [centre_root(centre) for centre in ("CF-100-A", "CF-100", "CF")] == ["CF-100", "CF", "CF"]


@given(CELLS, CELLS)
def test_a_file_is_named_by_its_link(account: str, bill: str) -> None:
    file = LinkedFile("pdf", account, "+33600000101", bill)
    assert parse_file_link(file.encode()) == file


def test_a_link_names_no_other_kind_of_file() -> None:
    with pytest.raises(ValueError, match="unknown kind of file"):
        parse_file_link('["etc","a","b","","",""]')


INNER_CELLS = (
    'x;=HYPERLINK("http://evil.example","Open")',
    "CF-100;=1+1-A",
    "a, +1|@SUM(1)",
    'say "=1+1"',
    "first\n=second",
    "\t tab\t-1",
    " =1",
    "x;'=1",
)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("cell", INNER_CELLS)
@pytest.mark.parametrize("csv_format", [RAW_FORMAT, CsvFormat(("head",), ";", ",")])
def test_no_cell_is_a_formula_whatever_separates(separator: str, cell: str, csv_format: CsvFormat) -> None:
    text = encode_csv([["1", cell, cell]], csv_format).decode()
    seen = [part for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for part in row]
    seen += re.split(r'[,;|\t\r\n"]', text)
    assert not [part for part in seen if part.strip(' "').startswith(tuple("=+-@"))]


@given(CELLS)
def test_guards_can_be_taken_off_again(cell: str) -> None:
    assert without_guards(escape_formula(cell)) == cell


@pytest.mark.parametrize(("language", "separator", "mark"), [("fr", ";", ","), ("en", ",", ".")])
def test_people_get_words_and_separators_of_their_language(language: str, separator: str, mark: str) -> None:
    menu = shipped_menu("bouygues")
    data = export_csv([(BILL, LINES)], export_file(), "EUR", local_format(menu, language))
    assert data.startswith(b"\xef\xbb\xbf")
    head, first, credit, _ = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator)
    assert first[6] == f"10{mark}00" and credit[6] == f"-2{mark}50"
    words = {name: menu.fill_text(f"page.{name}", language, "web", {}) for name in ("amount", "centre")}
    assert (head[6], head[2]) == (words["amount"], words["centre"])
    assert first[4] == menu.fill_text("page.rubric_subscriptions", language, "web", {}) != "subscriptions"


def test_amounts_are_rounded_for_people_and_exact_for_programs() -> None:
    menu = shipped_menu("bouygues")
    lines = [BillLine("options", "", Decimal("2.3456"), centre="CF-1")]
    assert b";2,35;" in export_csv([(BILL, lines)], export_file(), "EUR", local_format(menu, "fr"))
    raw = export_csv([(BILL, lines)], export_file(), "EUR")
    assert b",2.3456," in raw and raw.startswith(b"bill,")
