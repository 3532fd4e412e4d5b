"""Protection of all pages: CSRF tokens, rate limit per address, strict headers, clear errors."""

import asyncio
import gzip
import random
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import (
    ADDRESS,
    ANA,
    BILL,
    CONFIRM,
    UNKNOWN_NUMBER,
    PageServer,
    build_pages,
    pages_of_two_operators,
    parse_strictly,
    serve_pages,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

FORM = "application/x-www-form-urlencoded"
PAGES = (BILL, ADDRESS, CONFIRM)
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'; img-src 'self'"
)


def has_strict_headers(headers: dict[str, str], cache: str = "no-store") -> bool:
    """Return whether a response carries every required header."""
    return (
        headers["Content-Security-Policy"] == POLICY
        and headers["Cache-Control"] == cache
        and headers["Referrer-Policy"] == "no-referrer"
        and headers["X-Content-Type-Options"] == "nosniff"
        and "camera=()" in headers["Permissions-Policy"]
    )


async def test_every_answer_carries_the_strict_headers(page_server: PageServer) -> None:
    browser = page_server.new_visitor()
    for path in (*PAGES, "/orange-ro/bill.pdf", f"{BILL}?lang=en", "/nobody-xx/bill", f"{BILL}?a=1&a=2"):
        assert has_strict_headers((await browser.get(path)).headers), path
    for fields in ({"link": "x"}, b"%ff"):
        assert has_strict_headers((await browser.post(CONFIRM, fields)).headers)
    got = await browser.submit(BILL, number=ANA, code=await page_server.request_code())
    assert has_strict_headers(got.headers) and has_strict_headers(
        (await browser.get("/orange-ro/bill.pdf")).headers
    )
    for name in ("style.css", "link.js", "icon.svg"):
        got = await browser.get(f"/orange-ro/{name}")
        assert got.status == 200 and has_strict_headers(got.headers, "public, max-age=3600")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"], ids=["missing", "empty", "wrong", "letters"])
async def test_a_form_that_is_not_ours_is_refused(
    page_server: PageServer, path: str, token: str | None
) -> None:
    browser, code = page_server.new_visitor(), await page_server.request_code()
    await browser.get(path)
    fields = {"number": ANA, "code": code, "link": "x"} | ({} if token is None else {"form_token": token})
    page = await browser.post(path, fields)
    assert page.status == 403 and "Încercați din nou" in page.visible_text
    parse_strictly(page)
    assert "79,90" in (await page_server.new_visitor().submit(BILL, number=ANA, code=code)).text


@pytest.mark.parametrize("path", PAGES)
async def test_a_token_is_bound_to_its_cookie_and_its_page(page_server: PageServer, path: str) -> None:
    mine, yours = page_server.new_visitor(), page_server.new_visitor()
    fields = (await mine.get(path)).hidden_fields
    await yours.get(path)
    assert (await yours.post(path, fields)).status == 403
    elsewhere = next(other for other in PAGES if other != path)
    assert (await mine.post(elsewhere, fields)).status == 403
    assert (await mine.post(path, fields)).status in (200, 404)


async def test_a_planted_cookie_validates_no_form(page_server: PageServer) -> None:
    browser = page_server.new_visitor()
    for planted in ("", "short", "x" * 65, "ä" * 20):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            headers = {"Cookie": f"form={planted}; bill={planted}"}
            async with session.post(
                page_server.url + BILL, data={"form_token": "0" * 64}, headers=headers
            ) as got:
                assert got.status == 403 and "form=" in got.headers["Set-Cookie"]
            async with session.get(page_server.url + BILL, headers=headers) as got:
                assert got.status == 200
    assert (await browser.submit(BILL, number=ANA, code="1")).status == 200


GARBAGE = [
    ("not utf-8", b"number=\xff\xfe", FORM, 400),
    ("broken escape", b"number=%ff", FORM, 400),
    ("repeated", b"number=1&number=2", FORM, 400),
    ("nul", b"number=%00", FORM, 400),
    ("lone surrogate", b"number=%ed%a0%80", FORM, 400),
    ("too many", b"&".join(b"f%d=1" % number for number in range(65)), FORM, 400),
    ("too long", b"code=" + b"1" * 4097, FORM, 400),
    ("too large", b"code=" + b"1" * 70_000, FORM, 413),
    ("json", b"{}", "application/json", 415),
    ("multipart", b"--x", "multipart/form-data", 415),
    ("utf-7", b"number=1", f"{FORM}; charset=utf-7", 415),
    ("no such charset", b"number=1", f"{FORM}; charset=u", 415),
    ("empty", b"", FORM, 403),
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("body", "kind", "status"), [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE]
)
async def test_garbage_gets_a_clear_answer(
    page_server: PageServer, path: str, body: bytes, kind: str, status: int
) -> None:
    got = await page_server.new_visitor().post(path, body, **{"Content-Type": kind})
    assert got.status == status and has_strict_headers(got.headers)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_T25_a_compressed_body_is_refused_unread(page_server: PageServer, encoding: str) -> None:
    for body in (b"junk", gzip.compress(b"0" * 1_000_000)):
        got = await page_server.new_visitor().post(
            BILL, body, **{"Content-Type": FORM, "Content-Encoding": encoding}
        )
        assert got.status == 415 and has_strict_headers(got.headers)


async def test_random_bodies_and_queries_never_break_a_page(page_server: PageServer) -> None:
    dice, browser = random.Random(11), page_server.new_visitor()
    for _ in range(150):
        path = dice.choice(PAGES)
        got = await browser.post(path, dice.randbytes(dice.randrange(80)), **{"Content-Type": FORM})
        assert 400 <= got.status < 500
        query = "".join(chr(dice.randrange(33, 127)) for _ in range(dice.randrange(40))).replace("#", "")
        wish = "".join(chr(dice.randrange(32, 127)) for _ in range(dice.randrange(60)))
        got = await browser.get(f"{path}?{query}", **{"Accept-Language": wish})
        assert got.status in (200, 400)


async def test_T17_a_client_address_gets_twenty_posts_a_minute(sandbox: GatewaySandbox) -> None:
    async with serve_pages(sandbox, build_pages(sandbox, posts_a_minute=20)) as page_server:
        browser, code = page_server.new_visitor(), await page_server.request_code()
        form = await browser.get(BILL)
        seen = [
            await browser.post(BILL, form.hidden_fields | {"number": UNKNOWN_NUMBER, "code": "1"})
            for _ in range(22)
        ]
        assert [page.status for page in seen] == [200] * 20 + [429] * 2
        assert "Așteptați un minut" in seen[-1].visible_text and seen[-1].headers["Retry-After"] == "60"
        parse_strictly(seen[-1])
        late = await browser.post(BILL, form.hidden_fields | {"number": ANA, "code": code})
        assert late.without_tokens == seen[-1].without_tokens


async def test_T11_client_addresses_are_counted_separately(sandbox: GatewaySandbox) -> None:
    def named(request: web.Request) -> str:
        return request.headers.get("X-Source", "")

    async with serve_pages(
        sandbox, replace(build_pages(sandbox, posts_a_minute=1), rate_limit_key=named)
    ) as page_server:
        browser = page_server.new_visitor()
        fields = (await browser.get(BILL)).hidden_fields
        told = [(await browser.post(BILL, fields, **{"X-Source": name})).status for name in "aabba"]
    assert told == [200, 429, 200, 429, 429]


async def test_a_stalled_body_times_out(page_server: PageServer) -> None:
    host, port = page_server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {BILL} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 99999\r\n\r\n".encode()
    )
    await writer.drain()
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("path", ["/orange-fr/bill", "/nobody/bill.pdf", "/hooks/confirm"])
async def test_an_operator_we_do_not_serve_has_no_pages(page_server: PageServer, path: str) -> None:
    assert (await page_server.new_visitor().get(path)).status == 404


async def test_T18_logins_and_links_are_worthless_at_another_operator(sandbox: GatewaySandbox) -> None:
    async with serve_pages(sandbox, pages_of_two_operators(sandbox)) as page_server:
        browser = page_server.new_visitor()
        assert "79,90" in (await browser.submit(BILL, number=ANA, code=await page_server.request_code())).text
        assert "79,90" not in (await browser.get("/twin/bill")).text
        assert "79,90" in (await browser.get(BILL)).text
        for path, token in (
            ("address", await page_server.request_address_link()),
            ("confirm", await page_server.request_email_link("a@x.test")),
        ):
            assert (await page_server.new_visitor().submit(f"/twin/{path}", link=token)).status == 404


async def test_nothing_of_a_visitor_is_logged(
    page_server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", "dialtree"):
        code, token = await page_server.request_code(), await page_server.request_address_link()
        browser = page_server.new_visitor()
        await browser.submit(BILL, number=UNKNOWN_NUMBER, code=code)
        await browser.submit(BILL, number=ANA, code=code)
        page_server.sandbox.faulty_billing.set_state("down")
        await browser.get(BILL)
        await page_server.new_visitor().submit(ADDRESS, link=token)
    told = repr([record.__dict__ for record in caplog.records if record.name == "dialtree.pages"])
    assert "pages.bill_opened" in told and "pages.request_failed" in told
    assert not any(secret in told for secret in (code, token, "740000101", "740000999"))


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [("/orange-ro", BILL), ("/orange-ro?lang=en", f"{BILL}?lang=en"), ("/orange-ro?lang=xx", BILL)],
)
async def test_an_operators_bare_address_leads_to_its_bill(
    page_server: PageServer, path: str, leads_to: str
) -> None:
    url = page_server.url + path
    async with page_server.new_visitor().session.get(url, allow_redirects=False) as page:
        assert (page.status, page.headers["Location"]) == (303, leads_to)
        assert has_strict_headers(dict(page.headers))


@pytest.mark.parametrize("path", ["/", "/nobody-xx", "/favicon.ico"])
async def test_a_stranger_is_not_told_which_operators_are_served(page_server: PageServer, path: str) -> None:
    page = await page_server.new_visitor().get(path)
    assert page.status == 404 and "orange" not in page.text.lower()


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_names_its_icon(page_server: PageServer, path: str) -> None:
    page = await page_server.new_visitor().get(path)
    assert '<link rel="icon" href="/orange-ro/icon.svg">' in page.text
