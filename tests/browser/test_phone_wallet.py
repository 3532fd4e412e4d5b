"""The browser phone pays from a wallet: the request on the phone, approval, receipt; and it plays again."""

import pytest
from playwright.async_api import expect

from tests.browser.phone_page import PhonePage
from tests.support.gateway_sandbox import SandboxFactory

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_M14_a_request_is_approved_on_the_phone_and_the_bill_is_paid(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.element("operator").select_option("orange-ro")
    await page.take_new_phone("+40740000101", "en")
    for key in ("*100#", "1", "1", "7", "4"):
        await page.send_line(key)
    await expect(page.element("wallet-asks")).to_contain_text("79.90 RON")
    await page.page.click("[data-wallet=approve]")
    await expect(page.element("thread")).to_contain_text("we received 79.90 lei")
    await expect(page.element("wallet")).to_be_hidden()
    assert "approve\n" in await page.download_and_replay(sandboxes)


async def test_M14_what_goes_wrong_at_the_wallet_is_chosen_beside_the_phone(page: PhonePage) -> None:
    await page.element("operator").select_option("orange-ro")
    await page.take_new_phone("+40740000101", "en")
    await page.element("wallet-mode").select_option("no_funds")
    await expect(page.element("dialog")).to_contain_text("wallet no_funds")
    await page.send_text("PAY", "My mobile wallet")
    await page.send_text("4", "your wallet holds less")
