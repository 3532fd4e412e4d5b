"""The browser phone and its own world: its pages, its reset, a reload, and what a hidden tab missed."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.phone_page import CODE_PATTERN, DemoSite, PhonePage

pytestmark = pytest.mark.asyncio(loop_scope="session")
ANA = "+40740000101"
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def open_file_page(phone: PhonePage, browser: Browser) -> Page:
    """Ask for a copy of the bill, open its link in a tab and press the button that sends the code."""
    await phone.element("operator").select_option("bouygues")
    await phone.take_new_phone("+33660000103", "en")
    for key in ("*614#", "5", "1", "1"):
        await phone.send_line(key)
    link = phone.element("thread").get_by_role("link")
    tab = await browser.new_page()
    await tab.goto(await link.get_attribute("href") or "")
    await tab.get_by_role("button").last.click()
    await expect(tab.locator("#code")).to_be_visible()
    return tab


async def test_the_code_a_page_sends_arrives_at_once_and_opens_the_file(
    page: PhonePage, browser: Browser
) -> None:
    tab = await open_file_page(page, browser)
    sent = page.element("thread").locator("li").nth(1)
    await expect(sent).to_contain_text(CODE_PATTERN)
    (code,) = CODE_PATTERN.findall(await sent.inner_text())
    await tab.locator("#code").fill(code)
    async with tab.expect_download() as download:
        await tab.locator("main").get_by_role("button").first.click()
    assert (await download.value).suggested_filename.endswith(".pdf")
    await expect(tab.locator("main")).to_contain_text("This page stays as it is")
    await tab.close()


async def test_the_bill_page_of_the_phone_takes_its_code(page: PhonePage) -> None:
    await page.take_new_phone(ANA, "en")
    for key in ("*100#", "1", "1", "5"):
        await page.send_line(key)
    code = await page.read_code()
    async with page.page.context.expect_page() as opened:
        await page.element("bill-page").click()
    tab = await opened.value
    await tab.locator("#number").fill(ANA)
    await tab.locator("#code").fill(code)
    await tab.get_by_role("button").first.click()
    await expect(tab.locator("table").first).to_contain_text("79")
    await tab.close()


async def test_the_demo_s_address_alone_leads_to_the_phone(page: PhonePage) -> None:
    await page.page.goto(f"{page.url}/")
    await page.page.wait_for_url("**/phone")


async def test_another_choice_takes_another_phone_at_once(page: PhonePage) -> None:
    await page.element("operator").select_option("tunisie-telecom")
    await expect(page.element("again")).to_contain_text("tunisie-telecom.dialog")
    await page.send_line("*101#")
    await expect(page.element("error")).to_be_hidden()
    await page.element("person").select_option(index=1)
    await expect(page.element("dialog")).not_to_contain_text("dial")


async def test_operators_of_one_name_are_told_apart(page: PhonePage) -> None:
    names = [(await each.inner_text()) for each in await page.page.locator("#operator option").all()]
    assert len(set(names)) == len(names)
    assert "Orange (RO) *100#" in names and "Orange (FR) *144#" in names


async def test_a_reset_undoes_what_was_done(page: PhonePage) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100#", "Welcome")
    await page.page.get_by_role("button", name="Reset").click()
    await expect(page.element("dialog")).not_to_contain_text("dial")
    await expect(page.element("screen")).to_contain_text("Dial *100#")


async def test_a_reload_keeps_operator_person_screen_and_messages(page: PhonePage) -> None:
    await page.element("operator").select_option("orange-fr")
    await page.take_new_phone("+33600000101", "en")
    await page.send_text("CODE", "code")
    await page.enter_line("*144#", "Welcome to Orange")
    await page.open_page()
    await expect(page.element("screen")).to_contain_text("Welcome to Orange")
    assert await page.element("operator").input_value() == "orange-fr"
    await expect(page.element("thread").locator(".mine")).to_have_text("CODE")
    await expect(page.element("thread")).to_contain_text(CODE_PATTERN)


async def test_a_hidden_tab_holds_no_connection_and_misses_no_message(
    page: PhonePage, demo_site: DemoSite
) -> None:
    name = await page.page.get_attribute("body", "data-phone") or ""
    handset = demo_site.site.pool.find_handset(name)
    assert handset and handset.events.queues
    await page.page.evaluate(HIDE, arg=True)
    handset.events.send("text", {"body": "Sent meanwhile"})
    await expect(page.element("thread")).not_to_contain_text("Sent meanwhile")
    await page.page.evaluate(HIDE, arg=False)
    await expect(page.element("thread")).to_contain_text("Sent meanwhile")


async def test_a_stopped_demo_is_named_in_words(page: PhonePage) -> None:
    await page.page.route("**/act", lambda route: route.abort())
    await page.element("line").fill("*100#")
    await page.element("go").click()
    await expect(page.element("error")).to_contain_text("The demo does not answer")
    page.console_errors.clear()  # the browser's own line about the request
