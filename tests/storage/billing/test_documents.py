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
from storage.billing._client.body_reader import MAX_FILE_BYTES
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import backend_site, serve_bss_app

ACCOUNT, BILL, PDF = "40740000101", "B1", b"%PDF-1.7 what was signed"
PDF_ATTACHMENT = {"mimeType": "application/pdf", "attachmentType": "PAdES"}


@dataclass(slots=True)
class DocumentServer:
    """A server with one bill and one file; it records who requested the file."""

    attachments: list[dict[str, Any]] = field(default_factory=list)
    file_bytes: bytes = PDF
    content_type: str = "application/pdf"
    requests: list[str] = field(default_factory=list)

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/file", self._serve_file)
        app.router.add_get("/away", _redirect_away)
        app.router.add_post("/token", _serve_token)
        app.router.add_get("/{tail:.+}", self._serve_bill)
        return app

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.headers.get("Authorization", ""))
        return web.Response(body=self.file_bytes, headers={"Content-Type": self.content_type})

    async def _serve_bill(self, request: web.Request) -> web.StreamResponse:
        bill = {"id": BILL, "state": "sent", "billDate": "2026-03-01", "paymentDueDate": "2026-03-15"}
        money = {"taxIncludedAmount": {"unit": "RON", "value": 79.9}}
        account = {"billingAccount": {"id": ACCOUNT}}
        return web.json_response({**bill, **money, **account, "billDocument": self.attachments})


async def _redirect_away(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/file"})


async def _serve_token(request: web.Request) -> web.StreamResponse:
    return web.json_response({"access_token": "ours"})


@pytest.fixture
async def document_server() -> AsyncIterator[tuple[DocumentServer, str]]:
    kept = DocumentServer()
    async with serve_bss_app(kept.build_app()) as url:
        yield kept, url


@pytest.fixture
async def billing(document_server: tuple[DocumentServer, str]) -> AsyncIterator[Billing]:
    _, url = document_server
    elsewhere = url.replace("http://127.0.0.1", "localhost")
    options = {
        "token_url": f"{url}/token",
        "client_id": "us",
        "client_secret": "x",
        "document_hosts": [elsewhere],
        "document_networks": ["127.0.0.0/8", "::1/128"],
    }
    backend = connect_backend(
        f"tmf678+{url}", backend_site(opened("sqlite://"), lambda: date(2026, 3, 10), options)
    )
    assert isinstance(backend, RemoteBilling)
    yield backend
    await backend.close()


@pytest.mark.parametrize("where", ["/file", "{url}/file", "../../../file"])
async def test_a_document_at_the_bss_is_requested_with_our_token(
    document_server: tuple[DocumentServer, str], billing: Billing, where: str
) -> None:
    kept, url = document_server
    kept.attachments = [{"url": where.format(url=url), **PDF_ATTACHMENT}]
    found = await billing.get_document(ACCOUNT, BILL)
    assert (found.data, found.format, found.suffix, kept.requests) == (PDF, "PAdES", "pdf", ["Bearer ours"])


async def test_a_document_at_an_allowed_host_is_requested_without_our_token(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, url = document_server
    kept.attachments = [{"url": url.replace("127.0.0.1", "localhost") + "/file?signature=s", **PDF_ATTACHMENT}]
    assert (await billing.get_document(ACCOUNT, BILL)).data == PDF
    assert kept.requests == [""]


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
    document_server: tuple[DocumentServer, str], billing: Billing, where: str
) -> None:
    kept, _ = document_server
    kept.attachments = [{"url": where, **PDF_ATTACHMENT}]
    with pytest.raises(Down) as told:
        await billing.get_document(ACCOUNT, BILL)
    assert kept.requests == [] and where not in str(told.value)


async def test_a_document_may_be_embedded_in_the_bill(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attachments = [{"content": base64.b64encode(PDF).decode(), **PDF_ATTACHMENT}]
    assert (await billing.get_document(ACCOUNT, BILL)).data == PDF and kept.requests == []


async def test_of_several_attachments_the_pdf_is_the_document(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attachments = [{"url": "/x", "mimeType": "application/xml"}, {"url": "/file", **PDF_ATTACHMENT}]
    assert (await billing.get_document(ACCOUNT, BILL)).data == PDF
    kept.attachments = [{"id": "named but nowhere"}]
    with pytest.raises(NotFound):
        await billing.get_document(ACCOUNT, BILL)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/pdf", b"<html>sign in</html>"),
        ("application/pdf", b""),
        ("text/plain", PDF),
        ("image/png", PDF),
        ("application/pdf", PDF + b" " * MAX_FILE_BYTES),
    ],
)
async def test_other_content_types_are_refused(
    document_server: tuple[DocumentServer, str], billing: Billing, kind: str, data: bytes
) -> None:
    kept, _ = document_server
    kept.attachments, kept.content_type, kept.file_bytes = [{"url": "/file", **PDF_ATTACHMENT}], kind, data
    with pytest.raises(Down):
        await billing.get_document(ACCOUNT, BILL)


async def test_without_a_content_type_the_bills_own_is_used(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attachments, kept.content_type = [{"url": "/file", **PDF_ATTACHMENT}], "application/octet-stream"
    assert (await billing.get_document(ACCOUNT, BILL)).suffix == "pdf"


@pytest.mark.parametrize("content", ["not base64!", "A" * (MAX_FILE_BYTES * 4 // 3 + 8)])
async def test_content_that_cannot_be_read_is_refused(
    document_server: tuple[DocumentServer, str], billing: Billing, content: str
) -> None:
    kept, _ = document_server
    kept.attachments = [{"content": content, **PDF_ATTACHMENT}]
    with pytest.raises(Down):
        await billing.get_document(ACCOUNT, BILL)
