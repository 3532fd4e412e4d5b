"""Outbox claim: full routes are skipped, and the others share the batch fairly."""

from dataclasses import replace
from typing import Literal

import pytest

from flows.domain.records import Change, Notice, NoticeClass
from storage.ledger.store import SqlLedger
from storage.outbox.store import SqlOutbox
from tests.sql import NOW
from tests.test_outbox import claimed, notice
from tests.test_outbox import ledger as ledger
from tests.test_outbox import outbox as outbox

SMS = ("orange-ro", "sms")


def of(key: str, operator: str, route: Literal["sms", "email"] = "sms") -> Notice:
    return replace(notice(key), operator=operator, route=route)


async def put(ledger: SqlLedger, *notices: Notice) -> None:
    await ledger.commit(Change("put", "orange-ro", "s", NOW, notices=notices))


async def keys(outbox: SqlOutbox, most: int, *full: tuple[str, str]) -> list[str]:
    return [parcel.item.key for parcel in await outbox.claim(most, NOW, full)]


async def test_a_full_route_is_skipped_until_it_has_capacity(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    mail, other = of("mail", "orange-ro", "email"), of("other", "tunisie-telecom")
    await put(ledger, *(notice(f"n{number}") for number in range(50)), mail, other)
    assert sorted(await keys(outbox, 10, SMS)) == ["mail", "other"]
    assert await keys(outbox, 10, SMS) == []
    assert await claimed(outbox) == [f"n{number}" for number in range(50)]


@pytest.mark.parametrize(("kind", "left"), [("code", 0), ("reply", 0), ("notice", 1), ("campaign", 1)])
async def test_codes_and_replies_are_claimed_on_a_full_route(
    outbox: SqlOutbox, ledger: SqlLedger, kind: NoticeClass, left: int
) -> None:
    await put(ledger, notice("one", kind))
    assert len(await keys(outbox, 10, SMS)) == 1 - left


async def test_one_operators_billing_day_does_not_delay_anothers(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    theirs = [of(f"t{number}", "tunisie-telecom") for number in range(3)]
    await put(ledger, *(notice(f"n{number}") for number in range(50)), *theirs)
    assert await keys(outbox, 8) == ["n0", "n1", "n2", "n3", "t0", "t1", "t2", "n4"]


async def test_a_batch_is_filled_from_operators_with_more_messages(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    theirs = [of(f"t{number}", "tunisie-telecom") for number in range(20)]
    await put(ledger, notice("n"), *theirs)
    assert sorted(await keys(outbox, 10)) == ["n", *(f"t{number}" for number in range(9))]
