"""A menu trial in a real browser: two people by keyboard, both funnels, its end; WCAG 2.2."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from flows.domain.pack_revisions import PackEditor, PackFiles
from gateway.publishing.checked_packs import hash_checks_portably
from menus.packs.pack_editing import write_text
from tests.browser.console_page import PHONE_SCREEN, find_faults, press_button, sign_in_by_keyboard, tab_to
from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import small_page as small_page
from tests.browser.phone_page import PICTURES
from tests.gateway.publishing.test_trial_follower import callers_by_side
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.studio_forms import ORANGE, trust_shipped_pack

pytestmark = pytest.mark.asyncio(loop_scope="session")
TRIAL = f"{ORANGE}/trial"
AUTHOR, APPROVER = PackEditor("mihai"), PackEditor("dana")
SPOKEN = "Bine ați venit la Orange."
GREETINGS = {"published": "Bine ati venit la Orange!", "trial": "Salut!"}


@pytest_asyncio.fixture(loop_scope="session")
async def console(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console with an approved revision that greets otherwise."""
    async with sandboxes.open() as sandbox, serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!")
        desk = served.site.revision_desk
        draft = await desk.open_draft(OPERATOR, AUTHOR, 0)
        files = PackFiles(write_text(draft.files.texts, "ro", "home", {"all": "Salut!", "voice": SPOKEN}))
        checks, now = hash_checks_portably(), sandbox.clock()
        await desk.revisions.propose(
            replace(draft, files=files), AUTHOR, "A shorter welcome", now, checks=checks
        )
        await desk.approve(OPERATOR, 1, APPROVER)
        yield served


async def find_faults_in_each_scheme(page: Page, axe_source: str) -> list[str]:
    """Return what axe-core finds with a light and with a dark scheme; the page is left in the light."""
    await page.emulate_media(color_scheme="dark")
    dark = await find_faults(page, axe_source)
    await page.emulate_media(color_scheme="light")
    return dark + await find_faults(page, axe_source)


async def begin_by_keyboard(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Begin a trial on half of the callers, without a mouse."""
    await sign_in_by_keyboard(page, console, "mihai", "en")
    await page.goto(console.url + TRIAL)
    assert await find_faults_in_each_scheme(page, axe_source) == []
    await tab_to(page, "#share")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("50")
    await press_button(page, "button[value=begin]")
    await expect(page.locator("main")).to_contain_text("another person must approve it")
    await expect(page.locator("button[value=approve]")).to_have_count(0)
    assert await find_faults_in_each_scheme(page, axe_source) == []
    await page.screenshot(path=PICTURES / "studio-trial-begun.png", full_page=True)


async def approve_in_arabic(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Approve the trial as another person, from right to left and in the dark."""
    await page.emulate_media(color_scheme="dark")
    await sign_in_by_keyboard(page, console, "dana", "ar")
    await page.goto(console.url + TRIAL)
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    assert await find_faults(page, axe_source) == []
    await press_button(page, "button[value=approve]")
    await expect(page.locator(".done")).to_be_visible()


async def dial_both_sides(console: ConsoleServer) -> None:
    """Dial on both sides: once on what is published, twice on the revision tried; each says goodbye."""
    container = console.sandbox.container
    await container.revision_follower.follow_published()
    tried, other = callers_by_side(console.sandbox)
    for caller, side in ((other, "published"), (tried, "trial"), (tried, "trial")):
        assert (await console.phone.dial(caller, "*100#")).lines[0] == GREETINGS[side]
        await console.phone.press("0")
    await container.write_behind.write_pending()


async def look_at_map(page: Page, console: ConsoleServer, axe_source: str) -> None:
    """Look at the figures on the map, as text and as a bar; its screens that nobody reached have none."""
    await page.goto(f"{console.url}{ORANGE}?q=buget")
    await expect(page.locator("#home .figures")).to_have_text("Reached it: 3 (100.0 %); ended here: 0 (0.0 %)")
    widths = [
        await page.locator(f"#{each} .bar").evaluate("bar => bar.clientWidth") for each in ("home", "budget")
    ]
    assert widths[0] > 0 == widths[1]
    assert await find_faults_in_each_scheme(page, axe_source) == []
    await page.screenshot(path=PICTURES / "studio-map.png", full_page=True)


async def test_a_trial_is_begun_by_one_person_approved_by_another_compared_and_ended(
    console: ConsoleServer, small_page: Page, browser: Browser, axe_source: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await begin_by_keyboard(small_page, console, axe_source)
    second = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    await approve_in_arabic(second, console, axe_source)
    await dial_both_sides(console)
    await second.reload()
    assert await find_faults_in_each_scheme(second, axe_source) == []
    await second.screenshot(path=PICTURES / "studio-trial-ar.png", full_page=True)
    await second.close()
    await small_page.goto(console.url + TRIAL)
    rows = small_page.locator("tbody tr")
    await expect(rows.nth(0)).to_have_text("Conversations begun12")
    await expect(rows.nth(1)).to_contain_text("1 (100.0 %)2 (100.0 %)too few")
    assert await find_faults_in_each_scheme(small_page, axe_source) == []
    await small_page.screenshot(path=PICTURES / "studio-trial.png", full_page=True)
    await look_at_map(small_page, console, axe_source)
    await small_page.goto(console.url + TRIAL)
    await press_button(small_page, "button[value=end]")
    await expect(small_page.locator(".done")).to_contain_text("The trial is ended")
    await console.sandbox.container.revision_follower.follow_published()
    assert not console.sandbox.container.menu_versions.trials
