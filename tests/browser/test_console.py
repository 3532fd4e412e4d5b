"""The support console in a real browser: small screen, keyboard only, right to left, WCAG 2.2 by axe-core."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from flows.domain.records import AuditEntry
from gateway.console.erasures import ERASURES_PATH
from gateway.console.people import PEOPLE_PATH
from gateway.console.queues import QUEUES_PATH
from tests.browser.phone_page import PICTURES
from tests.support.console_site import PASSWORD, ConsoleServer, serve_console
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.node_packages import find_node_packages
from tests.support.server_processes import ProgramMissing, skip_missing

pytestmark = pytest.mark.asyncio(loop_scope="session")
FRESH_SIM = "+40740000106"
PHONE_SCREEN = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="session")
def axe_source() -> str:
    """Return the script of axe-core; skip (in CI: fail) where it is not installed."""
    try:
        return (find_node_packages() / "axe-core" / "axe.min.js").read_text()
    except ProgramMissing as missing:
        skip_missing(missing)


@pytest_asyncio.fixture(loop_scope="session")
async def console(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console; a subscriber with a fresh SIM has asked for a code and sent STOP."""
    async with sandboxes.open() as sandbox, serve_console(sandbox, tmp_path) as served:
        await served.phone.send_text(FRESH_SIM, "477", "ElenaSim6")
        await served.phone.send_text(FRESH_SIM, "477", "EFACTURA")
        await served.phone.send_text(FRESH_SIM, "477", "STOP")
        await sandbox.messages.collect_new()
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def small_page(browser: Browser) -> AsyncIterator[Page]:
    """Provide a page on a small screen without scripts of its own: the console has none."""
    page = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    yield page
    await page.close()


async def sign_in_by_keyboard(page: Page, console: ConsoleServer, name: str, language: str) -> None:
    """Sign in without a mouse: the cursor is in the first field already."""
    await page.goto(f"{console.url}/console/sign-in?lang={language}")
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus; AssertionError when it never has."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(selector)


async def look_up_by_keyboard(page: Page) -> None:
    """Look the subscriber up without a mouse."""
    await tab_to(page, "#number")
    await page.keyboard.type("0740000106")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#steps")


async def find_faults(page: Page, axe_source: str) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 AA, and whether the page is wider than the screen."""
    await page.evaluate(axe_source)
    options = json.dumps({"runOnly": {"type": "tag", "values": RULES}})
    result = await page.evaluate(f"axe.run(document, {options})")
    faults = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in result["violations"]]
    width = await page.evaluate("document.documentElement.scrollWidth")
    return faults + ([f"{width} wide"] if width > PHONE_SCREEN["width"] else [])


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
