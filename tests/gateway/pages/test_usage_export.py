"""Exports of usage behind links, and all exports on the bill page."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from tests.gateway.pages.test_export_period import export_months
from tests.gateway.pages.test_file import bouygues_server as bouygues_server
from tests.gateway.pages.test_purchase_settings import PAGE, Settings, open_settings
from tests.support.page_client import PageResponse, PageServer, parse_strictly
from tests.support.page_client import sandboxes as sandboxes

ATELIER = "+33660000103"
RAW = "?format=raw"


def read_rows(seen: PageResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(seen.body.decode(), newline="")))


def centres(seen: PageResponse) -> set[str]:
    return {row["centre"] for row in read_rows(seen)}


async def test_B24_a_texted_keyword_brings_the_usage_of_every_line(bouygues_server: PageServer) -> None:
    seen = await export_months(bouygues_server, "", "", words="EXPORT CONSO")
    assert centres(seen) == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert {row["user"] for row in read_rows(seen)} == {f"'+336600001{each}3" for each in (0, 1, 2)}
    assert seen.headers["Content-Disposition"].endswith('"2026-03-02-2026-03-09-usage-CF.csv"')


async def test_B24_a_texted_root_takes_its_own_centres_only(bouygues_server: PageServer) -> None:
    assert centres(await export_months(bouygues_server, "", "", words="EXPORT CONSO CF-200")) == {"CF-200-A"}


async def test_B24_the_months_are_chosen_where_the_link_is_opened(bouygues_server: PageServer) -> None:
    march = await export_months(bouygues_server, "03/26", "", words="EXPORT CONSO")
    february = await export_months(bouygues_server, "02/26", "", words="EXPORT CONSO")
    assert len(read_rows(march)) == 6 and read_rows(february) == []


async def test_B24_usage_is_written_for_french_spreadsheets(bouygues_server: PageServer) -> None:
    seen = await export_months(bouygues_server, "", "", query="", words="EXPORT CONSO")
    rows = list(csv.DictReader(io.StringIO(seen.body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert {(row["Type"], row["Unité"]) for row in rows} == {("Appel", "min"), ("Internet", "Mo"), ("SMS", "")}
    assert any(row["Montant"] == "1,20" for row in rows)


async def export_from_page(page: Settings, chosen: str, query: str = RAW, **fields: str) -> PageResponse:
    given = {"period_from": "", "period_to": "", "export_root": "", **fields}
    token = {"form_token": page.page.hidden_fields["form_token"]}
    return await page.visitor.post(PAGE + query, token | given | {"export": chosen})


@pytest.fixture
async def page(bouygues_server: PageServer) -> AsyncIterator[Settings]:
    yield await open_settings(bouygues_server, ATELIER)


async def test_B24_usage_is_exported_from_the_page(page: Settings) -> None:
    assert "Consommation, totaux par centre" in page.page.visible_text
    parse_strictly(page.page)
    lines = await export_from_page(page, "usage lines")
    assert lines.headers["Content-Type"] == "text/csv" and len(read_rows(lines)) == 6
    one = await export_from_page(page, "usage totals", export_root="cf-200", period_from="03/26")
    assert centres(one) == {"CF-200-A"} and {row["date"] for row in read_rows(one)} == {"2026-03"}


async def test_B4_bills_are_exported_from_the_page(page: Settings) -> None:
    latest = read_rows(await export_from_page(page, "export lines"))
    assert {row["issued"] for row in latest} == {"2026-03-01"} and len(latest) == 6
    period = await export_from_page(page, "export totals", period_from="02/26", period_to="03/26")
    assert {row["issued"] for row in read_rows(period)} == {"2026-02-01", "2026-03-01"}
    french = await export_from_page(page, "export lines", query="")
    assert french.body.decode("utf-8-sig").startswith("Facture no;Émise le;")


async def test_months_that_are_no_period_and_roots_without_rows_say_so(page: Settings) -> None:
    wrong = await export_from_page(page, "usage lines", period_from="04/26", period_to="01/26")
    assert "deux mois dans l" in wrong.visible_text and wrong.status == 200
    parse_strictly(wrong)
    empty = await export_from_page(page, "usage lines", export_root="CF-900")
    assert "Rien à exporter" in empty.visible_text


@pytest.mark.parametrize("chosen", ["", "pdf lines", "usage", "usage everything", "export x"])
async def test_an_export_that_is_none_is_refused(page: Settings, chosen: str) -> None:
    assert (await export_from_page(page, chosen)).status == 400


async def test_without_a_login_nothing_is_exported(page: Settings) -> None:
    stranger = page.server.new_visitor()
    seen = await stranger.submit(PAGE, export="usage lines")
    assert seen.headers["Content-Type"].startswith("text/html") and "CF-100" not in seen.text
