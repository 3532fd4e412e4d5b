"""Payment intents in SQL: what staff did by hand is stored with the step, on both engines."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from flows.domain.failures import Failure
from flows.domain.payment_records import BY_HAND, PaymentChange, PaymentResolution
from flows.payments.tasks import CHECK, audit_step, build_task
from storage.payments.intents import SqlPaymentIntents
from storage.sql.engine import Database
from storage.sql.tables import audit
from tests.support.databases import NOW, SECRET
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.payment_intents import PAYMENT_INTENT

INTENT = replace(PAYMENT_INTENT, state="unknown")
RESOLUTION = PaymentResolution("refunded", Decimal("34.99"), "m.durand", "refund 4711")
CHANGE = PaymentChange(INTENT.id, ("unknown",), "refunded", NOW, reason=BY_HAND, resolution=RESOLUTION)
ENTRY = audit_step(INTENT, "payment.refunded_by_hand", NOW)
OPERATOR = INTENT.operator


@pytest.fixture
async def intents(database: Database) -> SqlPaymentIntents:
    made = SqlPaymentIntents(database, SECRET)
    opened = replace(INTENT, state="confirmed")
    await made.open_intent(opened, build_task(CHECK, opened, NOW), audit_step(opened, "payment.confirmed", NOW))
    assert await made.advance(replace(CHANGE, expected=("confirmed",), state="unknown", resolution=None))
    return made


async def count_entries(database: Database) -> int:
    by_hand = select(func.count()).select_from(audit).where(audit.c.action == ENTRY.action)
    return await database.read(lambda connection: int(connection.execute(by_hand).scalar_one()))


async def test_of_records_at_the_same_moment_one_is_stored_with_its_entry(
    database: Database, intents: SqlPaymentIntents
) -> None:
    done = await asyncio.gather(*(intents.advance(CHANGE, (), (ENTRY,)) for _ in range(4)))
    assert sorted(done) == [False, False, False, True] and await count_entries(database) == 1
    assert await intents.find_resolution(OPERATOR, INTENT.id) == RESOLUTION
    assert await intents.find_resolution("orange-ro", INTENT.id) is None


async def test_a_record_that_cannot_be_stored_leaves_state_and_audit_log_alone(
    database: Database, intents: SqlPaymentIntents
) -> None:
    other = replace(RESOLUTION, state="pending")  # type: ignore[arg-type]  # the table's own check refuses it
    with pytest.raises(Failure):
        await intents.advance(replace(CHANGE, resolution=other), (), (ENTRY,))
    found = await intents.find_intent(OPERATOR, INTENT.id)
    assert found and found.state == "unknown" and await count_entries(database) == 0


async def test_a_later_record_replaces_the_one_before(intents: SqlPaymentIntents) -> None:
    nothing = replace(RESOLUTION, state="failed", amount=Decimal(0))
    assert await intents.advance(replace(CHANGE, state="failed", resolution=nothing))
    assert await intents.advance(replace(CHANGE, expected=("failed",), state="unknown", resolution=None))
    assert await intents.advance(CHANGE)
    assert await intents.find_resolution(OPERATOR, INTENT.id) == RESOLUTION
