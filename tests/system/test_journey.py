"""The 477 journey in a running demo: a code by each channel, the latest bill, uniform refusals."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import async_playwright
from pypdf import PdfReader
from sqlalchemy import Connection, select, update

from storage.credentials.send_budgets import OTHERS_MARK, PURPOSE_MARK
from storage.sql.engine import connect
from storage.sql.tables import code_sends, codes
from tests.browser.phone_page import CHROMIUM_OPTIONS
from tests.support.demo_process import DemoProcess, run_demo
from tests.support.page_client import BILL, PageVisitor

ANA, BARBU, BUSINESS_NUMBER, DAN = "+40740000101", "+40740000102", "+40740000103", "+40740000105"
REQUESTS_BY_CHANNEL = {
    "sms": ("477", ANA, ("ThankYou1",), "79,90 lei"),
    "ussd": ("*100#", BARBU, ("1", "1", "5"), "45.00 lei"),
    "voice": ("411", BUSINESS_NUMBER, ("1", "4"), "1.210,00 lei"),
}
"""By channel: what is dialled, the caller, what is typed, and a text of the caller's latest bill."""
HOOKS = "/hooks/orange-ro/africastalking/demo"
AN_HOUR = timedelta(minutes=61)
visitor_numbers = count(1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with run_demo(tmp_path_factory.mktemp("journey")) as served:
        yield served


@asynccontextmanager
async def new_visitor(demo: DemoProcess) -> AsyncIterator[PageVisitor]:
    """Provide a visitor with a new address and no cookies."""
    jar, origin = aiohttp.CookieJar(unsafe=True), {"X-Forwarded-For": f"203.0.113.{next(visitor_numbers)}"}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=origin) as session:
        yield PageVisitor(session, demo.url)


async def refusal_text(demo: DemoProcess, number: str, code: str) -> tuple[int, str]:
    """Return what a new visitor reads after entering number and code."""
    async with new_visitor(demo) as browser:
        page = await browser.submit(BILL, number=number, code=code)
        assert "Numărul sau codul nu este bun" in page.visible_text
        return page.without_tokens


async def request_ussd_code(demo: DemoProcess, caller: str) -> str:
    """Request a code by USSD in one dialled string and return it."""
    before, told = len(demo.output), {"phoneNumber": caller, "serviceCode": "*100#", "text": "1*1*5"}
    async with new_visitor(demo) as browser:
        await browser.post(f"{HOOKS}/ussd", {**told, "sessionId": f"journey-{next(visitor_numbers)}"})
    return demo.read_code(before)


def age_send(text: str, time: timedelta) -> str:
    """Return the stored time of a send earlier by `time`, with what is marked behind it."""
    sent = text.partition(PURPOSE_MARK)[0].removesuffix(OTHERS_MARK)
    return (datetime.fromisoformat(sent) - time).isoformat() + text[len(sent) :]


async def age_codes(demo: DemoProcess, time: timedelta) -> None:
    """Age the stored codes by `time`: the demo runs on the machine's clock."""

    def job(connection: Connection) -> None:
        for row in connection.execute(select(codes)).all():
            this = (codes.c.subject == row.subject, codes.c.purpose == row.purpose)
            connection.execute(update(codes).where(*this).values(expires_at=row.expires_at - time))
        for row in connection.execute(select(code_sends)).all():
            times = [age_send(each, time) for each in json.loads(row.times)]
            mine = code_sends.c.subject == row.subject
            connection.execute(update(code_sends).where(mine).values(times=json.dumps(times)))

    database = connect(f"sqlite:///{demo.folder / 'var' / 'demo.db'}")
    await database.write(job)
    await database.close()


def pdf_text(document: bytes) -> str:
    return PdfReader(BytesIO(document)).pages[0].extract_text().replace("\xa0", " ")


@pytest.mark.parametrize("channel", REQUESTS_BY_CHANNEL)
async def test_the_journey_and_every_refusal(demo: DemoProcess, channel: str) -> None:
    address, caller, keys, amount = REQUESTS_BY_CHANNEL[channel]
    code = demo.request_code(address, caller, *keys)
    seen = [await refusal_text(demo, DAN, code)]
    async with new_visitor(demo) as browser:
        page = await browser.submit(
            f"{BILL}?lang={'en' if caller == BARBU else 'ro'}", number=caller, code=code
        )
        assert amount in page.visible_text
        got = await browser.get(f"{BILL}.pdf?lang={'en' if caller == BARBU else 'ro'}")
    assert got.headers["Content-Type"] == "application/pdf" and amount in pdf_text(got.body)
    seen.append(await refusal_text(demo, caller, code))
    await age_codes(demo, AN_HOUR)
    late = await request_ussd_code(demo, caller)
    await age_codes(demo, timedelta(minutes=16))
    seen.append(await refusal_text(demo, caller, late))
    await age_codes(demo, AN_HOUR)
    code = await request_ussd_code(demo, caller)
    wrong = [f"{guess:06}" for guess in range(6) if f"{guess:06}" != code][:5]
    seen += [await refusal_text(demo, caller, each) for each in (*wrong, code)]
    assert len(set(seen)) == 1 and len(seen) == 9


async def test_the_journey_in_a_real_browser(demo: DemoProcess, chromium: str, tmp_path: Path) -> None:
    await age_codes(demo, timedelta(hours=25))
    code = demo.request_code("477", DAN, "DanRest5")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))
        page = await browser.new_page(locale="ro-RO")
        await page.goto(demo.url + BILL)
        await page.fill('input[name="number"]', "0740 000 105")
        await page.fill('input[name="code"]', code)
        await page.click("button")
        assert "92,40" in await page.inner_text("main")
        async with page.expect_download() as download:
            await page.click('a[href*="bill.pdf"]')
        await (await download.value).save_as(tmp_path / "bill.pdf")
        await browser.close()
    assert "92,40 lei" in pdf_text((tmp_path / "bill.pdf").read_bytes())
