"""A small page of the console in Chromium: signing in by keyboard, moving the focus, WCAG 2.2 by axe-core."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support.console_site import PASSWORD, ConsoleServer
from tests.support.node_packages import find_node_packages
from tests.support.server_processes import ProgramMissing, skip_missing

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
async def small_page(browser: Browser) -> AsyncIterator[Page]:
    """Provide a page on a small screen without scripts of its own: the console has none."""
    page = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    yield page
    await page.close()


async def sign_in_by_keyboard(page: Page, console: ConsoleServer, name: str, language: str) -> None:
    """Sign in without a mouse: the cursor is in the first field already."""
    await page.goto(f"{console.url}/console/sign-in?lang={language}")
    await page.wait_for_selector("#name:focus")
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


async def press_button(page: Page, selector: str) -> None:
    """Press a button by keyboard and wait for the page it leads to."""
    await tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def find_faults(page: Page, axe_source: str) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 AA, and whether the page is wider than the screen."""
    await page.evaluate(axe_source)
    options = json.dumps({"runOnly": {"type": "tag", "values": RULES}})
    result = await page.evaluate(f"axe.run(document, {options})")
    faults = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in result["violations"]]
    width = await page.evaluate("document.documentElement.scrollWidth")
    return faults + ([f"{width} wide"] if width > PHONE_SCREEN["width"] else [])
