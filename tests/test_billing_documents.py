"""Bill documents of a BSS: allowed hosts (SSRF), content types, and where our token is sent."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from aiohttp import web

from flows.domain.failures import Down, NotFound
from flows.domain.ports import Billing
from storage.billing._client.body_reader import MOST_FILE_BYTES
from storage.billing.backend import Remote, connect
from storage.sql.engine import connect as opened
from tests.bss import served, site

ACCOUNT, BILL, PDF = "40740000101", "B1", b"%PDF-1.7 what was signed"
KIND = {"mimeType": "application/pdf", "attachmentType": "PAdES"}


@dataclass(slots=True)
class Shelf:
    """A server with one bill and one file; it records who requested the file."""

    attached: list[dict[str, Any]] = field(default_factory=list)
    data: bytes = PDF
    kind: str = "application/pdf"
    asked: list[str] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/file", self._file)
        app.router.add_get("/away", _away)
        app.router.add_post("/token", _token)
        app.router.add_get("/{tail:.+}", self._bill)
        return app

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Authorization", ""))
        return web.Response(body=self.data, headers={"Content-Type": self.kind})

    async def _bill(self, request: web.Request) -> web.StreamResponse:
        bill = {"id": BILL, "state": "sent", "billDate": "2026-03-01", "paymentDueDate": "2026-03-15"}
        money = {"taxIncludedAmount": {"unit": "RON", "value": 79.9}}
        account = {"billingAccount": {"id": ACCOUNT}}
        return web.json_response({**bill, **money, **account, "billDocument": self.attached})


async def _away(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/file"})


async def _token(request: web.Request) -> web.StreamResponse:
    return web.json_response({"access_token": "ours"})


@pytest.fixture
async def document_server() -> AsyncIterator[tuple[Shelf, str]]:
    kept = Shelf()
    async with served(kept.app()) as url:
        yield kept, url


@pytest.fixture
async def billing(document_server: tuple[Shelf, str]) -> AsyncIterator[Billing]:
    _, url = document_server
    elsewhere = url.replace("http://127.0.0.1", "localhost")
    options = {
        "token_url": f"{url}/token",
        "client_id": "us",
        "client_secret": "x",
        "document_hosts": [elsewhere],
        "document_networks": ["127.0.0.0/8", "::1/128"],
    }
    backend = connect(f"tmf678+{url}", site(opened("sqlite://"), lambda: date(2026, 3, 10), options))
    assert isinstance(backend, Remote)
    yield backend
    await backend.close()


@pytest.mark.parametrize("where", ["/file", "{url}/file", "../../../file"])
async def test_a_document_at_the_bss_is_requested_with_our_token(
    document_server: tuple[Shelf, str], billing: Billing, where: str
) -> None:
    kept, url = document_server
    kept.attached = [{"url": where.format(url=url), **KIND}]
    found = await billing.document(ACCOUNT, BILL)
    assert (found.data, found.format, found.suffix, kept.asked) == (PDF, "PAdES", "pdf", ["Bearer ours"])


async def test_a_document_at_an_allowed_host_is_requested_without_our_token(
    document_server: tuple[Shelf, str], billing: Billing
) -> None:
    kept, url = document_server
    kept.attached = [{"url": url.replace("127.0.0.1", "localhost") + "/file?signature=s", **KIND}]
    assert (await billing.document(ACCOUNT, BILL)).data == PDF
    assert kept.asked == [""]


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:1/file",
        "http://169.254.169.254/latest/meta-data",
        "http://example.test/file",
        "http://us:x@localhost/file",
        "file:///etc/passwd",
        "//example.test/file",
        "http://[",
        "/away",
    ],
)
async def test_documents_at_other_hosts_are_not_requested(
    document_server: tuple[Shelf, str], billing: Billing, where: str
) -> None:
    kept, _ = document_server
    kept.attached = [{"url": where, **KIND}]
    with pytest.raises(Down) as told:
        await billing.document(ACCOUNT, BILL)
    assert kept.asked == [] and where not in str(told.value)


async def test_a_document_may_be_embedded_in_the_bill(
    document_server: tuple[Shelf, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attached = [{"content": base64.b64encode(PDF).decode(), **KIND}]
    assert (await billing.document(ACCOUNT, BILL)).data == PDF and kept.asked == []


async def test_of_several_attachments_the_pdf_is_the_document(
    document_server: tuple[Shelf, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attached = [{"url": "/x", "mimeType": "application/xml"}, {"url": "/file", **KIND}]
    assert (await billing.document(ACCOUNT, BILL)).data == PDF
    kept.attached = [{"id": "named but nowhere"}]
    with pytest.raises(NotFound):
        await billing.document(ACCOUNT, BILL)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/pdf", b"<html>sign in</html>"),
        ("application/pdf", b""),
        ("text/plain", PDF),
        ("image/png", PDF),
        ("application/pdf", PDF + b" " * MOST_FILE_BYTES),
    ],
)
async def test_other_content_types_are_refused(
    document_server: tuple[Shelf, str], billing: Billing, kind: str, data: bytes
) -> None:
    kept, _ = document_server
    kept.attached, kept.kind, kept.data = [{"url": "/file", **KIND}], kind, data
    with pytest.raises(Down):
        await billing.document(ACCOUNT, BILL)


async def test_without_a_content_type_the_bills_own_is_used(
    document_server: tuple[Shelf, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attached, kept.kind = [{"url": "/file", **KIND}], "application/octet-stream"
    assert (await billing.document(ACCOUNT, BILL)).suffix == "pdf"


@pytest.mark.parametrize("content", ["not base64!", "A" * (MOST_FILE_BYTES * 4 // 3 + 8)])
async def test_content_that_cannot_be_read_is_refused(
    document_server: tuple[Shelf, str], billing: Billing, content: str
) -> None:
    kept, _ = document_server
    kept.attached = [{"content": content, **KIND}]
    with pytest.raises(Down):
        await billing.document(ACCOUNT, BILL)
