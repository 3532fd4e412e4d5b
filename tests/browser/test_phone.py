"""The browser phone: every channel, and conversations saved as dialogs."""

import re

import pytest
from playwright.async_api import expect

from gateway.publishing import pack_compiler
from storage.demo.world import demo_people
from tests.browser.phone_page import DemoSite, PhonePage
from tests.support.gateway_sandbox import SandboxFactory

pytestmark = pytest.mark.asyncio(loop_scope="session")
ANA = "+40740000101"
ARABIC = [path.parent.parent.name.replace("_", "-") for path in pack_compiler.OPERATORS.glob("*/texts/ar.yaml")]


async def test_activation_by_ussd_is_shown_counted_and_saved(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100#", "Welcome to Orange!")
    await expect(page.element("size")).to_contain_text("51 characters, GSM-7: 51 of 160")
    for key, shown in (("1", "Budget"), ("1", "E-invoice"), ("3", "Switch to"), ("1", "Done!")):
        await page.enter_line(key, shown)
    await expect(page.element("place")).to_contain_text("einvoice.done")
    await expect(page.element("outbox")).to_contain_text("notice by sms")
    await expect(page.element("thread")).to_contain_text("you switched to e-invoicing")
    await expect(page.element("wire")).to_contain_text("/hooks/orange-ro/africastalking/•••/ussd")
    await page.download_and_replay(sandboxes)


async def test_a_call_is_shown_and_its_code_keyed_in(page: PhonePage, sandboxes: SandboxFactory) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("411", "Pentru facturi, apăsați 1.")
    await page.press_key("1", "Pentru factura electronică, apăsați 2.")
    await page.press_key("2", "Introduceți codul")
    code = await page.read_code()
    await page.enter_line(f"{code}#", "Do you want to switch")
    await page.press_key("1", "E-invoicing is on")
    assert code not in await page.element("wire").inner_text()
    text = await page.download_and_replay(sandboxes)
    assert "> {code}#" in text


async def test_texts_are_a_thread_and_a_password_stays_off_the_wire(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.send_text("EFACTURA", "Done! E-invoicing is on")
    await page.send_text("ThankYou1", "your code is")
    await expect(page.element("wire")).to_contain_text("Body=•••")
    await expect(page.element("wire")).not_to_contain_text("ThankYou1")
    await page.download_and_replay(sandboxes)


async def test_a_keyboard_is_enough(page: PhonePage) -> None:
    keyboard = page.page.keyboard
    for _ in range(7):
        await keyboard.press("Tab")
    await expect(page.page.get_by_role("button", name="Dial *100#")).to_be_focused()
    await keyboard.press("Enter")
    await expect(page.element("screen")).to_contain_text("Bine ati venit")
    await expect(page.element("line")).to_be_focused()
    for typed, shown in (("1", "Buget"), ("1", "Ultima factura")):
        await keyboard.type(typed)
        await keyboard.press("Enter")
        await expect(page.element("screen")).to_contain_text(shown)
    await keyboard.press("Tab")
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(page.element("dialog")).to_contain_text("hang up")


@pytest.mark.parametrize(("operator", "code"), [("orange-ro", "*100#"), ("tunisie-telecom", "*101#")])
async def test_all_of_it_fits_a_small_window(page: PhonePage, operator: str, code: str) -> None:
    await page.page.set_viewport_size({"width": 390, "height": 844})
    await page.element("operator").select_option(operator)
    await expect(page.element("again")).to_contain_text(f"{operator}.dialog")
    await page.send_line(code)
    wide = await page.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390


async def test_the_current_screen_is_marked_on_the_map(page: PhonePage) -> None:
    await page.enter_line("*100#", "Bine ati venit")
    await page.enter_line("1", "Buget")
    await page.element("here").click()
    passed = page.page.locator("g[data-node=home], g[data-node=budget]")
    await expect(passed.locator("rect").nth(1)).to_have_attribute("stroke-width", "3")
    await expect(page.page.locator("path[data-path]")).to_have_count(1)


async def test_a_wrong_number_is_reported(page: PhonePage) -> None:
    await page.element("line").fill("999")
    await page.element("go").click()
    await expect(page.element("error")).to_contain_text("nobody answers 999")


async def test_the_map_has_the_funnel(page: PhonePage) -> None:
    await page.enter_line("*100#", "Bine ati venit")
    await page.enter_line("7", "Raspuns gresit")
    await page.page.goto(f"{page.url}/phone/map?operator=orange-ro&channel=ussd")
    home = page.page.locator("g[data-node=home]")
    await expect(home).to_contain_text(re.compile(r"\d+ reached, .*\d+ failed"))


@pytest.mark.parametrize("operator", ARABIC)
async def test_arabic_runs_from_right_to_left(page: PhonePage, demo_site: DemoSite, operator: str) -> None:
    await page.element("operator").select_option(operator)
    await page.take_new_phone(demo_people(demo_site.site.dataset[operator])[0]["number"], "ar")
    await page.enter_line(demo_site.site.menu_versions.current_menu(operator).config.numbers.ussd, "1")
    await expect(page.element("screen").locator("p").first).to_have_css("direction", "rtl")
