"""The map of the demo: opens where it matters, with the texts of a language, larger and smaller, searched."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.phone_page import PICTURES, PhonePage

pytestmark = pytest.mark.asyncio(loop_scope="session")
NODE_IN_VIEW = """name => {
  const box = document.querySelector(`g[data-node="${name}"] rect`).getBoundingClientRect();
  const frame = document.querySelector(".chart").getBoundingClientRect();
  return box.top >= frame.top && box.bottom <= frame.bottom && box.left >= frame.left && box.left < frame.right;
}"""


async def open_map(phone: PhonePage, query: str = "", fragment: str = "") -> Page:
    await phone.page.goto(f"{phone.url}/phone/map?operator=orange-ro&{query}{fragment}")
    await expect(phone.page.locator("#zoom")).to_be_visible()
    return phone.page


@pytest.mark.parametrize("width", [1280, 390])
async def test_it_opens_on_the_first_screen(page: PhonePage, width: int) -> None:
    await page.page.set_viewport_size({"width": width, "height": 844})
    opened = await open_map(page)
    assert await opened.evaluate(NODE_IN_VIEW, "home")
    assert await opened.evaluate("document.documentElement.scrollWidth") == width
    await opened.screenshot(path=PICTURES / f"map-{width}.png")


async def test_it_opens_on_the_screen_of_the_conversation(page: PhonePage) -> None:
    opened = await open_map(page, fragment="#einvoice.done")
    assert await opened.evaluate(NODE_IN_VIEW, "einvoice.done")


async def test_boxes_show_the_texts_of_the_language_chosen(page: PhonePage) -> None:
    opened = await open_map(page, "language=en")
    await expect(opened.locator("g[data-node=home]")).to_contain_text("Welcome to Orange!")
    await expect(opened.locator("#texts")).to_contain_text("Thank you!")
    await opened.get_by_label("Language").select_option("ro")
    await opened.get_by_role("button", name="Show").click()
    await expect(opened.locator("g[data-node=home]")).to_contain_text("Bine ați venit")


async def test_it_is_drawn_larger_and_smaller(page: PhonePage) -> None:
    opened = await open_map(page)
    width = int(await opened.locator(".chart svg").get_attribute("width") or 0)
    await opened.get_by_role("button", name="Larger").click()
    await expect(opened.locator("#zoomed")).to_have_text("125 %")
    assert float(await opened.locator(".chart svg").get_attribute("width") or 0) == width * 1.25
    await opened.get_by_role("button", name="Whole map").click()
    chart = opened.locator(".chart")
    assert await chart.evaluate("chart => chart.scrollHeight <= chart.clientHeight + 1")


async def test_screens_are_searched_by_their_words(page: PhonePage) -> None:
    opened = await open_map(page, "language=en&q=paper")
    shown = await opened.locator("#texts article").all_inner_texts()
    assert shown and all("paper" in each.casefold() for each in shown)


async def test_success_and_failure_look_different(page: PhonePage) -> None:
    opened = await open_map(page)
    colours = [
        await opened.locator(f"g[data-node='{name}'] rect").get_attribute("fill")
        for name in ("einvoice.done", "house.sorry")
    ]
    assert colours[0] != colours[1]


async def test_an_empty_funnel_says_so(page: PhonePage) -> None:
    await page.page.goto(f"{page.url}/phone/map?operator=bouygues&channel=voice")
    await expect(page.page.get_by_role("heading", name="Bouygues Telecom (bouygues)")).to_be_visible()
    await expect(page.page.locator("main")).to_contain_text(
        re.compile("No conversation on this channel yet|Reached")
    )
