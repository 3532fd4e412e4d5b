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
    raw_paths: list[str] = field(default_factory=list)

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/file", self._serve_file)
        app.router.add_get("/signed/{tail:.+}", self._serve_file)
        app.router.add_get("/away", _redirect_away)
        app.router.add_post("/token", _serve_token)
        app.router.add_get("/{tail:.+}", self._serve_bill)
        return app

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.headers.get("Authorization", ""))
        self.raw_paths.append(request.raw_path)
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
        **dict.fromkeys(("timeout_seconds", "connect_seconds", "document_seconds"), 30.0),
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


SIGNED_PATHS = (
    "/signed/1?token=exp%3D1741600000~acl%3D%2Fbill%2F*~hmac%3Dab%2Fcd%2Bef",
    "/signed/%28march%29/a%7Eb.pdf?X-Sig=a%2fB%3d%3D&k=1+2%20",
    "/signed/bill(1)!*;v=1,2?a=b&a=b&=&x",
)


@pytest.mark.parametrize("host", ["", "{url}", "{listed}"])
@pytest.mark.parametrize("path", SIGNED_PATHS)
async def test_a_signed_url_is_requested_byte_for_byte(
    document_server: tuple[DocumentServer, str], billing: Billing, host: str, path: str
) -> None:
    kept, url = document_server
    place = host.format(url=url, listed=url.replace("127.0.0.1", "localhost"))
    kept.attachments = [{"url": f"{place}{path}", **PDF_ATTACHMENT}]
    assert (await billing.get_document(ACCOUNT, BILL)).data == PDF
    assert kept.raw_paths == [path]


async def test_what_no_url_may_contain_is_encoded(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attachments = [{"url": "/signed/relevé mars.pdf?a=%2F&b=é#page=2", **PDF_ATTACHMENT}]
    await billing.get_document(ACCOUNT, BILL)
    assert kept.raw_paths == ["/signed/relev%C3%A9%20mars.pdf?a=%2F&b=%C3%A9"]


ODD_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3
BASE64 = base64.b64encode(ODD_PDF).decode()


@pytest.mark.parametrize(
    "content",
    [
        base64.encodebytes(ODD_PDF).decode(),
        "\r\n".join(BASE64[at : at + 64] for at in range(0, len(BASE64), 64)),
        base64.urlsafe_b64encode(ODD_PDF).decode(),
        BASE64.rstrip("="),
        f"data:application/pdf;base64,{BASE64}",
        f"data:;name=bill.pdf;base64,{BASE64.replace('+', '%2B').replace('/', '%2F')}",
    ],
    ids=["lines of 76", "CRLF", "URL-safe", "no padding", "data URL", "escaped data URL"],
)
async def test_base64_is_read_in_any_usual_form(
    document_server: tuple[DocumentServer, str], billing: Billing, content: str
) -> None:
    kept, _ = document_server
    kept.attachments = [{"content": content, **PDF_ATTACHMENT}]
    assert (await billing.get_document(ACCOUNT, BILL)).data == ODD_PDF


async def test_an_embedded_document_is_read_to_its_own_limit(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    large = PDF + b" " * (MAX_FILE_BYTES - len(PDF))
    kept.attachments = [{"content": base64.encodebytes(large).decode(), **PDF_ATTACHMENT}]
    assert len((await billing.get_document(ACCOUNT, BILL)).data) == MAX_FILE_BYTES
    assert (await billing.get_bill(ACCOUNT, BILL)).id == BILL


@pytest.mark.parametrize(
    ("media_type", "data", "suffix"),
    [
        ("Application/PDF; name=bill.pdf", PDF, "pdf"),
        ("text/xml;charset=utf-8", b"<Invoice/>", "xml"),
        ("", PDF, "pdf"),
        (None, b"\xef\xbb\xbf<?xml version='1.0'?><Invoice/>", "xml"),
        ("application/octet-stream", b"\n<!DOCTYPE HTML><html></html>", "html"),
    ],
)
async def test_the_media_type_may_have_parameters_or_be_missing(
    document_server: tuple[DocumentServer, str],
    billing: Billing,
    media_type: str | None,
    data: bytes,
    suffix: str,
) -> None:
    kept, _ = document_server
    kept.attachments = [{"content": base64.b64encode(data).decode(), "mimeType": media_type}]
    found = await billing.get_document(ACCOUNT, BILL)
    assert (found.data, found.suffix) == (data, suffix)


async def test_what_begins_like_no_document_is_refused(
    document_server: tuple[DocumentServer, str], billing: Billing
) -> None:
    kept, _ = document_server
    kept.attachments = [{"content": base64.b64encode(b"PK\x03\x04 a zip").decode()}]
    with pytest.raises(Down):
        await billing.get_document(ACCOUNT, BILL)
