"""The support console in a real browser: small screen, keyboard only, right to left, WCAG 2.2 by axe-core."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from flows.domain.records import AuditEntry
from gateway.console.erasures import ERASURES_PATH
from gateway.console.people import PEOPLE_PATH
from gateway.console.queues import QUEUES_PATH
from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import find_faults, sign_in_by_keyboard, tab_to
from tests.browser.console_page import small_page as small_page
from tests.browser.phone_page import PICTURES
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import SandboxFactory

pytestmark = pytest.mark.asyncio(loop_scope="session")
FRESH_SIM = "+40740000106"


@pytest_asyncio.fixture(loop_scope="session")
async def console(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console; a subscriber with a fresh SIM has asked for a code and sent STOP."""
    async with sandboxes.open() as sandbox, serve_console(sandbox, tmp_path) as served:
        await served.phone.send_text(FRESH_SIM, "477", "ElenaSim6")
        await served.phone.send_text(FRESH_SIM, "477", "EFACTURA")
        await served.phone.send_text(FRESH_SIM, "477", "STOP")
        await sandbox.messages.collect_new()
        yield served


async def look_up_by_keyboard(page: Page) -> None:
    """Look the subscriber up without a mouse."""
    await tab_to(page, "#number")
    await page.keyboard.type("0740000106")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#steps")


async def test_an_agent_finds_why_a_fresh_sim_got_no_code_by_keyboard(
    console: ConsoleServer, small_page: Page, axe_source: str
) -> None:
    await sign_in_by_keyboard(small_page, console, "ioana", "en")
    await look_up_by_keyboard(small_page)
    why = small_page.locator(".why")
    await expect(why).to_contain_text("A code was asked for on 2026-03-10 09:00 and not sent: the SIM card")
    await expect(why).to_contain_text("no code is sent before")
    assert "740000106" not in small_page.url
    assert await find_faults(small_page, axe_source) == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    await small_page.screenshot(path=PICTURES / "console-story.png", full_page=True)


async def test_an_agent_lifts_stop_by_keyboard_in_arabic(
    console: ConsoleServer, small_page: Page, axe_source: str
) -> None:
    await sign_in_by_keyboard(small_page, console, "ioana", "ar")
    await look_up_by_keyboard(small_page)
    await expect(small_page.locator("html")).to_have_attribute("dir", "rtl")
    assert await find_faults(small_page, axe_source) == []
    await small_page.screenshot(path=PICTURES / "console-story-ar.png", full_page=True)
    await tab_to(small_page, "#reason")
    await small_page.keyboard.press("ArrowDown")
    await tab_to(small_page, "form[action$='/opt-out'] button")
    await small_page.keyboard.press("Enter")
    await expect(small_page.locator(".done")).to_contain_text("STOP")
    assert await console.audit_entries("console.opt_out_lifted") == [
        ("orange-ro", "ioana", "asked_by_phone", "ok")
    ]


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_every_page_keeps_to_wcag_on_a_small_screen(
    console: ConsoleServer, small_page: Page, axe_source: str, language: str
) -> None:
    entry = AuditEntry("orange-ro", FRESH_SIM, "console.erasure_requested", console.sandbox.clock())
    await console.site.erasures.add_request("orange-ro", FRESH_SIM, "adela", entry)
    await small_page.goto(f"{console.url}/console/sign-in?lang={language}")
    assert await find_faults(small_page, axe_source) == []
    await sign_in_by_keyboard(small_page, console, "nobody", language)
    assert await find_faults(small_page, axe_source) == []
    await sign_in_by_keyboard(small_page, console, "oscar", language)
    for path in (QUEUES_PATH, ERASURES_PATH, PEOPLE_PATH):
        await small_page.goto(f"{console.url}{path}")
        assert await find_faults(small_page, axe_source) == [], path
