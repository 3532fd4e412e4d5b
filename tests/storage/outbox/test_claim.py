"""Outbox claim: full routes are skipped, and the others share the batch fairly."""

from dataclasses import replace
from typing import Literal

import pytest

from flows.domain.claim_scope import ClaimScope
from flows.domain.records import ChangeSet, MessageClass, OutboundMessage
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.sql_outbox import SqlOutbox
from tests.storage.outbox.test_store import build_notice, claim_batch
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW

SMS_ROUTE = ("orange-ro", "sms")


def notice_for(key: str, operator: str, route: Literal["sms", "email"] = "sms") -> OutboundMessage:
    return replace(build_notice(key), operator=operator, route=route)


async def enqueue_notices(ledger: SqlLedger, *notices: OutboundMessage) -> None:
    await ledger.commit(ChangeSet("put", "orange-ro", "s", NOW, messages=notices))


async def claim_keys(outbox: SqlOutbox, most: int, *full: tuple[str, str]) -> list[str]:
    return [parcel.item.key for parcel in await outbox.claim(most, NOW, ClaimScope(full))]


async def test_a_full_route_is_skipped_until_it_has_capacity(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    mail, other = notice_for("mail", "orange-ro", "email"), notice_for("other", "tunisie-telecom")
    await enqueue_notices(ledger, *(build_notice(f"n{number}") for number in range(50)), mail, other)
    assert sorted(await claim_keys(outbox, 10, SMS_ROUTE)) == ["mail", "other"]
    assert await claim_keys(outbox, 10, SMS_ROUTE) == []
    assert await claim_batch(outbox) == [f"n{number}" for number in range(50)]


@pytest.mark.parametrize(("kind", "left"), [("code", 0), ("reply", 0), ("notice", 1), ("campaign", 1)])
async def test_codes_and_replies_are_claimed_on_a_full_route(
    outbox: SqlOutbox, ledger: SqlLedger, kind: MessageClass, left: int
) -> None:
    await enqueue_notices(ledger, build_notice("one", kind))
    assert len(await claim_keys(outbox, 10, SMS_ROUTE)) == 1 - left


async def test_one_operators_billing_day_does_not_delay_anothers(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    theirs = [notice_for(f"t{number}", "tunisie-telecom") for number in range(3)]
    await enqueue_notices(ledger, *(build_notice(f"n{number}") for number in range(50)), *theirs)
    assert await claim_keys(outbox, 8) == ["n0", "n1", "n2", "n3", "t0", "t1", "t2", "n4"]


async def test_a_batch_is_filled_from_operators_with_more_messages(
    outbox: SqlOutbox, ledger: SqlLedger
) -> None:
    theirs = [notice_for(f"t{number}", "tunisie-telecom") for number in range(20)]
    await enqueue_notices(ledger, build_notice("n"), *theirs)
    assert sorted(await claim_keys(outbox, 10)) == ["n", *(f"t{number}" for number in range(9))]


async def test_lanes_of_another_process_are_left_to_it(outbox: SqlOutbox, ledger: SqlLedger) -> None:
    theirs, mail = notice_for("theirs", "tunisie-telecom"), notice_for("mail", "orange-ro", "email")
    await enqueue_notices(ledger, build_notice("code", "code"), theirs, mail)
    rest = await outbox.claim(10, NOW, ClaimScope(without={SMS_ROUTE}))
    assert sorted(each.item.key for each in rest) == ["mail", "theirs"]
    own = await outbox.claim(10, NOW, ClaimScope(only={SMS_ROUTE}))
    assert [each.item.key for each in own] == ["code"]
