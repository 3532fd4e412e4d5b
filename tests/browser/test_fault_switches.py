"""Fault switches of the browser phone: lost replies, slow or failed billing and Redis, the clock."""

import pytest
from playwright.async_api import expect

from tests.browser.phone_page import PhonePage
from tests.support.gateway_sandbox import SandboxFactory

pytestmark = pytest.mark.asyncio(loop_scope="session")
ANA, BARBU = "+40740000101", "+40740000102"


async def test_a_lost_reply_is_asked_for_again_and_nothing_moves_twice(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(BARBU, "en")
    await page.enter_line("*100#", "Welcome")
    await page.page.click("[data-trick=lost]")
    await page.enter_line("1", "Budget")
    await expect(page.element("wire")).to_contain_text("asked again")
    await expect(page.page.locator("[data-trick=lost]")).to_have_attribute("aria-pressed", "false")
    text = await page.download_and_replay(sandboxes)
    assert text.count("again\n") == 1


async def test_a_double_delivery_activates_once(page: PhonePage, sandboxes: SandboxFactory) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100*1*1*3#", "Switch to")
    await page.page.click("[data-trick=twice]")
    await page.enter_line("1", "Done!")
    await expect(page.element("wire")).to_contain_text("delivered twice")
    await expect(page.page.locator("#thread li")).to_have_count(1)
    await page.download_and_replay(sandboxes)


async def test_slow_billing_is_answered_by_sms_later(page: PhonePage, sandboxes: SandboxFactory) -> None:
    await page.take_new_phone(ANA, "ro")
    await page.switch_fault("billing", "slow")
    await page.enter_line("*100*1*1*1#", "prin SMS")
    await expect(page.element("outbox")).to_contain_text("errand")
    await page.download_and_replay(sandboxes)


async def test_billing_that_is_down_is_an_apology_and_comes_back(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100*1*1*3#", "Switch")
    await page.switch_fault("billing", "down")
    await page.enter_line("1", "does not answer")
    await page.switch_fault("billing", "down")
    await page.enter_line("*100*1*1*3#", "Switch")
    await page.enter_line("1", "Done!")
    await page.download_and_replay(sandboxes)


async def test_without_redis_a_call_begins_again_and_goes_on(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("411", "Pentru facturi")
    await page.press_key("1", "Pentru factura electronică")
    await page.switch_fault("sessions", "down")
    await page.press_key("2", "Bine ați venit la Orange")
    await page.press_key("1", "Pentru factura electronică")
    await page.switch_fault("sessions", "down")
    await page.press_key("2", "Introduceți codul")
    await page.download_and_replay(sandboxes)


async def test_without_redis_ussd_goes_on_by_what_the_network_repeats(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100#", "Welcome")
    await page.enter_line("1", "Budget")
    await page.switch_fault("sessions", "down")
    await page.enter_line("1", "Latest bill")
    await page.download_and_replay(sandboxes)


async def test_a_dropped_call_is_over(page: PhonePage, sandboxes: SandboxFactory) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("*100#", "Welcome")
    await page.element("drop").click()
    await expect(page.element("dialog")).to_contain_text("hang up")
    await expect(page.element("drop")).to_be_disabled()
    await expect(page.element("wire")).to_contain_text("ussd-ended")
    await page.download_and_replay(sandboxes)


async def test_the_clock_goes_forward_and_the_code_is_too_old(
    page: PhonePage, sandboxes: SandboxFactory
) -> None:
    await page.take_new_phone(ANA, "en")
    await page.enter_line("411", "Pentru facturi")
    await page.press_key("1", "apăsați 2")
    await page.press_key("2", "Introduceți codul")
    code = await page.read_code()
    await page.page.click("[data-wait]")
    await expect(page.element("dialog")).to_contain_text("wait 16 minutes")
    await page.enter_line(f"{code}#", "nu este bun")
    await page.download_and_replay(sandboxes)
