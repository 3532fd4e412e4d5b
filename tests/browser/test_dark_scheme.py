"""Light and dark scheme of phone, map, subscribers' pages and console: contrasts of WCAG 2.2 AA."""

import pytest
from playwright.async_api import Page, expect

from gateway.console.console_request import MENUS_PATH
from gateway.console.queues import QUEUES_PATH
from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import find_faults, sign_in_by_keyboard
from tests.browser.console_page import small_page as small_page
from tests.browser.phone_page import DemoSite, PhonePage
from tests.browser.test_console import console as console
from tests.browser.test_console import look_up_by_keyboard
from tests.support.console_site import ConsoleServer
from tests.support.studio_forms import HOME, trust_shipped_pack

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
GROUND = "[document.documentElement, document.body].map(each => getComputedStyle(each).backgroundColor).join()"


async def choose_scheme(page: Page, scheme: str) -> None:
    """Prefer a colour scheme, and check that a page may have another one."""
    await page.emulate_media(color_scheme="light")
    light = await page.evaluate(GROUND)
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert (await page.evaluate(GROUND) == light) == (scheme == "light")


@SCHEMES
async def test_the_phone(page: PhonePage, axe_source: str, scheme: str) -> None:
    await page.page.set_viewport_size({"width": 390, "height": 844})
    await page.enter_line("*100#", "Bine ati venit")
    await page.send_text("EFACTURA", "Gata!")
    await page.page.click("[data-spoil=billing][data-state=slow]")
    await choose_scheme(page.page, scheme)
    assert await find_faults(page.page, axe_source) == []


async def test_the_map_in_the_dark(page: PhonePage, axe_source: str) -> None:
    await page.page.set_viewport_size({"width": 390, "height": 844})
    await page.page.emulate_media(color_scheme="dark")
    await page.page.goto(f"{page.url}/phone/map")
    assert await find_faults(page.page, axe_source) == []


@SCHEMES
async def test_the_bill_page(small_page: Page, demo_site: DemoSite, axe_source: str, scheme: str) -> None:
    await small_page.goto(f"{demo_site.url}/orange-ro/bill?lang=en")
    await choose_scheme(small_page, scheme)
    await small_page.locator("#number").fill("1")
    await small_page.locator("#code").fill("1")
    await small_page.get_by_role("button").first.click()
    await expect(small_page.locator(".alert")).to_be_visible()
    assert await find_faults(small_page, axe_source) == []


async def test_the_console_in_the_dark(console: ConsoleServer, small_page: Page, axe_source: str) -> None:
    await sign_in_by_keyboard(small_page, console, "ioana", "en")
    await choose_scheme(small_page, "dark")
    await look_up_by_keyboard(small_page)
    assert await find_faults(small_page, axe_source) == []


async def test_queues_and_the_studio_in_the_dark(
    console: ConsoleServer, small_page: Page, axe_source: str
) -> None:
    trust_shipped_pack(console, "Salut!")
    await small_page.emulate_media(color_scheme="dark")
    for name, paths in (("oscar", [QUEUES_PATH]), ("mihai", [MENUS_PATH, HOME])):
        await small_page.context.clear_cookies()
        await sign_in_by_keyboard(small_page, console, name, "en")
        for path in paths:
            await small_page.goto(f"{console.url}{path}")
            assert await find_faults(small_page, axe_source) == [], path
