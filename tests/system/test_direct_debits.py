"""Direct debits, the mandate's link and other ways to pay, by phone, in reminders and on the web (F8)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from flows.domain.account_activity import DirectDebit
from flows.payments.direct_debits import collects_bill, mandate_facts
from menus.model.facts import Text
from tests.support.billing.backends import payment_of
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import PageResponse
from tests.support.payment_world import PaymentWorld, open_payment_world
from tests.system.test_payment_reminders import go_to_due_date, plan

PAUL = "+33600000102"
DUE = date(2026, 3, 17)
MANDATE = DirectDebit("OFR000102", "4821", DUE)


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, "orange-fr", PAUL) as opened:
        yield opened


async def set_mandate(world: PaymentWorld, collects_on: date | None) -> None:
    """Let billing name another day of collection, or none."""

    def job(connection: object) -> None:
        connection.exec_driver_sql(  # type: ignore[attr-defined]
            "UPDATE billing_debits SET collects_on = ? WHERE account = ?",
            (collects_on and collects_on.isoformat(), PAUL.removeprefix("+")),
        )

    await world.sandbox.container.database.write(job)


@pytest.mark.parametrize(
    ("mandate", "today"),
    [
        (MANDATE, DUE - timedelta(days=7)),
        (MANDATE, DUE),
        (replace(MANDATE, collects_on=None), DUE),
    ],
)
def test_F8_a_bill_is_collected_until_the_day_is_over(mandate: DirectDebit, today: date) -> None:
    assert collects_bill(mandate, DUE, today)


@pytest.mark.parametrize(
    ("mandate", "today"),
    [
        (MANDATE, DUE + timedelta(days=1)),
        (replace(MANDATE, collects_on=DUE - timedelta(days=3)), DUE - timedelta(days=2)),
        (None, DUE),
    ],
)
def test_F8_a_bill_whose_collection_is_over_is_to_be_paid(mandate: DirectDebit | None, today: date) -> None:
    assert not collects_bill(mandate, DUE, today)


def test_F8_a_long_reference_is_shown_by_its_end() -> None:
    shown = mandate_facts(replace(MANDATE, reference="SEPA" + "7" * 30 + "X"))["mandate"]
    assert shown == Text("..." + "7" * 16 + "X")


async def test_F8_the_debit_is_shown_with_its_day_and_reference(world: PaymentWorld) -> None:
    shown = await world.text("PAYER")
    assert all(each in shown for each in ("39,90", "17/03/2026", "OFR000102", "****4821"))
    assert "39,90" in await world.text("1") and not await world.deliver()


async def test_F8_without_a_day_only_the_mandate_is_shown(world: PaymentWorld) -> None:
    await set_mandate(world, None)
    shown = await world.text("PAYER")
    assert "OFR000102" in shown and "17/03" not in shown


async def test_F8_a_collection_that_is_over_leaves_the_bill_to_be_paid(world: PaymentWorld) -> None:
    await set_mandate(world, date(2026, 3, 9))
    assert "OFR000102" not in await world.text("PAYER")


async def test_F8_a_debit_is_announced_once_in_place_of_reminders(world: PaymentWorld) -> None:
    for days in (-5, -1, 0, 3):
        await go_to_due_date(world, days)
        await plan(world)
        await world.deliver()
    texts = [each.body for each in world.received if each.to == PAUL and "/reminder/" in each.key]
    assert len(texts) == 2 and "OFR000102" in texts[0] and "17/03/2026" in texts[0]
    assert "retard" in texts[1] and "OFR000102" not in texts[1]


async def test_F8_a_debit_without_a_day_is_neither_announced_nor_reminded_of(world: PaymentWorld) -> None:
    await set_mandate(world, None)
    await go_to_due_date(world, -1)
    await plan(world)
    assert not [each for each in await world.deliver() if each.to == PAUL and "/reminder/" in each.key]


async def test_F8_the_mandate_page_comes_by_sms(world: PaymentWorld) -> None:
    for words in ("PAYER", "1", "2", "1"):
        await world.text(words)
    (message,) = [each for each in await world.deliver() if each.to == PAUL]
    assert "https://paiement.orange.example/mandat" in message.body


async def test_F8_cheque_and_slip_name_their_address_and_days(world: PaymentWorld) -> None:
    for words in ("PAYER", "1", "2"):
        await world.text(words)
    cheque = await world.text("2")
    for words in ("PAYER", "1", "2"):
        await world.text(words)
    slip = await world.text("3")
    assert "33000 Bordeaux" in cheque and "5 jours" in cheque
    assert "33000 Bordeaux" in slip and "7 jours" in slip


async def open_bill_page(world: PaymentWorld) -> PageResponse:
    """Ask for a code by text and return the page it opens."""
    await world.text("CODE")
    (code,) = {found[0] for each in await world.deliver() if (found := re.search(r"\b\d{6}\b", each.body))}
    return await world.server.new_visitor().submit(f"/{world.operator}/bill", number=PAUL, code=code)


async def test_F8_the_bill_page_shows_the_debit_the_ways_and_what_was_paid(world: PaymentWorld) -> None:
    await world.sandbox.faulty_billing.book_payment(
        replace(payment_of(await world.bill(), "shop"), amount=Decimal("9.90"), provider="cash")
    )
    page = await open_bill_page(world)
    shown = page.visible_text
    assert "OFR000102" in shown and "17/03/2026" in shown and "33000 Bordeaux" in shown
    assert "9,90" in shown and "espèces" in shown and "https://paiement.orange.example/mandat" in shown


async def test_F8_the_payment_page_says_what_will_be_debited(world: PaymentWorld) -> None:
    await world.text("PAYER")
    await world.text("1")
    await world.text("1")
    body = next(each.body for each in await world.deliver() if "/pay#" in each.body)
    _, page = await world.open_link(body.partition("/pay#")[2].split()[0])
    assert "OFR000102" in page.visible_text and "39,90" in page.visible_text
