"""Promises to pay, end to end: asked for and confirmed, told to billing or staff, reminders held back (F8)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from flows.domain.promise_records import PaymentPromise, PromiseAnswer
from flows.domain.records import OutboundMessage
from storage.billing.sql import SqlBilling
from tests.support.billing.backends import payment_of
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world
from tests.system.test_payment_reminders import ANA, go_to_due_date, plan, reminders

JEANNE = "+33600000101"


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, caller=ANA, at="2026-04-10 09:00") as opened:
        yield opened


async def promise(world: PaymentWorld, choice: str = "3") -> str:
    """Text the keyword, choose when to pay and agree; return the answer."""
    await world.text("AMANARE")
    await world.text(choice)
    return await world.text("1")


async def promises_made(world: PaymentWorld) -> list[PaymentPromise]:
    """Return the caller's promises, newest first."""
    ports = world.sandbox.container.operators[world.operator]
    account = (await ports.billing.get_subscriber(world.caller)).account
    assert ports.promises
    return [*await ports.promises.list_promises(world.operator, account, ports.now().replace(year=2020))]


async def test_F8_a_bill_is_put_off_and_billing_knows_it(world: PaymentWorld) -> None:
    assert "20.04.2026" in await promise(world)
    (made,) = await promises_made(world)
    assert (made.amount, made.parts, made.last_day.isoformat()) == (Decimal("79.90"), 1, "2026-04-20")
    told = await dump_table(world.sandbox.container.database, "billing_promises")
    assert made.id in told and made.bill_id in told


async def test_F8_instalments_name_each_part(world: PaymentWorld) -> None:
    await world.text("AMANARE")
    asked = await world.text("4")
    assert "39,95" in asked and "25.04.2026" in asked and "10.05.2026" in asked
    assert "39,95" in await world.text("1") and (await promises_made(world))[0].parts == 2


async def test_F8_no_reminder_comes_until_the_promised_day_is_over(world: PaymentWorld) -> None:
    await promise(world)
    for days in (-1, 0, 3):
        await go_to_due_date(world, days)
        await plan(world)
    assert not await reminders(world)
    await go_to_due_date(world, 10)
    await plan(world)
    assert len(await reminders(world)) == 1


async def test_F8_a_promise_made_after_planning_holds_the_reminder_back(world: PaymentWorld) -> None:
    await go_to_due_date(world, -1)
    await plan(world)
    await promise(world)
    assert not await reminders(world)


async def test_F8_one_promise_is_open_at_a_time(world: PaymentWorld) -> None:
    await promise(world)
    assert "20.04.2026" in await world.text("AMANARE") and len(await promises_made(world)) == 1


async def test_F8_the_promises_of_a_year_are_counted(world: PaymentWorld) -> None:
    for _ in range(3):
        await promise(world, "1")
        await world.wait(days=5)
    assert "din acest an" in await world.text("AMANARE") and len(await promises_made(world)) == 3
    await world.wait(days=365)
    assert "din acest an" not in await world.text("AMANARE")


async def test_F8_what_is_left_of_a_small_bill_is_not_put_off(world: PaymentWorld) -> None:
    paid = replace(payment_of(await world.bill(), "shop"), amount=Decimal("60.00"))
    await world.sandbox.faulty_billing.book_payment(paid)
    assert "de la 20,00" in await world.text("AMANARE")


async def test_F8_a_changed_amount_is_asked_about_again(world: PaymentWorld) -> None:
    await world.text("AMANARE")
    await world.text("3")
    paid = replace(payment_of(await world.bill(), "shop"), amount=Decimal("20.00"))
    await world.sandbox.faulty_billing.book_payment(paid)
    assert "59,90" in await world.text("1") and not await promises_made(world)


async def test_F8_billing_may_decline(world: PaymentWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def decline(billing: SqlBilling, made: PaymentPromise) -> PromiseAnswer:
        return "refused"

    monkeypatch.setattr(SqlBilling, "record_promise", decline)
    assert "nu poate fi" in await promise(world) and not await promises_made(world)


async def test_F8_where_billing_takes_no_promises_staff_get_a_ticket(
    world: PaymentWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(each for each in SqlBilling.capabilities if each != "promises")
    monkeypatch.setattr(SqlBilling, "capabilities", known)
    await promise(world)
    tickets = await dump_table(world.sandbox.container.database, "tickets")
    assert "'promise'" in tickets and "pay by 2026-04-20" in tickets
    assert await dump_table(world.sandbox.container.database, "billing_promises") == "[]"
    await go_to_due_date(world, -1)
    await plan(world)
    assert not await reminders(world)


async def test_F8_a_call_confirms_by_sms(sandboxes: SandboxFactory) -> None:
    async with open_payment_world(sandboxes, caller=ANA) as world:
        line = world.sandbox.direct_line({"voice": "line"})
        await line.call(ANA, "411")
        for key in ("1", "6", "3", "2"):
            await line.press(key)
        assert "șaptesprezece martie" in "\n".join((await line.press("1")).lines)
        confirmations: list[OutboundMessage] = [each for each in await world.deliver() if each.to == ANA]
        assert len(confirmations) == 1 and "17.03.2026" in confirmations[0].body


async def test_F8_the_bill_page_promises_and_says_so(sandboxes: SandboxFactory) -> None:
    async with open_payment_world(sandboxes, "orange-fr", JEANNE) as world:
        await world.text("CODE")
        (code,) = {each for one in await world.deliver() for each in re.findall(r"\b\d{6}\b", one.body)}
        visitor = world.server.new_visitor()
        page = await visitor.submit("/orange-fr/bill", number=JEANNE, code=code)
        assert "Payer 34,99 € avant le 17/03/2026" in page.visible_text
        token = page.hidden_fields["form_token"]
        kept = await visitor.post("/orange-fr/bill", {"form_token": token, "promise": "2"})
        assert "jusqu'au 17/03/2026" in kept.visible_text and len(await promises_made(world)) == 1
        again = await visitor.post("/orange-fr/bill", {"form_token": token, "promise": "3"})
        assert "jusqu'au 17/03/2026" in again.visible_text and len(await promises_made(world)) == 1
        assert "17/03/2026" in next(each.body for each in await world.deliver() if each.to == JEANNE)
