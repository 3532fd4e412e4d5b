"""The bill page: the 477 journey from the password to the PDF, and every refusal."""

from datetime import timedelta
from functools import partial
from io import BytesIO

import aiohttp
import pytest
from pypdf import PdfReader
from sqlalchemy import Connection

from tests.support.databases import dump_table
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import (
    ANA,
    BARBU,
    BILL,
    NEWCOMER,
    UNKNOWN_NUMBER,
    PageResponse,
    PageServer,
    PageVisitor,
    build_pages,
    parse_strictly,
    serve_pages,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

NATIONAL = "0740000101"
REFUSAL_TEXT = "Numărul sau codul nu este bun"


async def visitor_with_bill(
    page_server: PageServer, caller: str = ANA, number: str = ""
) -> tuple[PageVisitor, PageResponse]:
    """Return a visitor with a caller's bill open."""
    browser = page_server.new_visitor()
    return browser, await browser.submit(
        BILL, number=number or caller, code=await page_server.request_code(caller)
    )


async def test_R6_latest_bill_only_with_number_and_code(page_server: PageServer) -> None:
    _browser, page = await visitor_with_bill(page_server)
    assert page.status == 200 and "79,90 lei" in page.visible_text and "ORO-202603-0101" in page.visible_text
    assert "65,00" not in page.visible_text and "ORO-202602" not in page.text
    assert "07***101" in page.visible_text
    assert "740000101" not in page.text and "Ionescu" not in page.text
    assert "Abonament 63,92 lei" in page.visible_text and "Convorbiri 15,98 lei" in page.visible_text
    parse_strictly(page)


async def test_B6_what_no_line_explains_is_a_row_and_the_rows_add_up_to_the_bill(
    page_server: PageServer, sandbox: GatewaySandbox
) -> None:
    bill = "operator = 'orange-ro' AND bill = 'ORO-202603-0101'"
    for change in (
        f"DELETE FROM billing_lines WHERE {bill} AND rubric = 'subscriptions'",
        f"UPDATE billing_lines SET rubric = 'roaming' WHERE {bill}",
    ):
        await sandbox.container.database.write(partial(_run_statement, change))
    _browser, page = await visitor_with_bill(page_server)
    assert "Roaming 15,98 lei" in page.visible_text and "Altele 63,92 lei" in page.visible_text


def _run_statement(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


async def test_R2_the_document_says_what_the_page_says(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server)
    got = await browser.get("/orange-ro/bill.pdf")
    assert got.headers["Content-Type"] == "application/pdf" and got.body.startswith(b"%PDF")
    assert got.headers["Content-Disposition"] == 'attachment; filename="ORO-202603-0101.pdf"'
    text = PdfReader(BytesIO(got.body)).pages[0].extract_text().replace("\xa0", " ")
    assert "79,90 lei" in text and "ORO-202603-0101" in text and "Scadența" in text
    assert "740000101" not in text and "Ionescu" not in text


@pytest.mark.parametrize("number", [NATIONAL, "0740 000 101", "+40740000101", "0040740000101", "40740000101"])
async def test_R6_number_in_any_form(page_server: PageServer, number: str) -> None:
    _browser, page = await visitor_with_bill(page_server, ANA, number)
    assert "79,90 lei" in page.visible_text


async def test_R6_no_bill_yet_is_said_behind_the_code(page_server: PageServer) -> None:
    browser, page = await visitor_with_bill(page_server, NEWCOMER)
    assert "Nu există încă nicio factură" in page.visible_text
    assert (await browser.get("/orange-ro/bill.pdf")).headers["Content-Type"].startswith("text/html")


async def test_R6_without_a_login_there_is_no_document(page_server: PageServer) -> None:
    got = await page_server.new_visitor().get("/orange-ro/bill.pdf")
    assert "%PDF" not in got.text and 'name="code"' in got.text


async def refusals_of(page_server: PageServer, tries: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """Return status and body of each attempt by one visitor."""
    browser = page_server.new_visitor()
    return [(await browser.submit(BILL, number=number, code=code)).without_tokens for number, code in tries]


async def test_R6_every_refusal_is_the_same_bytes(page_server: PageServer) -> None:
    used, code = await page_server.request_code(BARBU), await page_server.request_code(ANA)
    await page_server.new_visitor().submit(BILL, number=BARBU, code=used)
    wrong = "000000" if code != "000000" else "111111"
    tries = [
        (BARBU, used),
        (BARBU, code),
        (UNKNOWN_NUMBER, code),
        (ANA, wrong),
        (ANA, ""),
        ("", ""),
        ("hello", code),
    ]
    seen = await refusals_of(page_server, [*tries, ("12", code), (ANA, "x" * 500), ("\u202e<script>", "'\"")])
    assert len(set(seen)) == 1
    status, text = seen[0]
    assert status == 200 and REFUSAL_TEXT in text


async def test_R7_a_code_is_good_for_fifteen_minutes_and_no_longer(page_server: PageServer) -> None:
    code = await page_server.request_code()
    page_server.sandbox.clock.advance(timedelta(minutes=15, seconds=-1))
    assert "79,90" in (await page_server.new_visitor().submit(BILL, number=NATIONAL, code=code)).text
    code = await page_server.request_code()
    page_server.sandbox.clock.advance(timedelta(minutes=15))
    assert REFUSAL_TEXT in (await page_server.new_visitor().submit(BILL, number=NATIONAL, code=code)).text


async def test_R7_second_use_is_refused(page_server: PageServer) -> None:
    code = await page_server.request_code()
    assert "79,90" in (await page_server.new_visitor().submit(BILL, number=NATIONAL, code=code)).text
    assert REFUSAL_TEXT in (await page_server.new_visitor().submit(BILL, number=NATIONAL, code=code)).text


async def test_R7_the_sixth_try_is_refused_with_the_right_code(page_server: PageServer) -> None:
    code = await page_server.request_code()
    wrong = [(ANA, f"{guess:06}") for guess in range(6) if f"{guess:06}" != code][:5]
    seen = await refusals_of(page_server, [*wrong, (ANA, code)])
    assert len(set(seen)) == 1 and REFUSAL_TEXT in seen[0][1]


@pytest.mark.parametrize("number", [ANA, UNKNOWN_NUMBER, "hello"])
async def test_no_number_is_looked_up_before_its_code_is_right(page_server: PageServer, number: str) -> None:
    page_server.sandbox.faulty_billing.set_state("down")
    page = await page_server.new_visitor().submit(BILL, number=number, code="1")
    assert page.status == 200 and REFUSAL_TEXT in page.visible_text


async def test_a_locked_number_looks_like_any_other(page_server: PageServer) -> None:
    seen = await refusals_of(page_server, [(UNKNOWN_NUMBER, f"{guess:06}") for guess in range(12)])
    assert len(set(seen)) == 1


async def test_R7_the_page_says_how_long_a_code_lives(page_server: PageServer) -> None:
    page = await page_server.new_visitor().get(BILL)
    assert (
        "Codul este valabil 15 minute" in page.visible_text
        and "477" in page.visible_text
        and "411" in page.visible_text
    )
    parse_strictly(page)


async def test_a_login_ends_after_ten_minutes(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server)
    page_server.sandbox.clock.advance(timedelta(minutes=10, seconds=-1))
    assert "79,90" in (await browser.get(BILL)).text
    page_server.sandbox.clock.advance(timedelta(seconds=1))
    assert "79,90" not in (await browser.get(BILL)).text
    assert not (await browser.get("/orange-ro/bill.pdf")).body.startswith(b"%PDF")


async def test_logging_out_ends_the_login_on_the_server_too(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server)
    cookies = {cookie.key: cookie.value for cookie in browser.session.cookie_jar}
    left = await browser.submit(BILL)
    assert 'name="code"' in left.text and "79,90" not in left.text
    thief = page_server.new_visitor()
    thief.session.cookie_jar.update_cookies({"bill": cookies["bill"]})
    assert "79,90" not in (await thief.get(BILL)).text


async def test_another_process_accepts_the_same_login_and_forms(page_server: PageServer) -> None:
    browser, page = await visitor_with_bill(page_server)
    async with serve_pages(page_server.sandbox, build_pages(page_server.sandbox)) as next_door:
        browser.url = next_door.url
        assert (await browser.get(BILL)).body == page.body
        await browser.submit(BILL)
    browser.url = page_server.url
    assert "79,90" not in (await browser.get(BILL)).text


async def test_a_login_is_stored_without_token_number_or_account(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server)
    rows = await dump_table(page_server.sandbox.container.database, "links") + await dump_table(
        page_server.sandbox.container.database, "changes"
    )
    tokens = [cookie.value for cookie in browser.session.cookie_jar]
    assert tokens and not any(secret in rows for secret in (*tokens, "740000101"))


async def test_a_login_cookie_is_httponly_and_samesite(page_server: PageServer) -> None:
    browser, code = page_server.new_visitor(), await page_server.request_code()
    form = await browser.get(BILL)
    fields = form.hidden_fields | {"number": ANA, "code": code}
    async with browser.session.post(page_server.url + BILL, data=fields, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, BILL)
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("bill=") and len(cookie.split(";")[0]) >= 5 + 43
    assert all(trait in cookie for trait in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=600"))
    assert "Secure" not in cookie


async def test_over_https_cookies_are_host_bound_and_secure(sandbox: GatewaySandbox) -> None:
    async with serve_pages(sandbox, build_pages(sandbox, "https://gw.example.net")) as page_server:
        got = await page_server.new_visitor().get(BILL)
    assert got.headers["Set-Cookie"].startswith("__Host-form=") and "Secure" in got.headers["Set-Cookie"]
    assert got.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("state", ["slow", "down"])
async def test_a_billing_outage_uses_up_no_code(page_server: PageServer, state: str) -> None:
    browser, code = page_server.new_visitor(), await page_server.request_code()
    page_server.sandbox.faulty_billing.set_state(state)
    page = await browser.submit(BILL, number=ANA, code=code)
    assert page.status == 503 and "Serviciul nu răspunde acum" in page.visible_text
    parse_strictly(page)
    page_server.sandbox.faulty_billing.set_state("up")
    assert "79,90" in (await browser.get(BILL)).text


async def test_T18_a_login_of_one_caller_shows_no_other_bill(page_server: PageServer) -> None:
    ana, _page = await visitor_with_bill(page_server, ANA)
    _barbu, page = await visitor_with_bill(page_server, BARBU)
    assert "45,00 lei" in page.visible_text and "79,90" not in page.visible_text
    assert "79,90" in (await ana.get(BILL)).text


async def test_T16_guessed_logins_find_nothing(page_server: PageServer) -> None:
    await visitor_with_bill(page_server)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        for guess in range(200):
            headers = {"Cookie": f"bill={guess:043}"}
            async with session.get(page_server.url + BILL, headers=headers) as response:
                assert "79,90" not in await response.text()
