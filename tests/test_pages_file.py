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

from flows.domain.records import Bill, Document
from flows.services.file_links import File
from gateway.pages.file_builder import Binder
from gateway.pages.page_request import Visit
from storage.demo.extras import ORIGINAL
from storage.privacy.data_map import Owner
from tests.pages import Browser, Seen, Street, pages, serving
from tests.world import Worlds

ATELIER, LUC = "+33660000103", "+33660000101"
FILE = "/bouygues/file"
SMS = "61064"


@pytest.fixture
async def bouygues_server(sandboxes: Worlds) -> AsyncIterator[Street]:
    async with sandboxes.open(operator="bouygues") as sandbox, serving(sandbox, pages(sandbox)) as page_server:
        yield page_server


async def asked(page_server: Street, words: str, caller: str = ATELIER) -> str:
    """Text a keyword that brings a link and return the link's token."""
    await page_server.phone.text(caller, SMS, words)
    return await page_server.link()


async def code(page_server: Street) -> str:
    found = re.search(r"\b\d{6}\b", (await page_server.sandbox.post.collect())[-1].body)
    assert found
    return found[0]


async def opened(page_server: Street, token: str) -> Seen:
    browser = page_server.browser()
    await browser.submit(FILE, link=token)
    return await browser.submit(FILE, code=await code(page_server))


async def intact(data: bytes) -> bool:
    signature = PdfFileReader(io.BytesIO(data)).embedded_signatures[0]
    context = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
    status = await async_validate_pdf_signature(signature, context)
    return bool(status.intact and status.valid)


async def test_B5_an_export_is_a_csv_file(bouygues_server: Street) -> None:
    seen = await opened(bouygues_server, await asked(bouygues_server, "EXPORT CSV"))
    rows = list(csv.DictReader(io.StringIO(seen.body.decode(), newline="")))
    assert seen.headers["Content-Type"] == "text/csv"
    assert {row["centre"] for row in rows} == {"CF-100-A", "CF-100-B", "CF-200-A"}
    assert sum(float(row["amount"]) for row in rows) == pytest.approx(412.60)


async def test_B4_a_root_takes_its_own_centres_only(bouygues_server: Street) -> None:
    seen = await opened(bouygues_server, await asked(bouygues_server, "EXPORT CSV CF-200"))
    rows = list(csv.DictReader(io.StringIO(seen.body.decode(), newline="")))
    assert {row["centre"] for row in rows} == {"CF-200-A"}
    assert {row["user"] for row in rows} == {"'+33660000123"}


async def test_B8_the_original_comes_byte_for_byte(bouygues_server: Street) -> None:
    seen = await opened(bouygues_server, await asked(bouygues_server, "CERTIFIEE"))
    assert seen.body == ORIGINAL.read_bytes()
    assert seen.headers["Content-Disposition"] == 'attachment; filename="BT-202603-0103.pdf"'


async def test_B9_the_signature_holds_and_a_changed_byte_breaks_it(bouygues_server: Street) -> None:
    data = (await opened(bouygues_server, await asked(bouygues_server, "CERTIFIEE"))).body
    spoiled = data[:80] + bytes([data[80] ^ 1]) + data[81:]
    assert await intact(data) and not await intact(spoiled)


async def test_B11_the_archive_holds_every_original(bouygues_server: Street) -> None:
    await bouygues_server.phone.text(ATELIER, SMS, "ARCHIVE")
    await bouygues_server.phone.press("2")
    archive = zipfile.ZipFile(io.BytesIO((await opened(bouygues_server, await bouygues_server.link())).body))
    assert archive.namelist() == ["BT-202603-0103.pdf", "BT-202602-0103.pdf"]
    assert {archive.read(name) for name in archive.namelist()} == {ORIGINAL.read_bytes()}
    assert {stat.filemode(member.external_attr >> 16) for member in archive.infolist()} == {"-rw-r--r--"}


class Hoard:
    """A backend with the given bill numbers that counts concurrent document requests."""

    def __init__(self, bill: Bill, numbers: Sequence[str]) -> None:
        self.found = [replace(bill, id=str(place), number=number) for place, number in enumerate(numbers)]
        self.under_way = self.most = 0

    async def bills(self, account: str, limit: int) -> Sequence[Bill]:
        return self.found[:limit]

    async def document(self, account: str, bill: str) -> Document:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return Document(bill.encode(), sha256(bill.encode()).hexdigest(), "PDF")


async def archived(bouygues_server: Street, numbers: Sequence[str]) -> tuple[Hoard, dict[str, bytes]]:
    """Return the archive of an account with such bills: names and contents."""
    people = bouygues_server.sandbox.house.conversations.people["bouygues"]
    account = (await people.world.billing.subscriber(ATELIER)).account
    [bill] = await people.world.billing.bills(account, 1)
    hoard = Hoard(bill, numbers)
    people.world = replace(people.world, billing=hoard)  # type: ignore[arg-type]
    visit = Visit(
        bouygues_server.sandbox.menu, people.world, FILE, "fr", ("fr",), asked=False, form_token="", sitting=""
    )
    data = (await Binder().sheet(visit, File("archive", account, ATELIER))).data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return hoard, {name: archive.read(name) for name in archive.namelist()}


async def test_an_archive_is_fetched_a_few_at_a_time(bouygues_server: Street) -> None:
    hoard, found = await archived(bouygues_server, [f"BT-{number}" for number in range(10)])
    assert hoard.most == 4
    assert found == {f"BT-{number}.pdf": str(number).encode() for number in range(10)}


async def test_no_name_in_an_archive_is_a_path_or_another_bills(bouygues_server: Street) -> None:
    _, found = await archived(bouygues_server, ["../../etc/cron", "a/b", "a-b", "C:\\x"])
    assert found == {"------etc-cron.pdf": b"0", "a-b.pdf": b"1", "a-b-2.pdf": b"2", "C--x.pdf": b"3"}


async def test_F6_a_bill_comes_as_a_document(bouygues_server: Street) -> None:
    seen = await opened(bouygues_server, await asked(bouygues_server, "PDF 02/26", LUC))
    assert seen.body.startswith(b"%PDF") and "BT-202602-0101" in seen.headers["Content-Disposition"]


async def test_the_link_alone_shows_no_name_and_no_amount(bouygues_server: Street) -> None:
    page = await bouygues_server.browser().submit(FILE, link=await asked(bouygues_server, "PDF 02/26", LUC))
    assert "06***101" in page.visible_text
    assert not re.search("Luc|Petit|34[,.]99|33660000101", page.text)


async def test_a_wrong_code_opens_nothing(bouygues_server: Street) -> None:
    browser, token = bouygues_server.browser(), await asked(bouygues_server, "PDF 02/26", LUC)
    await browser.submit(FILE, link=token)
    page = await browser.submit(FILE, code="000000")
    assert page.status == 200 and b"%PDF" not in page.body


async def test_a_code_for_one_file_opens_no_other_lines(bouygues_server: Street) -> None:
    mine, others = await asked(bouygues_server, "PDF 02/26", LUC), await asked(bouygues_server, "CERTIFIEE")
    first, second = bouygues_server.browser(), bouygues_server.browser()
    await first.submit(FILE, link=mine)
    known = await code(bouygues_server)
    await second.submit(FILE, link=others)
    assert b"%PDF" not in (await second.submit(FILE, code=known)).body


async def opens(page_server: Street, token: str) -> bool:
    page_server.sandbox.clock.wait(timedelta(minutes=30))
    browser: Browser = page_server.browser()
    page = await browser.submit(FILE, link=token)
    return page.status == 200 and (await browser.submit(FILE, code=await code(page_server))).body[:4] == b"%PDF"


async def test_a_link_opens_five_times(bouygues_server: Street) -> None:
    token = await asked(bouygues_server, "CERTIFIEE")
    assert [await opens(bouygues_server, token) for _ in range(6)] == [True] * 5 + [False]


async def test_a_link_lives_72_hours(bouygues_server: Street) -> None:
    token = await asked(bouygues_server, "CERTIFIEE")
    bouygues_server.sandbox.clock.wait(timedelta(hours=72))
    assert (await bouygues_server.browser().submit(FILE, link=token)).status == 404


async def test_every_downloaded_file_is_in_the_audit_trail(bouygues_server: Street) -> None:
    await opened(bouygues_server, await asked(bouygues_server, "CERTIFIEE"))
    house = bouygues_server.sandbox.house
    await house.notebook.flush()
    await house.audit.chain()
    assert (await house.audit.verify(bouygues_server.sandbox.clock())).faults == ()
    told = (await house.privacy.export(Owner("bouygues", ATELIER)))["audit"]
    assert [line["object"] for line in told if line["action"] == "web.file.original"] == ["BT-202603-0103"]
