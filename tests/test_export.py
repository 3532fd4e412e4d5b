"""CSV export: a reader gets back what was written, and no cell is a formula."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.records import Bill, BillLine
from flows.selfcare.export import FORMULA, HEAD, guarded, kept, root, table, written
from flows.services.file_links import File, named

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


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def file(root: str = "", level: str = "lines") -> File:
    return File("export", "a1", "+33660000103", "B-1", root, level)


@given(ROWS)
def test_what_is_written_is_read_again(rows: list[list[str]]) -> None:
    assert [[bare(cell) for cell in row] for row in read(table(rows))] == rows


@given(st.sampled_from(FORMULA), CELLS)
def test_no_cell_begins_like_a_formula(first: str, rest: str) -> None:
    cell = guarded(first + rest)
    assert cell.startswith("'") or Decimal(cell) == Decimal(first + rest)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_amounts_stay_numbers(amount: Decimal) -> None:
    assert guarded(str(amount)) == str(amount)


@pytest.mark.parametrize(
    "cell", ["+33660000103", "=cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "\t=1", "\r=1", "'x"]
)
def test_what_a_spreadsheet_might_run_is_text(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


def test_lines_end_as_the_standard_says() -> None:
    data = written(BILL, LINES, file(), "EUR")
    assert data.count(b"\r\n") == data.count(b"\n") == 4
    assert data.startswith(b"bill,issued,centre,user,rubric,label,amount,currency\r\n")


def test_every_line_of_a_centre_is_there() -> None:
    head, first, credit, last = read(written(BILL, LINES, file(), "EUR"))
    assert tuple(head) == HEAD
    assert first == ["B-1", "2026-03-01", "CF-100-A", "'+33660000103", "subscriptions", "", "10.00", "EUR"]
    assert (credit[5:7], last[5]) == (["'=1+1", "-2.50"], 'a "b", c')


def test_totals_add_up_by_centre_and_rubric() -> None:
    rows = read(written(BILL, LINES, file(level="totals"), "EUR"))[1:]
    assert [(row[2], row[3], row[6]) for row in rows] == [("CF-100-A", "", "7.50"), ("CF-200-A", "", "22.50")]


def test_a_root_takes_its_own_centres_only() -> None:
    assert [line.centre for line in kept(LINES, file("CF-200"))] == ["CF-200-A"]
    assert kept(LINES, file("CF")) == []


def test_a_root_is_a_centre_without_its_last_part() -> None:
    assert [root(centre) for centre in ("CF-100-A", "CF-100", "CF")] == ["CF-100", "CF", "CF"]


@given(CELLS, CELLS)
def test_a_file_is_named_by_its_link(account: str, bill: str) -> None:
    file = File("pdf", account, "+33600000101", bill)
    assert named(file.text()) == file


def test_a_link_names_no_other_kind_of_file() -> None:
    with pytest.raises(ValueError, match="no such kind"):
        named('["etc","a","b","","",""]')
