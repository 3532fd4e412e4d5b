"""Files that take longer than a page may: built beside the request, collected with one code."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

import pytest

from flows.domain.failures import Down
from flows.domain.ports import Billing
from flows.domain.records import BillDocument
from storage.demo.extras import SIGNED_SPECIMEN
from tests.gateway.pages.test_file import ATELIER, FILE_PATH, SMS_NUMBER, request_file_code, request_link
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import PageResponse, PageServer, PageVisitor, build_pages, serve_pages


@dataclass(slots=True)
class SlowDocuments:
    """A backend whose documents arrive when the test opens the gate; everything else is the inner one's."""

    inner: Billing
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    calls: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def close_gate(self) -> None:
        """Make documents wait from now on, and count them from zero."""
        self.gate.clear()
        self.calls = 0

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        self.calls += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return await self.inner.get_document(account, bill_id)


@pytest.fixture
async def slow_server(sandboxes: SandboxFactory) -> AsyncIterator[tuple[PageServer, SlowDocuments]]:
    """Provide pages that wait for no file, over a backend with slow documents."""
    async with sandboxes.open(operator="bouygues") as sandbox:
        ports = sandbox.container.operators["bouygues"]
        slow = SlowDocuments(ports.billing)
        slow.gate.set()
        ports.billing = cast(Billing, slow)
        pages = replace(build_pages(sandbox), file_wait_seconds=0)
        async with serve_pages(sandbox, pages) as page_server:
            yield page_server, slow


async def collect_file(browser: PageVisitor) -> PageResponse:
    """Press the button of the page that says "being prepared" until there is something else."""
    for _ in range(100):
        page = await browser.submit(FILE_PATH)
        if page.status != 202:
            return page
    raise AssertionError("the file never became ready")


async def test_a_slow_archive_is_built_beside_the_page_and_collected_with_one_code(
    slow_server: tuple[PageServer, SlowDocuments],
) -> None:
    page_server, slow = slow_server
    await page_server.phone.send_text(ATELIER, SMS_NUMBER, "ARCHIVE")
    await page_server.phone.press("2")
    browser, token = page_server.new_visitor(), await page_server.latest_link_token()
    slow.close_gate()
    await browser.submit(FILE_PATH, link=token)
    page = await browser.submit(FILE_PATH, code=await request_file_code(page_server))
    assert page.status == 202 and "en préparation" in page.visible_text and token not in page.text
    assert page.headers["Retry-After"] == "10" and (await browser.submit(FILE_PATH)).status == 202
    slow.gate.set()
    archive = zipfile.ZipFile(io.BytesIO((await collect_file(browser)).body))
    assert archive.namelist() == ["BT-202603-0103.pdf", "BT-202602-0103.pdf"] and slow.calls == 2


async def test_another_visitor_cannot_collect_a_file_without_the_code(
    slow_server: tuple[PageServer, SlowDocuments],
) -> None:
    page_server, slow = slow_server
    mine, other = page_server.new_visitor(), page_server.new_visitor()
    token = await request_link(page_server, "CERTIFIEE")
    slow.close_gate()
    await mine.submit(FILE_PATH, link=token)
    page = await mine.submit(FILE_PATH, code=await request_file_code(page_server))
    ticket = page.hidden_fields["ticket"]
    slow.gate.set()
    await other.submit(FILE_PATH, link=token)
    assert b"%PDF" not in (await other.submit(FILE_PATH, ticket=ticket)).body
    page_server.sandbox.clock.advance(timedelta(minutes=5))
    assert b"%PDF" not in (await mine.submit(FILE_PATH)).body


async def test_a_failed_job_is_an_outage_and_the_next_try_starts_another(
    slow_server: tuple[PageServer, SlowDocuments],
) -> None:
    page_server, slow = slow_server
    browser, token = page_server.new_visitor(), await request_link(page_server, "CERTIFIEE")
    slow.close_gate()
    slow.error = Down("the documents are away")
    await browser.submit(FILE_PATH, link=token)
    first = await browser.submit(FILE_PATH, code=await request_file_code(page_server))
    slow.gate.set()
    assert (await collect_file(browser)).status == 503
    slow.error, browser.last_response = None, first
    assert (await collect_file(browser)).body == SIGNED_SPECIMEN.read_bytes()
