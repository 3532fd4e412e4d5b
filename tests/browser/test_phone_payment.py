"""The browser phone pays a bill: the link of its SMS, the demo's provider, the receipt, the bill paid."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, expect

from tests.browser.phone_page import PhonePage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Payer:
    """A demo subscriber, the way to the pay item on each channel, and what is read there."""

    person: str
    language: str
    channel: str
    """Where the link is asked for; the nine pairs of languages and channels are `test_paid_everywhere`'s."""
    keys: Mapping[str, Sequence[str]]
    """What is dialled and pressed, or texted, by channel."""
    receipt: str
    paid: str
    pin: str = ""
    """What a call asks for; empty for a code by SMS."""


PAYERS = {
    "orange-ro": Payer(
        *("+40740000101", "ro", "ussd"),
        {"ussd": ("*100#", "1", "1", "7"), "sms": ("PLATA",), "voice": ("411", "1", "6")},
        *("am primit 79,90", "nimic de plat"),
    ),
    "orange-fr": Payer(
        *("+33600000101", "fr", "voice"),
        {"ussd": ("*144#", "2", "6"), "sms": ("PAYER",), "voice": ("3900", "2", "5")},
        *("Reste 0,00", "rien", "2580"),
    ),
    "tunisie-telecom": Payer(
        *("+21698000101", "ar", "sms"),
        {"ussd": ("*101#", "5", "4", "4"), "sms": ("PAYER",), "voice": ("1298", "5", "4", "4")},
        *("وصل", "لا شيء"),
    ),
}


async def reach_pay_item(phone: PhonePage, payer: Payer, channel: str, shown: str) -> None:
    """Go to the pay item on a channel, and wait until it shows a text; a call asks for a code or the PIN."""
    *before, last = payer.keys[channel]
    if channel == "sms":
        await phone.send_text(last, shown)
        return
    for key in before:
        await phone.send_line(key)
    if channel == "voice":
        await phone.send_line(last)
        last = f"{payer.pin or await phone.read_code()}#"
    await phone.enter_line(last, shown)


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
async def test_a_bill_is_paid_from_the_phone_and_is_paid_on_every_channel(
    page: PhonePage, browser: Browser, operator: str
) -> None:
    payer = PAYERS[operator]
    await page.element("operator").select_option(operator)
    await page.take_new_phone(payer.person, payer.language)
    await reach_pay_item(page, payer, payer.channel, "1")
    send = page.send_text if payer.channel == "sms" else page.enter_line
    await send("1", "")
    await expect(page.element("thread")).to_contain_text("/pay#")
    await pay_by_link(page, browser)
    await expect(page.element("thread")).to_contain_text(payer.receipt)
    for channel in payer.keys:
        await reach_pay_item(page, payer, channel, payer.paid)
