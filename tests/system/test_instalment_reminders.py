"""Reminders of single instalments, end to end: planned each day, decided again when they are sent (F8)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete

from flows.domain.promise_records import PaymentPromise
from flows.domain.records import ChangeSet, OutboundMessage, Preference
from gateway.publishing.pack_compiler import available_operators
from menus.machine.menu import Menu
from menus.model.facts import Count, Facts, Money, Month
from menus.text.gsm import measure_text, prepare_text
from storage.sql.tables import billing_promises
from tests.support.billing.backends import payment_of
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world
from tests.support.shipped_packs import shipped_menu
from tests.system.test_payment_reminders import ANA, plan

FATIMA, ADDRESS = "+212522000102", "fatima@example.test"
"""A fixed line of Maroc Telecom, whose first bill asks for 99.00."""


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    """Open a world in which Ana has promised 79.90 in two parts: by 25 April and by 10 May, a Sunday."""
    async with open_payment_world(sandboxes, caller=ANA, at="2026-04-10 09:00") as opened:
        await opened.text("AMANARE")
        await opened.text("4")
        await opened.text("1")
        await opened.deliver()
        yield opened


def go_to(world: PaymentWorld, day: str, hour: int = 9) -> None:
    """Set the clock to a local hour of a day."""
    zone = ZoneInfo(world.sandbox.menu.config.time_zone)
    local = datetime.combine(date.fromisoformat(day), time(hour), zone)
    world.sandbox.clock.advance(local - world.sandbox.clock())


async def pay_at_the_shop(world: PaymentWorld, amount: str, key: str = "shop") -> None:
    paid = replace(payment_of(await world.bill(), key), amount=Decimal(amount))
    await world.sandbox.faulty_billing.book_payment(paid)


async def reminders(world: PaymentWorld) -> list[OutboundMessage]:
    """Return the caller's reminders of bills and instalments that have come since the last call."""
    own = [each for each in await world.deliver() if each.to in (world.caller, ADDRESS)]
    return [each for each in own if "/reminder/" in each.key or "/instalment/" in each.key]


async def bodies_of(world: PaymentWorld, day: str) -> list[str]:
    """Return the reminders that a day's run brings."""
    go_to(world, day)
    assert await plan(world) == 0
    return [each.body for each in await reminders(world)]


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-04-20", "rata 1/2: 39,95 lei de platit pana la 25.04.2026"),
        ("2026-04-24", "rata 1/2: 39,95 lei de platit pana la 25.04.2026"),
        ("2026-04-25", "ultima zi pentru rata 1/2, 39,95 lei"),
        ("2026-04-28", "rata 1/2, scadenta la 25.04.2026, nu e achitata: 39,95 lei"),
    ],
)
async def test_F8_an_instalment_is_reminded_of_before_on_and_after_its_day(
    world: PaymentWorld, day: str, words: str
) -> None:
    (body,) = await bodies_of(world, day)
    assert words in body.replace("\u00a0", " ") and "*100#" in body and "http" not in body
    assert not await bodies_of(world, day)


async def test_F8_a_day_that_the_schedule_does_not_name_has_no_reminder_of_an_instalment(
    world: PaymentWorld,
) -> None:
    assert not await bodies_of(world, "2026-04-22")


async def test_F8_a_paid_instalment_is_not_reminded_of_and_the_next_one_is(world: PaymentWorld) -> None:
    go_to(world, "2026-04-24")
    await plan(world)
    await pay_at_the_shop(world, "39.95")
    assert not await reminders(world)
    (body,) = await bodies_of(world, "2026-05-09")
    assert "rata 2/2: 39,95" in body and "10.05.2026" in body


async def test_F8_what_was_paid_of_an_instalment_is_not_asked_for(world: PaymentWorld) -> None:
    await pay_at_the_shop(world, "10.00")
    (body,) = await bodies_of(world, "2026-04-25")
    assert "29,95" in body


async def test_F8_a_missed_instalment_is_reminded_of_as_overdue_and_then_with_the_next(
    world: PaymentWorld,
) -> None:
    (overdue,) = await bodies_of(world, "2026-05-05")
    assert "rata 1/2" in overdue and "39,95" in overdue
    (last,) = await bodies_of(world, "2026-05-13")
    assert "rata 2/2" in last and "79,90" in last


async def test_F8_a_promise_ended_at_billing_gives_its_bill_back_to_the_schedule(world: PaymentWorld) -> None:
    due = (await world.bill()).due
    database = world.sandbox.container.database
    await database.write(lambda connection: connection.execute(delete(billing_promises)))
    (body,) = await bodies_of(world, due.isoformat())
    assert "rata" not in body and "79,90" in body
    assert not await bodies_of(world, "2026-04-28")


async def test_F8_a_bill_in_instalments_has_no_reminder_of_its_own(world: PaymentWorld) -> None:
    assert not await bodies_of(world, (await world.bill()).due.isoformat())


async def test_F8_reminders_of_instalments_wait_while_billing_is_out(world: PaymentWorld) -> None:
    go_to(world, "2026-04-24")
    await plan(world)
    world.sandbox.faulty_billing.set_state("down")
    assert not await reminders(world)
    world.sandbox.faulty_billing.set_state("up")
    go_to(world, "2026-04-24", hour=10)
    assert len(await reminders(world)) == 1


async def test_F8_an_instalment_that_is_being_paid_is_not_reminded_of(world: PaymentWorld) -> None:
    go_to(world, "2026-04-24")
    await world.start(await world.request_link(), "silent")
    await plan(world)
    assert not await reminders(world)


async def test_F8_an_instalment_of_a_line_without_sms_is_reminded_of_by_e_mail(
    sandboxes: SandboxFactory,
) -> None:
    async with open_payment_world(sandboxes, "maroc-telecom", FATIMA) as world:
        await promise_in_parts(world)
        go_to(world, "2026-03-24")
        await plan(world)
        (mail,) = await reminders(world)
        assert (mail.route, mail.to) == ("email", ADDRESS)
        assert mail.subject and "49,50" in mail.body and "25/03/2026" in mail.body


async def promise_in_parts(world: PaymentWorld) -> None:
    """Let the fixed line promise its bill in two parts, and have a validated address."""
    ports, bill = world.sandbox.container.operators[world.operator], await world.bill()
    holder, now = await ports.billing.get_subscriber(FATIMA), ports.now()
    made = PaymentPromise(
        id="f0" * 16,
        operator=world.operator,
        subscription=holder.id,
        account=bill.account,
        bill_id=bill.id,
        amount=bill.remaining,
        parts=2,
        first_day=date(2026, 3, 25),
        last_day=date(2026, 4, 9),
        promised_at=now,
    )
    await world.sandbox.faulty_billing.record_promise(made)
    preference = Preference(email=ADDRESS, email_validated=True)
    change = ChangeSet("promised", world.operator, holder.id, now, preference=preference, promise=made)
    await ports.ledger.commit(change)


async def test_F8_an_ended_line_or_account_stops_no_other_reminder(world: PaymentWorld) -> None:
    ports = world.sandbox.container.operators[world.operator]
    (made,) = await ports.promises.list_plans(world.operator, date(2026, 4, 10), "", 10)  # type: ignore[union-attr]
    stray = replace(made, id="00" * 16, account="nobody", bill_id="nothing")
    await ports.ledger.commit(ChangeSet("stray", world.operator, "nobody", ports.now(), promise=stray))
    assert len(await bodies_of(world, "2026-04-24")) == 1


@pytest.mark.parametrize("operator", available_operators())
def test_F8_reminders_of_instalments_are_written_in_every_language_and_fit_their_message(operator: str) -> None:
    menu = shipped_menu(operator)
    for language, pack in menu.language_packs.items():
        most = 70 if pack.language_data.ucs2 and language == pack.native_language else 160
        for kind in ("before", "due", "overdue"):
            text = menu.fill_text(f"instalment.{kind}_notice", language, "sms", widest_instalment(menu))
            assert measure_text(prepare_text(text)).units <= most, text


def widest_instalment(menu: Menu) -> Facts:
    amount = Money(Decimal("1999.999"))
    counts = {"part_number": Count(2), "delay_parts": Count(4)}
    return {"month": Month(2026, 12), "part_amount": amount, "part_on": date(2026, 12, 28), **counts}
