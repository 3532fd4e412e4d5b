"""Exports over several bills: the months chosen on the page, in one file."""

import csv
import io
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from flows.selfcare.export_period import ExportPeriod, parse_period
from tests.gateway.pages.test_file import FILE_PATH, RAW, request_file_code, request_link
from tests.gateway.pages.test_file import bouygues_server as bouygues_server
from tests.support.page_client import PageResponse, PageServer

TODAY = date(2026, 3, 10)


async def export_months(
    server: PageServer, first: str, last: str, query: str = RAW, words: str = "EXPORT CSV"
) -> PageResponse:
    """Open the link of an export with its code and these months."""
    server.sandbox.clock.advance(timedelta(seconds=31))
    token, browser = await request_link(server, words), server.new_visitor()
    await browser.submit(FILE_PATH + query, link=token)
    code = await request_file_code(server)
    return await browser.submit(FILE_PATH + query, code=code, period_from=first, period_to=last)


def sums_by_bill(seen: PageResponse) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(seen.body.decode(), newline="")):
        sums[row["issued"][:7]] += Decimal(row["amount"])
    return dict(sums)


async def test_B23_several_bills_of_a_period_come_in_one_export(bouygues_server: PageServer) -> None:
    seen = await export_months(bouygues_server, "01/26", "03/26")
    assert list(sums_by_bill(seen)) == ["2026-02", "2026-03"]
    assert sums_by_bill(seen)["2026-03"] == Decimal("412.60")
    assert 'filename="2026-01-2026-03-CF.csv"' in seen.headers["Content-Disposition"]


async def test_B4_sums_of_a_period_are_per_bill(bouygues_server: PageServer) -> None:
    every = await export_months(bouygues_server, "0226", "0326")
    root = await export_months(bouygues_server, "0226", "0326", words="EXPORT CSV CF-200")
    assert sums_by_bill(root).keys() == sums_by_bill(every).keys()
    assert all(sums_by_bill(root)[month] < amount for month, amount in sums_by_bill(every).items())


async def test_B23_one_month_named_is_that_month(bouygues_server: PageServer) -> None:
    assert list(sums_by_bill(await export_months(bouygues_server, "", "02/26"))) == ["2026-02"]


async def test_B23_no_bill_newer_than_the_one_published_is_in_it(bouygues_server: PageServer) -> None:
    assert max(sums_by_bill(await export_months(bouygues_server, "03/26", "12/27"))) == "2026-03"


async def test_B23_months_that_are_no_period_use_up_no_code(bouygues_server: PageServer) -> None:
    token, browser = await request_link(bouygues_server, "EXPORT CSV"), bouygues_server.new_visitor()
    await browser.submit(FILE_PATH + RAW, link=token)
    code = await request_file_code(bouygues_server)
    wrong = await browser.submit(FILE_PATH + RAW, code=code, period_from="03/26", period_to="01/26")
    assert "deux mois dans l" in wrong.text
    right = await browser.submit(FILE_PATH + RAW, code=code, period_from="01/26", period_to="03/26")
    assert len(sums_by_bill(right)) == 2


async def test_B5_a_period_is_written_for_french_spreadsheets(bouygues_server: PageServer) -> None:
    seen = await export_months(bouygues_server, "01/26", "03/26", query="")
    rows = list(csv.DictReader(io.StringIO(seen.body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert {next(iter(row.values())) for row in rows} == {"BT-202602-0103", "BT-202603-0103"}
    assert all("," in row["Montant"] for row in rows)


@pytest.mark.parametrize(
    ("first", "last", "period"),
    [
        ("", "", None),
        ("0126", "", ExportPeriod((2026, 1), (2026, 1))),
        ("12/2025", "02/26", ExportPeriod((2025, 12), (2026, 2))),
        ("٠١/٢٦", "03/26", ExportPeriod((2026, 1), (2026, 3))),
    ],
)
def test_a_period_is_read_as_people_type_it(first: str, last: str, period: ExportPeriod | None) -> None:
    assert parse_period(first, last, TODAY) == period


@pytest.mark.parametrize(("first", "last"), [("13/26", ""), ("x", "03/26"), ("04/26", "03/26")])
def test_what_is_no_period_is_an_error(first: str, last: str) -> None:
    with pytest.raises(ValueError, match="not two months"):
        parse_period(first, last, TODAY)
