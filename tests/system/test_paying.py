"""Paying by link, end to end: phone, page, provider with its faults, billing, receipt."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import update

from gateway.demo.payfake import PayfakeMode
from storage.sql.tables import billing_bills
from tests.support.billing.backends import payment_of
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

ANA = "+40740000101"


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA) as opened:
        yield opened


async def test_a_paid_bill_is_paid_everywhere_and_has_one_receipt(world: PaymentWorld) -> None:
    await world.pay()
    receipts = [each.body for each in world.received if "am primit" in each.body]
    assert len(receipts) == 1 and "79,90" in receipts[0]
    assert (await world.bill()).state == "paid" and await world.states() == ["booked"]
    assert "achitata" in await world.text("FACTURA")
    assert "nimic de plata" in await world.text("PLATA")


@pytest.mark.parametrize("mode", ["ok", "double", "silent", "bad_signature", "old_timestamp", "early_event"])
async def test_whatever_becomes_of_the_callback_the_bill_is_paid_once(
    world: PaymentWorld, mode: PayfakeMode
) -> None:
    await world.pay(mode)
    await world.wait(minutes=2)
    assert await world.states() == ["booked"] and world.payfake.money_in == Decimal("79.90")
    assert len([each for each in world.received if "am primit" in each.body]) == 1


async def test_a_session_whose_answer_was_lost_is_not_opened_twice(world: PaymentWorld) -> None:
    token = await world.request_link()
    world.payfake.mode = "error_first"
    visitor, page = await world.open_link(token)
    assert (await visitor.post(world.pay_path, page.hidden_fields)).status == 503
    session = await world.start(token)
    await world.payfake.press(session)
    await world.deliver()
    assert len(world.payfake.sessions) == 1 and await world.states() == ["booked"]


async def test_the_button_pressed_twice_leads_to_one_page_of_the_provider(world: PaymentWorld) -> None:
    visitor, page = await world.open_link(await world.request_link())
    url = visitor.url + world.pay_path

    async def press() -> str:
        async with visitor.session.post(url, data=page.hidden_fields, allow_redirects=False) as response:
            return response.headers["Location"]

    at_once = await asyncio.gather(press(), press())
    assert {*at_once, await press()} == {at_once[0]}
    assert len(world.payfake.sessions) == 1


async def test_a_refusal_is_told_and_can_be_tried_again(world: PaymentWorld) -> None:
    token = await world.request_link()
    refused = await world.start(token, "refuse")
    await world.payfake.press(refused)
    assert [each.body for each in await world.deliver() if "nu a reu" in each.body]
    await world.payfake.press(await world.start(token))
    await world.deliver()
    assert await world.states() == ["booked", "failed"]


async def test_money_after_the_expiry_still_pays_the_bill(world: PaymentWorld) -> None:
    session = await world.start(await world.request_link(), "silent")
    world.payfake.sessions[session]["status"] = "expired"
    await world.wait(minutes=1)
    assert await world.states() == ["expired"]
    await world.payfake.pay_late(session)
    await world.wait(hours=1)
    assert await world.states() == ["booked"] and (await world.bill()).remaining == 0


async def test_a_bill_paid_twice_gives_one_payment_back(world: PaymentWorld) -> None:
    token = await world.request_link()
    first = await world.start(token, "silent")
    world.payfake.sessions[first]["status"] = "expired"
    await world.wait(minutes=1)
    second = await world.start(token)
    await world.payfake.press(second)
    await world.deliver()
    await world.payfake.pay_late(first)
    await world.wait(hours=2)
    assert sorted(await world.states()) == ["booked", "refunded"]
    assert world.payfake.money_in - world.payfake.money_back == Decimal("79.90")
    assert [each.body for each in world.received if "era deja achitata" in each.body]


async def test_another_amount_is_never_booked(world: PaymentWorld) -> None:
    await world.pay("wrong_amount")
    await world.wait(minutes=2)
    assert await world.states() == ["unknown"] and (await world.bill()).state == "due"
    assert len([each for each in world.received if "verific" in each.body]) == 1
    assert "este in curs" in await world.text("PLATA")


async def test_the_return_page_says_what_is_known_here(world: PaymentWorld) -> None:
    session = await world.start(await world.request_link(), "silent")
    before = await world.return_page(session)
    assert "Așteptăm" in before.visible_text and before.headers["Refresh"].startswith("3;")
    await world.payfake.press(session)
    assert "Așteptăm" in (await world.return_page(session)).visible_text
    await world.deliver()
    after = await world.return_page(session)
    assert "Plata a fost primită" in after.visible_text and "Refresh" not in after.headers


async def test_the_query_of_the_return_page_proves_nothing(world: PaymentWorld) -> None:
    session = await world.start(await world.request_link(), "silent")
    url = str(world.payfake.sessions[session]["return_url"]).removeprefix(world.server.url)
    page = await world.server.new_visitor().get(f"{url}&status=paid&redirect_status=succeeded")
    assert "Așteptăm" in page.visible_text and (await world.bill()).state == "due"
    assert (await world.server.new_visitor().get(f"/{world.operator}/paid?payment={'0' * 32}")).status == 404


async def test_a_changed_amount_is_shown_again_before_anybody_pays(world: PaymentWorld) -> None:
    visitor, page = await world.open_link(await world.request_link())
    in_a_shop = replace(payment_of(await world.bill(), "shop"), amount=Decimal("20.00"))
    await world.sandbox.faulty_billing.book_payment(in_a_shop)
    again = await visitor.post(world.pay_path, page.hidden_fields)
    assert "59,90" in again.visible_text and not world.payfake.sessions


async def test_a_cancelled_bill_is_not_paid_by_its_link(world: PaymentWorld) -> None:
    token, bill = await world.request_link(), await world.bill()
    cancel = update(billing_bills).where(billing_bills.c.id == bill.id).values(cancelled=True)
    await world.sandbox.container.database.write(lambda connection: connection.execute(cancel))
    _, page = await world.open_link(token)
    assert "nimic de plată" in page.visible_text and not page.hidden_fields


async def test_the_page_shows_nothing_that_needs_a_code(world: PaymentWorld) -> None:
    _, page = await world.open_link(await world.request_link())
    assert "79,90" in page.visible_text and "07***101" in page.visible_text
    assert "Ionescu" not in page.text and ANA.removeprefix("+4") not in page.text
    assert f"form-action 'self' {world.payfake.url}" in page.headers["Content-Security-Policy"]
    assert world.payfake.url.removeprefix("http://") in page.visible_text


async def test_the_link_of_a_paid_bill_shows_its_receipt(world: PaymentWorld) -> None:
    token = await world.request_link()
    await world.payfake.press(await world.start(token))
    await world.deliver()
    _, page = await world.open_link(token)
    assert (await world.intents())[0].receipt in page.visible_text


async def test_a_link_is_over_after_a_day(world: PaymentWorld) -> None:
    token = await world.request_link()
    await world.wait(hours=25)
    assert (await world.open_link(token))[1].status == 404


async def test_another_language_of_the_pay_page_keeps_the_bill_and_starts_no_payment(
    world: PaymentWorld,
) -> None:
    visitor, page = await world.open_link(await world.request_link())
    shown = await visitor.post(f"{world.pay_path}?lang=en", page.hidden_fields | {"switch": "1"})
    assert shown.status == 200 and shown.headers["Content-Language"] == "en"
    assert "79.90" in shown.visible_text and 'role="alert"' not in shown.text
    assert world.payfake.sessions == {} and await world.states() == []
