"""Paying from a wallet, end to end: phone, outbox, wallet with its faults, callbacks, billing, receipt."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest
from aiohttp import ClientSession

from flows.domain.actions import ActionRequest
from flows.domain.failures import NotFound
from flows.payments.opening import PaymentOpening
from flows.payments.payment_link import LinkedBill
from flows.selfcare.pay import request_wallet
from gateway.demo.wallet.wallet_book import WalletMode
from gateway.payments.wallet_settings import WalletName
from menus.model.facts import Money, Text
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.sim_change import with_sim_change
from tests.support.wallet_world import ANA, WalletWorld, open_wallet_world

NEW_SIM, OTHER_NETWORK = "+40740000106", "+40720000999"
"""A line whose SIM was changed an hour ago, and a phone that is no line of the operator."""


@pytest.fixture(params=get_args(WalletName))
async def world(sandboxes: SandboxFactory, request: pytest.FixtureRequest) -> AsyncIterator[WalletWorld]:
    async with open_wallet_world(sandboxes, request.param) as opened:
        yield opened


@pytest.fixture
async def mtn_world(sandboxes: SandboxFactory) -> AsyncIterator[WalletWorld]:
    async with open_wallet_world(sandboxes, "mtn_momo") as opened:
        yield opened


async def wallet_request(world: WalletWorld, caller: str) -> ActionRequest:
    """Return a request of Ana's line to pay its bill from the wallet of a phone."""
    bill, ports = await world.bill(), world.sandbox.container.operators[OPERATOR]
    return ActionRequest(
        menu=world.sandbox.menu,
        ports=ports,
        subscriber=await ports.billing.get_subscriber(ANA),
        lookup_failure=NotFound,
        caller=caller,
        channel="ussd",
        language="ro",
        proofs=("password",),
        argument="",
        input_text="",
        facts={"bill": Text(bill.id), "remaining": Money(bill.remaining)},
        key="turn-1/pay.wallet",
        now=world.sandbox.clock(),
        subject=ANA,
    )


async def test_M14_an_approved_request_pays_the_bill_and_a_receipt_follows(world: WalletWorld) -> None:
    assert "codul portofelului" in await world.ask_wallet()
    assert not world.book.requests, "the request waits until the phone's own session is over"
    await world.wait(seconds=5)
    (request,) = world.book.requests.values()
    assert request.amount == Decimal("79.90") and request.payer.endswith("740000101")
    assert await world.states() == ["pending"] and (await world.bill()).state == "due"
    await world.book.press(request.reference)
    await world.wait(seconds=30)
    assert await world.states() == ["booked"] and (await world.bill()).state == "paid"
    assert len([each for each in world.received if "am primit" in each and "79,90" in each]) == 1


@pytest.mark.parametrize(
    "mode",
    ["lost_answer", "error_first", "silent", "double", "late_callback", "forged_callback", "slow_result"],
)
async def test_M14_faults_of_the_network_charge_once_and_book_once(
    world: WalletWorld, mode: WalletMode
) -> None:
    await world.ask_wallet(mode)
    await world.wait(seconds=5)
    await world.wait(minutes=1)
    (reference,) = world.book.requests
    assert await world.states() == ["pending"], "whatever a callback says before the owner has answered"
    await world.book.press(reference)
    await world.wait(minutes=2)
    assert await world.states() == ["booked"] and world.book.money_in == Decimal("79.90")
    assert len([each for each in world.received if "am primit" in each]) == 1


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("refuse", "nu a reușit"),
        ("no_funds", "mai puțin de"),
        ("over_limit", "limita portofelului"),
        ("no_wallet", "nu are portofel"),
        ("expires", "nu a reușit"),
    ],
)
async def test_a_failure_is_told_with_its_cause_and_can_be_tried_again(
    mtn_world: WalletWorld, mode: WalletMode, told: str
) -> None:
    await mtn_world.pay(mode)
    plain = str.maketrans("șțăîâ", "staia")
    assert [each for each in mtn_world.received if told.translate(plain) in each.translate(plain)]
    await mtn_world.pay()
    assert await mtn_world.states() == ["booked", "failed"]


async def test_M14_silence_is_no_failure_however_long_it_lasts(
    world: WalletWorld, caplog: pytest.LogCaptureFixture
) -> None:
    reference = await world.request_on_phone("pending")
    await world.wait(hours=20)
    assert await world.states() == ["pending"] and not world.received
    assert "este in curs" in await world.text("PAY")
    await world.wait(hours=6)
    await world.wait(days=3)
    assert await world.states() == ["pending"] and len([e for e in world.received if "verific" in e]) == 1
    assert caplog.messages.count("payments.wallet_silent") == 1
    await world.book.settle(reference, "paid")
    await world.wait(days=1)
    assert await world.states() == ["booked"] and (await world.bill()).remaining == 0


async def test_a_request_that_its_wallet_ends_after_days_took_nothing(world: WalletWorld) -> None:
    reference = await world.request_on_phone("pending")
    await world.wait(hours=26)
    await world.book.settle(reference, "expired")
    await world.wait(days=1)
    assert await world.states() == ["failed"] and (await world.bill()).state == "due"


async def test_a_success_after_a_failure_was_heard_still_pays_the_bill(world: WalletWorld) -> None:
    reference = await world.pay("refuse")
    assert await world.states() == ["failed"]
    await world.book.settle(reference, "paid")
    await world.wait(hours=2)
    assert await world.states() == ["booked"]


async def test_another_amount_is_never_booked(world: WalletWorld) -> None:
    await world.pay("wrong_amount")
    assert await world.states() == ["unknown"] and (await world.bill()).state == "due"
    assert len([each for each in world.received if "verific" in each]) == 1


async def test_a_request_that_never_gets_through_is_given_up_soon(mtn_world: WalletWorld) -> None:
    await mtn_world.ask_wallet("error_first")
    for _ in range(15):
        mtn_world.book.refused_once.clear()
        await mtn_world.wait(minutes=2)
    assert not mtn_world.book.requests and await mtn_world.states() == ["failed"]
    assert len([each for each in mtn_world.received if "nu a reu" in each]) == 1


async def test_a_wallet_that_refuses_to_tell_for_a_while_loses_no_payment(world: WalletWorld) -> None:
    reference = await world.request_on_phone()
    world.book.is_refusing = True
    await world.book.press(reference)
    await world.wait(minutes=5)
    assert await world.states() == ["pending"]
    world.book.is_refusing = False
    await world.wait(hours=1)
    assert await world.states() == ["booked"] and (await world.bill()).remaining == 0


async def test_a_request_that_the_wallet_refuses_is_given_up_and_told_once(world: WalletWorld) -> None:
    world.book.is_refusing = True
    await world.ask_wallet()
    for _ in range(4):
        await world.wait(minutes=3)
    world.book.is_refusing = False
    await world.wait(hours=1)
    assert await world.states() == ["failed"] and not world.book.requests
    assert len([each for each in world.received if "nu a reu" in each]) == 1


async def test_a_payment_of_a_wallet_that_was_switched_off_gets_no_page(mtn_world: WalletWorld) -> None:
    await mtn_world.request_on_phone("pending")
    ports, bill = mtn_world.sandbox.container.operators[OPERATOR], await mtn_world.bill()
    ports.wallet = None
    linked = LinkedBill(bill.account, bill.id, ANA, ANA, "ro")
    opened = await PaymentOpening(ports, OPERATOR, "RON").start_payment(linked, "any", bill)
    assert opened.provider == "mtn_momo" and not opened.page_url and await mtn_world.states() == ["pending"]


async def test_M14_asking_twice_brings_one_request(world: WalletWorld) -> None:
    await world.ask_wallet()
    await world.ask_wallet()
    await world.wait(seconds=5)
    assert len(world.book.requests) == 1 and await world.states() == ["pending"]


async def test_the_link_of_the_bill_opens_no_second_payment(mtn_world: WalletWorld) -> None:
    await mtn_world.text("PAY")
    await mtn_world.text("1")
    await mtn_world.ask_wallet()
    (link,) = [each for each in await mtn_world.wait(seconds=5) if "/pay#" in each]
    assert link and await mtn_world.states() == ["pending"]
    assert "este in curs" in await mtn_world.text("PAY")


async def test_a_callback_proves_nothing_by_itself(mtn_world: WalletWorld) -> None:
    await mtn_world.request_on_phone("pending")
    (intent,) = await mtn_world.intents()
    path = f"{mtn_world.url}/hooks/{OPERATOR}/mtn_momo/payment"
    async with ClientSession() as client:
        paid = {"externalId": intent.id, "status": "SUCCESSFUL", "amount": "79.90", "currency": "RON"}
        async with client.put(path, json=paid) as answer:
            assert answer.status == 200
        async with client.put(path, json=paid | {"externalId": "0" * 32}) as answer:
            assert answer.status == 401
    await mtn_world.wait(minutes=5)
    assert await mtn_world.states() == ["pending"]


async def test_a_changed_sim_stops_the_wallet_for_a_day(mtn_world: WalletWorld) -> None:
    ports, clock = mtn_world.sandbox.container.operators[OPERATOR], mtn_world.sandbox.clock
    known = ports.billing
    ports.billing = with_sim_change(known, clock() - timedelta(hours=23))
    assert "SIM" in await mtn_world.ask_wallet() and await mtn_world.states() == []
    ports.billing = with_sim_change(known, clock() - timedelta(hours=25))
    assert "codul portofelului" in await mtn_world.ask_wallet()
    await mtn_world.wait(seconds=5)
    assert len(mtn_world.book.requests) == 1


async def test_the_sim_of_the_wallets_own_phone_counts_when_another_line_is_paid(
    mtn_world: WalletWorld,
) -> None:
    request = await wallet_request(mtn_world, NEW_SIM)
    assert (await request_wallet(request)).name == "held" and await mtn_world.states() == []
    assert (await request_wallet(replace(request, caller=OTHER_NETWORK))).name == "ok"


async def test_M14_the_wallet_is_asked_from_a_ussd_menu(mtn_world: WalletWorld) -> None:
    await mtn_world.line.dial(ANA, "*100#")
    for key in ("1", "1", "7"):
        shown = await mtn_world.line.press(key)
    assert any("Portofelul" in line for line in shown.lines)
    last = await mtn_world.line.press("4")
    assert "79,90 lei" in last.lines[0] and "codul portofelului" in last.lines[0] and last.ends
    await mtn_world.wait(seconds=5)
    assert len(mtn_world.book.requests) == 1


async def test_M14_the_wallet_is_asked_on_a_call(sandboxes: SandboxFactory) -> None:
    async with open_wallet_world(sandboxes, "mtn_momo") as world:
        line = world.sandbox.direct_line({"voice": "line"})
        await line.call(ANA, world.sandbox.menu.config.numbers.voice)
        for key in ("1", "6", "4"):
            said = await line.press(key)
        assert "codul portofelului" in " ".join(said.lines) and said.ends
        await world.wait(seconds=5)
        assert [each.payer for each in world.book.requests.values()] == [ANA.removeprefix("+")]


async def test_M14_only_ways_that_are_set_up_are_offered(sandboxes: SandboxFactory) -> None:
    async with open_wallet_world(sandboxes, "mtn_momo", {"operators": {OPERATOR: {"payments": None}}}) as world:
        offered, phone = await world.text("PAY"), world.sandbox.direct_line({"voice": "line"})
        await phone.call(ANA, world.sandbox.menu.config.numbers.voice)
        await phone.press("1")
        said = " ".join((await phone.press("6")).lines)
    assert "Portofelul" in offered and "portofelul mobil" in said and "link" not in offered + said
    async with sandboxes.open("2026-03-10 09:00") as sandbox:
        lines = await sandbox.direct_line().send_text(ANA, sandbox.menu.config.numbers.sms, "PAY")
    assert "linkul" in "\n".join(lines.lines) and "Portofelul" not in "\n".join(lines.lines)


async def test_M14_a_phone_without_number_is_told_to_call_from_a_mobile(mtn_world: WalletWorld) -> None:
    request = await wallet_request(mtn_world, "")
    assert (await request_wallet(request)).name == "unreachable" and await mtn_world.states() == []
