"""The browser phone pays a bill: the link of its SMS, the demo's provider, the receipt, the bill paid."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.phone_page import PhonePage

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAYERS = {
    "orange-ro": ("+40740000101", "ro", ("*100#", "1", "1", "7", "1"), "am primit 79,90", "nimic de plat"),
    "orange-fr": ("+33600000101", "fr", ("*144#", "2", "6", "1"), "Reste 0,00", "rien"),
    "tunisie-telecom": ("+21698000101", "ar", ("*101#", "5", "4", "4", "1"), "وصل", "لا شيء"),
}
"""By operator: person, language, what is dialled and pressed, words of the receipt and of the pay item then."""


async def pay_by_link(phone: PhonePage, browser: Browser) -> None:
    """Open the link of the newest SMS in a tab of its own, pay at the provider, come back."""
    link = phone.element("thread").get_by_role("link").last
    tab = await browser.new_page()
    await tab.goto(await link.get_attribute("href") or "")
    await tab.wait_for_url(re.compile(r"/pay$|/pay#"))
    await tab.get_by_role("button").last.click()
    await expect(tab.get_by_role("heading", name="Payfake")).to_be_visible()
    await tab.get_by_role("button", name="Pay", exact=True).click()
    await tab.wait_for_url(re.compile(r"/paid\?payment="))
    await tab.close()


@pytest.mark.parametrize("operator", PAYERS)
async def test_a_bill_is_paid_from_the_phone_and_its_receipt_comes_by_sms(
    page: PhonePage, browser: Browser, operator: str
) -> None:
    person, language, keys, receipt, paid = PAYERS[operator]
    await page.element("operator").select_option(operator)
    await page.take_new_phone(person, language)
    for key in keys:
        await page.send_line(key)
    await expect(page.element("thread")).to_contain_text("/pay#")
    await pay_by_link(page, browser)
    await expect(page.element("thread")).to_contain_text(receipt)
    for key in keys[:-1]:
        await page.send_line(key)
    await expect(page.element("screen")).to_contain_text(paid)
