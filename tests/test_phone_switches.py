"""Fault switches of the browser phone: lost replies, slow or failed billing and Redis, the clock."""

import pytest
from playwright.async_api import expect

from tests.chromium import Phone
from tests.world import Worlds

pytestmark = pytest.mark.asyncio(loop_scope="session")
ANA, BARBU = "+40740000101", "+40740000102"


async def test_a_lost_reply_is_asked_for_again_and_nothing_moves_twice(page: Phone, sandboxes: Worlds) -> None:
    await page.be(BARBU, "en")
    await page.enter("*100#", "Welcome")
    await page.page.click("[data-trick=lost]")
    await page.enter("1", "Budget")
    await expect(page.the("wire")).to_contain_text("asked again")
    await expect(page.page.locator("[data-trick=lost]")).to_have_attribute("aria-pressed", "false")
    text = await page.passes(sandboxes)
    assert text.count("again\n") == 1


async def test_a_double_delivery_activates_once(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("*100*1*1*3#", "Switch to")
    await page.page.click("[data-trick=twice]")
    await page.enter("1", "Done!")
    await expect(page.the("wire")).to_contain_text("delivered twice")
    await expect(page.page.locator("#thread li")).to_have_count(1)
    await page.passes(sandboxes)


async def test_slow_billing_is_answered_by_sms_later(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "ro")
    await page.spoil("billing", "slow")
    await page.enter("*100*1*1*1#", "prin SMS")
    await expect(page.the("outbox")).to_contain_text("errand")
    await page.passes(sandboxes)


async def test_billing_that_is_down_is_an_apology_and_comes_back(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("*100*1*1*3#", "Switch")
    await page.spoil("billing", "down")
    await page.enter("1", "does not answer")
    await page.spoil("billing", "down")
    await page.enter("*100*1*1*3#", "Switch")
    await page.enter("1", "Done!")
    await page.passes(sandboxes)


async def test_without_redis_a_call_begins_again_and_goes_on(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("411", "For bills")
    await page.press("1", "For e-invoice")
    await page.spoil("sessions", "down")
    await page.press("2", "Welcome to Orange")
    await page.press("1", "For e-invoice")
    await page.spoil("sessions", "down")
    await page.press("2", "Type the code")
    await page.passes(sandboxes)


async def test_without_redis_ussd_goes_on_by_what_the_network_repeats(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("*100#", "Welcome")
    await page.enter("1", "Budget")
    await page.spoil("sessions", "down")
    await page.enter("1", "Latest bill")
    await page.passes(sandboxes)


async def test_a_dropped_call_is_over(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("*100#", "Welcome")
    await page.the("drop").click()
    await expect(page.the("dialog")).to_contain_text("hang up")
    await expect(page.the("drop")).to_be_disabled()
    await expect(page.the("wire")).to_contain_text("ussd-ended")
    await page.passes(sandboxes)


async def test_the_clock_goes_forward_and_the_code_is_too_old(page: Phone, sandboxes: Worlds) -> None:
    await page.be(ANA, "en")
    await page.enter("411", "For bills")
    await page.press("1", "press 2")
    await page.press("2", "Type the code")
    code = await page.code()
    await page.page.click("[data-wait]")
    await expect(page.the("dialog")).to_contain_text("wait 16 minutes")
    await page.enter(f"{code}#", "not right")
    await page.passes(sandboxes)
