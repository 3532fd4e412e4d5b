"""Ledger: everything of a change in one transaction, once per idempotency key."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.records import (
    ChangeSet,
    Consent,
    DeferredStep,
    MagicLink,
    OutboundMessage,
    Preference,
    Secret,
)
from storage.ledger.sql_ledger import SqlLedger
from storage.privacy.retention import apply_retention
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows

NOTICE = OutboundMessage("n1", "orange-ro", "+40740000101", "sms", "notice", "Factura electronica", "ro")
ERRAND = DeferredStep("e1", "orange-ro", "bills.latest", b"{}", NOW + timedelta(hours=1))
CONSENT = Consent("ebill", is_given=True, text_name="ebill.terms", language="ro", channel="ussd", proof="line")
LINK = MagicLink(
    Secret("abc"), "email", "orange-ro", "s1", "ana@example.test", NOW + timedelta(hours=72), opens_left=2
)
CHANGE = ChangeSet(
    "k1",
    "orange-ro",
    "s1",
    NOW,
    outcome="done",
    preference=Preference(language="ro"),
    consents=(CONSENT,),
    links=(LINK,),
    messages=(NOTICE,),
    deferred_steps=(ERRAND,),
    reply=b"END ok",
)
CHANGED_TABLES = ("preferences", "consents", "changes", "links", "outbox")


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


async def count_tables(database: Database) -> list[int]:
    return [await count_rows(database, table) for table in CHANGED_TABLES]


async def test_a_repeated_key_writes_nothing_and_answers_the_first_outcome(
    ledger: SqlLedger, database: Database
) -> None:
    assert await ledger.commit(CHANGE) == "done"
    again = replace(CHANGE, outcome="other", preference=Preference(language="en"), reply=b"END no")
    assert await ledger.commit(again) == "done"
    assert await count_tables(database) == [1, 1, 1, 1, 2]
    assert (await ledger.get_preference("orange-ro", "s1")).language == "ro"
    assert await ledger.find_reply("k1") == b"END ok"


async def test_T30_a_hundred_parallel_repeats_change_the_world_once(
    ledger: SqlLedger, database: Database
) -> None:
    twins = [replace(CHANGE, outcome=f"outcome {number}") for number in range(40)]
    told = await asyncio.gather(*map(ledger.commit, twins), return_exceptions=True)
    assert len({each for each in told if isinstance(each, str)}) == 1
    assert await count_tables(database) == [1, 1, 1, 1, 2]


async def test_an_unknown_key_has_no_reply(ledger: SqlLedger) -> None:
    assert await ledger.find_reply("never") is None


EARLIER_PREFERENCE = Preference("ro", "email", "a@x.test", email_validated=True, address="Str. 1")


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (Preference(notify="sms"), replace(EARLIER_PREFERENCE, notify="sms")),
        (Preference(email="b@x.test"), replace(EARLIER_PREFERENCE, email="b@x.test", email_validated=False)),
        (Preference(address="Str. 2"), replace(EARLIER_PREFERENCE, address="Str. 2")),
        (Preference(), EARLIER_PREFERENCE),
    ],
)
async def test_only_fields_that_are_not_empty_replace(
    ledger: SqlLedger, then: Preference, expected: Preference
) -> None:
    await ledger.commit(ChangeSet("k1", "orange-ro", "s1", NOW, preference=EARLIER_PREFERENCE))
    await ledger.commit(ChangeSet("k2", "orange-ro", "s1", NOW, preference=then))
    assert await ledger.get_preference("orange-ro", "s1") == expected


async def test_an_email_is_validated_later_without_naming_it(ledger: SqlLedger) -> None:
    await ledger.commit(ChangeSet("k1", "o", "s", NOW, preference=Preference(email="a@x.test")))
    await ledger.commit(ChangeSet("k2", "o", "s", NOW, preference=Preference(email_validated=True)))
    assert await ledger.get_preference("o", "s") == Preference(email="a@x.test", email_validated=True)


async def test_who_never_chose_has_an_empty_preference(ledger: SqlLedger) -> None:
    assert await ledger.get_preference("orange-ro", "nobody") == Preference()


async def test_a_link_opens_as_often_as_it_says(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    looked = await ledger.find_link(LINK.token, "email", NOW)
    assert looked == LINK
    used = [await ledger.use_link(LINK.token, "email", NOW) for _ in range(3)]
    assert used == [replace(LINK, opens_left=1), replace(LINK, opens_left=0), None]
    assert await ledger.find_link(LINK.token, "email", NOW) is None


async def test_concurrent_uses_of_a_link_stop_at_its_limit(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    uses = await asyncio.gather(
        *(ledger.use_link(LINK.token, "email", NOW) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, MagicLink) for each in uses) == 2


@pytest.mark.parametrize(
    ("token", "purpose", "after"),
    [("abd", "email", 0), ("abc", "bill", 0), ("abc", "email", 72 * 3600)],
    ids=["another token", "another purpose", "expired"],
)
async def test_a_wrong_link_opens_nothing(ledger: SqlLedger, token: str, purpose: str, after: int) -> None:
    await ledger.commit(CHANGE)
    then = NOW + timedelta(seconds=after)
    assert await ledger.find_link(Secret(token), purpose, then) is None
    assert await ledger.use_link(Secret(token), purpose, then) is None


async def test_T8_link_lives_72_hours_to_the_second(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    assert await ledger.find_link(LINK.token, "email", LINK.expires_at - timedelta(seconds=1)) == LINK


async def test_no_token_is_stored_in_clear(ledger: SqlLedger, database: Database) -> None:
    await ledger.commit(replace(CHANGE, links=(replace(LINK, token=Secret("a-very-long-token")),)))
    rows = await database.read(lambda c: c.execute(text("SELECT * FROM links")).all())
    assert "a-very-long-token" not in repr(rows) and b"a-very-long-token".hex() not in repr(rows)


async def test_opting_out_twice_and_in_again_is_fine(ledger: SqlLedger, database: Database) -> None:
    for out in (True, True, False, False, True):
        await ledger.set_opt_out("orange-ro", "+40740000101", out=out, now=NOW)
    assert await count_rows(database, "opt_outs") == 1


async def test_old_keys_are_forgotten_young_ones_kept(ledger: SqlLedger, database: Database) -> None:
    week = NOW - timedelta(days=7)
    await ledger.commit(ChangeSet("old", "o", "s", week - timedelta(seconds=1), reply=b"old"))
    await ledger.commit(ChangeSet("young", "o", "s", week, reply=b"young"))
    await apply_retention(database, NOW)
    assert (await ledger.find_reply("old"), await ledger.find_reply("young")) == (None, b"young")


async def test_enqueueing_wakes_the_workers(ledger: SqlLedger, database: Database) -> None:
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(database.wakeup.wait(60))
        await ledger.commit(CHANGE)
        await waiting
