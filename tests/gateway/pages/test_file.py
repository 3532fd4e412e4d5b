"""Files behind links: opened by a separately sent code, five times in 72 hours, byte for byte."""

import asyncio
import csv
import io
import re
import stat
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

from flows.domain.records import Bill, BillDocument
from flows.services.file_links import LinkedFile
from gateway.http.html_templates import HtmlTemplates
from gateway.pages.file_builder import FileBuilder
from gateway.pages.page_request import PageRequest
from gateway.pages.routes import TEMPLATE_FOLDER
from storage.demo.extras import SIGNED_SPECIMEN
from storage.privacy.data_map import DataSubject
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import PageResponse, PageServer, PageVisitor, build_pages, serve_pages

ATELIER, LUC = "+33660000103", "+33660000101"
FILE_PATH = "/bouygues/file"
SMS_NUMBER = "61064"
RAW = "?format=raw"


@pytest.fixture
async def bouygues_server(sandboxes: SandboxFactory) -> AsyncIterator[PageServer]:
    async with (
        sandboxes.open(operator="bouygues") as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as page_server,
    ):
        yield page_server


async def request_link(page_server: PageServer, words: str, caller: str = ATELIER) -> str:
    """Text a keyword that brings a link and return the link's token."""
    await page_server.phone.send_text(caller, SMS_NUMBER, words)
    return await page_server.latest_link_token()


async def request_file_code(page_server: PageServer) -> str:
    found = re.search(r"\b\d{6}\b", (await page_server.sandbox.messages.collect_new())[-1].body)
    assert found
    return found[0]


async def open_file(page_server: PageServer, token: str, query: str = "") -> PageResponse:
    browser = page_server.new_visitor()
    await browser.submit(FILE_PATH + query, link=token)
    return await browser.submit(FILE_PATH + query, code=await request_file_code(page_server))


async def is_signature_intact(data: bytes) -> bool:
    signature = PdfFileReader(io.BytesIO(data)).embedded_signatures[0]
    context = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
    status = await async_validate_pdf_signature(signature, context)
    return bool(status.intact and status.valid)


async def test_B5_an_export_is_a_csv_file(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "EXPORT CSV"), RAW)
    rows = list(csv.DictReader(io.StringIO(seen.body.decode(), newline="")))
    assert seen.headers["Content-Type"] == "text/csv"
    assert {row["centre"] for row in rows} == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert sum(float(row["amount"]) for row in rows) == pytest.approx(412.60)


async def test_B5_an_export_opens_in_a_french_spreadsheet(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "EXPORT CSV"))
    assert seen.body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(seen.body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert {row["Centre de facturation"] for row in rows} == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert sum(float(row["Montant"].replace(",", ".")) for row in rows) == pytest.approx(412.60)


async def test_B4_a_root_takes_its_own_centres_only(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "EXPORT CSV CF-200"), RAW)
    rows = list(csv.DictReader(io.StringIO(seen.body.decode(), newline="")))
    assert {row["centre"] for row in rows} == {"CF-200-A"}
    assert {row["user"] for row in rows} == {"'+33660000123"}


async def test_B8_the_original_comes_byte_for_byte(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "CERTIFIEE"))
    assert seen.body == SIGNED_SPECIMEN.read_bytes()
    assert seen.headers["Content-Disposition"] == 'attachment; filename="BT-202603-0103.pdf"'


async def test_B9_the_signature_holds_and_a_changed_byte_breaks_it(bouygues_server: PageServer) -> None:
    data = (await open_file(bouygues_server, await request_link(bouygues_server, "CERTIFIEE"))).body
    spoiled = data[:80] + bytes([data[80] ^ 1]) + data[81:]
    assert await is_signature_intact(data) and not await is_signature_intact(spoiled)


async def test_B11_the_archive_holds_every_original(bouygues_server: PageServer) -> None:
    await bouygues_server.phone.send_text(ATELIER, SMS_NUMBER, "ARCHIVE")
    await bouygues_server.phone.press("2")
    archive = zipfile.ZipFile(
        io.BytesIO((await open_file(bouygues_server, await bouygues_server.latest_link_token())).body)
    )
    assert archive.namelist() == ["BT-202603-0103.pdf", "BT-202602-0103.pdf"]
    assert {archive.read(name) for name in archive.namelist()} == {SIGNED_SPECIMEN.read_bytes()}
    assert {stat.filemode(member.external_attr >> 16) for member in archive.infolist()} == {"-rw-r--r--"}


class ManyBillsBilling:
    """A backend with the given bill numbers that counts concurrent document requests."""

    def __init__(self, bill: Bill, numbers: Sequence[str]) -> None:
        self.found = [replace(bill, id=str(place), number=number) for place, number in enumerate(numbers)]
        self.under_way = self.most = 0

    async def list_bills(self, account: str, limit: int) -> Sequence[Bill]:
        return self.found[:limit]

    async def get_document(self, account: str, bill: str) -> BillDocument:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return BillDocument(bill.encode(), sha256(bill.encode()).hexdigest(), "PDF")


async def fetch_archive(
    bouygues_server: PageServer, numbers: Sequence[str]
) -> tuple[ManyBillsBilling, dict[str, bytes]]:
    """Return the archive of an account with such bills: names and contents."""
    ports = bouygues_server.sandbox.container.operators["bouygues"]
    account = (await ports.billing.get_subscriber(ATELIER)).account
    [bill] = await ports.billing.list_bills(account, 1)
    hoard = ManyBillsBilling(bill, numbers)
    ports.billing = hoard  # type: ignore[assignment]
    visit = PageRequest(
        bouygues_server.sandbox.menu,
        ports,
        HtmlTemplates(TEMPLATE_FOLDER),
        FILE_PATH,
        "fr",
        ("fr",),
        language_requested=False,
        form_token="",
        login_token="",
    )
    data = (await FileBuilder().build_file(visit, LinkedFile("archive", account, ATELIER))).data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return hoard, {name: archive.read(name) for name in archive.namelist()}


async def test_an_archive_is_fetched_a_few_at_a_time(bouygues_server: PageServer) -> None:
    hoard, found = await fetch_archive(bouygues_server, [f"BT-{number}" for number in range(10)])
    assert hoard.most == 4
    assert found == {f"BT-{number}.pdf": str(number).encode() for number in range(10)}


async def test_no_name_in_an_archive_is_a_path_or_another_bills(bouygues_server: PageServer) -> None:
    _, found = await fetch_archive(bouygues_server, ["../../etc/cron", "a/b", "a-b", "C:\\x"])
    assert found == {"------etc-cron.pdf": b"0", "a-b.pdf": b"1", "a-b-2.pdf": b"2", "C--x.pdf": b"3"}


@pytest.mark.parametrize("numbers", [["A", "A-2", "A"], ["A-2", "A", "A", "A"], ["a", "A", "a-2"], ["é", "è"]])
async def test_no_file_of_an_archive_overwrites_another(
    bouygues_server: PageServer, numbers: list[str]
) -> None:
    _, found = await fetch_archive(bouygues_server, numbers)
    assert len({name.casefold() for name in found}) == len(numbers)
    assert sorted(found.values()) == [str(place).encode() for place in range(len(numbers))]


async def test_F10_a_duplicate_of_an_issuers_document_is_that_document(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_duplicate(bouygues_server, ATELIER))
    assert seen.body == SIGNED_SPECIMEN.read_bytes()
    assert 'filename="DUPLICATA-BT-202602-0103.pdf"' in seen.headers["Content-Disposition"]


async def request_duplicate(page_server: PageServer, caller: str) -> str:
    """Ask for a duplicate of February by SMS and return the link's token."""
    await page_server.phone.send_text(caller, SMS_NUMBER, "DUPLICATA 02/26")
    await page_server.phone.press("2")
    return await page_server.latest_link_token()


async def test_F10_a_sheet_of_ours_says_that_it_is_a_duplicate_and_no_bill(
    bouygues_server: PageServer,
) -> None:
    seen = await open_file(bouygues_server, await request_duplicate(bouygues_server, LUC))
    text = PdfReader(io.BytesIO(seen.body)).pages[0].extract_text()
    for words in ("DUPLICATA", "sans valeur fiscale", "BT-202602-0101", "Période 02/2026", "hors TVA", "TVA"):
        assert words in text
    assert "Émetteur Bouygues" in text and "N° de client ***" in text and "Dernière facture" not in text


async def test_M12_the_issuers_document_comes_before_our_own_sheet(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "PDF 02/26", ATELIER))
    assert seen.body == SIGNED_SPECIMEN.read_bytes()
    ours = await open_file(bouygues_server, await request_link(bouygues_server, "PDF 02/26", LUC))
    assert "sans valeur fiscale" in PdfReader(io.BytesIO(ours.body)).pages[0].extract_text()


async def test_F6_a_bill_comes_as_a_document(bouygues_server: PageServer) -> None:
    seen = await open_file(bouygues_server, await request_link(bouygues_server, "PDF 02/26", LUC))
    assert seen.body.startswith(b"%PDF") and "BT-202602-0101" in seen.headers["Content-Disposition"]


async def test_the_link_alone_shows_no_name_and_no_amount(bouygues_server: PageServer) -> None:
    page = await bouygues_server.new_visitor().submit(
        FILE_PATH, link=await request_link(bouygues_server, "PDF 02/26", LUC)
    )
    assert "06***101" in page.visible_text
    assert not re.search("Luc|Petit|34[,.]99|33660000101", page.text)


async def test_a_wrong_code_opens_nothing(bouygues_server: PageServer) -> None:
    browser, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    await browser.submit(FILE_PATH, link=token)
    page = await browser.submit(FILE_PATH, code="000000")
    assert page.status == 200 and b"%PDF" not in page.body
    assert "Le code est faux ou n'est plus valable" in page.visible_text


async def test_the_page_says_that_a_code_was_sent_only_when_one_was(bouygues_server: PageServer) -> None:
    browser, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    page = await browser.submit(FILE_PATH, link=token)
    assert "Un code est envoyé par SMS" in page.visible_text and "Recevoir un autre code" in page.visible_text
    first = await request_file_code(bouygues_server)
    soon = await browser.submit(FILE_PATH, resend="1")
    assert "Aucun code" in soon.visible_text and "dans 1 min" in soon.visible_text
    assert (
        "Un code est envoyé" not in soon.visible_text
        and not await bouygues_server.sandbox.messages.collect_new()
    )
    assert (await browser.submit(FILE_PATH, code=first)).body.startswith(b"%PDF")


async def test_another_code_is_sent_after_half_a_minute_and_the_hours_limit_is_told(
    bouygues_server: PageServer,
) -> None:
    browser, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    await browser.submit(FILE_PATH, link=token)
    for _ in range(9):
        bouygues_server.sandbox.clock.advance(timedelta(seconds=30))
        assert "Un code est envoyé" in (await browser.submit(FILE_PATH, resend="1")).visible_text
    code = await request_file_code(bouygues_server)
    bouygues_server.sandbox.clock.advance(timedelta(seconds=30))
    assert "dans 55 min" in (await browser.submit(FILE_PATH, resend="1")).visible_text
    assert (await browser.submit(FILE_PATH, code=code)).body.startswith(b"%PDF")


async def test_a_code_for_one_file_opens_no_other_lines(bouygues_server: PageServer) -> None:
    mine, others = (
        await request_link(bouygues_server, "PDF 02/26", LUC),
        await request_link(bouygues_server, "CERTIFIEE"),
    )
    first, second = bouygues_server.new_visitor(), bouygues_server.new_visitor()
    await first.submit(FILE_PATH, link=mine)
    known = await request_file_code(bouygues_server)
    await second.submit(FILE_PATH, link=others)
    assert b"%PDF" not in (await second.submit(FILE_PATH, code=known)).body


async def can_open(page_server: PageServer, token: str) -> bool:
    page_server.sandbox.clock.advance(timedelta(minutes=30))
    browser: PageVisitor = page_server.new_visitor()
    page = await browser.submit(FILE_PATH, link=token)
    return (
        page.status == 200
        and (await browser.submit(FILE_PATH, code=await request_file_code(page_server))).body[:4] == b"%PDF"
    )


async def test_a_link_opens_five_times(bouygues_server: PageServer) -> None:
    token = await request_link(bouygues_server, "CERTIFIEE")
    assert [await can_open(bouygues_server, token) for _ in range(6)] == [True] * 5 + [False]


async def test_a_link_lives_72_hours(bouygues_server: PageServer) -> None:
    token = await request_link(bouygues_server, "CERTIFIEE")
    bouygues_server.sandbox.clock.advance(timedelta(hours=72))
    assert (await bouygues_server.new_visitor().submit(FILE_PATH, link=token)).status == 404


async def test_every_downloaded_file_is_in_the_audit_trail(bouygues_server: PageServer) -> None:
    await open_file(bouygues_server, await request_link(bouygues_server, "CERTIFIEE"))
    house = bouygues_server.sandbox.container
    await house.write_behind.flush()
    await house.audit.chain_entries()
    assert (await house.audit.verify_chain(bouygues_server.sandbox.clock())).faults == ()
    told = (await house.privacy.export(DataSubject("bouygues", ATELIER)))["audit"]
    assert [line["object"] for line in told if line["action"] == "web.file.original"] == ["BT-202603-0103"]
