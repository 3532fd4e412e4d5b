"""Ledger: everything of a change in one transaction, once per idempotency key."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.records import Change, Consent, Errand, Link, Notice, Preference, Secret
from storage.ledger.store import SqlLedger
from storage.sql.engine import Database
from tests.sql import NOW, SECRET, rows_in

NOTICE = Notice("n1", "orange-ro", "+40740000101", "sms", "notice", "Factura electronica", "ro")
ERRAND = Errand("e1", "orange-ro", "bills.latest", b"{}", NOW + timedelta(hours=1))
CONSENT = Consent("ebill", given=True, text="ebill.terms", language="ro", channel="ussd", proof="line")
LINK = Link(Secret("abc"), "email", "orange-ro", "s1", "ana@example.test", NOW + timedelta(hours=72), opens=2)
CHANGE = Change(
    "k1",
    "orange-ro",
    "s1",
    NOW,
    outcome="done",
    preference=Preference(language="ro"),
    consents=(CONSENT,),
    links=(LINK,),
    notices=(NOTICE,),
    errands=(ERRAND,),
    reply=b"END ok",
)
EVERYTHING = ("preferences", "consents", "changes", "links", "outbox")


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


async def counts(database: Database) -> list[int]:
    return [await rows_in(database, table) for table in EVERYTHING]


async def test_a_repeated_key_writes_nothing_and_answers_the_first_outcome(
    ledger: SqlLedger, database: Database
) -> None:
    assert await ledger.commit(CHANGE) == "done"
    again = replace(CHANGE, outcome="other", preference=Preference(language="en"), reply=b"END no")
    assert await ledger.commit(again) == "done"
    assert await counts(database) == [1, 1, 1, 1, 2]
    assert (await ledger.preference("orange-ro", "s1")).language == "ro"
    assert await ledger.reply("k1") == b"END ok"


async def test_T30_a_hundred_parallel_repeats_change_the_world_once(
    ledger: SqlLedger, database: Database
) -> None:
    twins = [replace(CHANGE, outcome=f"outcome {number}") for number in range(40)]
    told = await asyncio.gather(*map(ledger.commit, twins), return_exceptions=True)
    assert len({each for each in told if isinstance(each, str)}) == 1
    assert await counts(database) == [1, 1, 1, 1, 2]


async def test_an_unknown_key_has_no_reply(ledger: SqlLedger) -> None:
    assert await ledger.reply("never") is None


BEFORE = Preference("ro", "email", "a@x.test", email_validated=True, address="Str. 1")


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (Preference(notify="sms"), replace(BEFORE, notify="sms")),
        (Preference(email="b@x.test"), replace(BEFORE, email="b@x.test", email_validated=False)),
        (Preference(address="Str. 2"), replace(BEFORE, address="Str. 2")),
        (Preference(), BEFORE),
    ],
)
async def test_only_fields_that_are_not_empty_replace(
    ledger: SqlLedger, then: Preference, expected: Preference
) -> None:
    await ledger.commit(Change("k1", "orange-ro", "s1", NOW, preference=BEFORE))
    await ledger.commit(Change("k2", "orange-ro", "s1", NOW, preference=then))
    assert await ledger.preference("orange-ro", "s1") == expected


async def test_an_email_is_validated_later_without_naming_it(ledger: SqlLedger) -> None:
    await ledger.commit(Change("k1", "o", "s", NOW, preference=Preference(email="a@x.test")))
    await ledger.commit(Change("k2", "o", "s", NOW, preference=Preference(email_validated=True)))
    assert await ledger.preference("o", "s") == Preference(email="a@x.test", email_validated=True)


async def test_who_never_chose_has_an_empty_preference(ledger: SqlLedger) -> None:
    assert await ledger.preference("orange-ro", "nobody") == Preference()


async def test_a_link_opens_as_often_as_it_says(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    looked = await ledger.open_link(LINK.token, "email", NOW)
    assert looked == LINK
    used = [await ledger.use_link(LINK.token, "email", NOW) for _ in range(3)]
    assert used == [replace(LINK, opens=1), replace(LINK, opens=0), None]
    assert await ledger.open_link(LINK.token, "email", NOW) is None


async def test_concurrent_uses_of_a_link_stop_at_its_limit(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    uses = await asyncio.gather(
        *(ledger.use_link(LINK.token, "email", NOW) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, Link) for each in uses) == 2


@pytest.mark.parametrize(
    ("token", "purpose", "after"),
    [("abd", "email", 0), ("abc", "bill", 0), ("abc", "email", 72 * 3600)],
    ids=["another token", "another purpose", "expired"],
)
async def test_a_wrong_link_opens_nothing(ledger: SqlLedger, token: str, purpose: str, after: int) -> None:
    await ledger.commit(CHANGE)
    then = NOW + timedelta(seconds=after)
    assert await ledger.open_link(Secret(token), purpose, then) is None
    assert await ledger.use_link(Secret(token), purpose, then) is None


async def test_T8_link_lives_72_hours_to_the_second(ledger: SqlLedger) -> None:
    await ledger.commit(CHANGE)
    assert await ledger.open_link(LINK.token, "email", LINK.expires_at - timedelta(seconds=1)) == LINK


async def test_no_token_is_stored_in_clear(ledger: SqlLedger, database: Database) -> None:
    await ledger.commit(replace(CHANGE, links=(replace(LINK, token=Secret("a-very-long-token")),)))
    rows = await database.read(lambda c: c.execute(text("SELECT * FROM links")).all())
    assert "a-very-long-token" not in repr(rows) and b"a-very-long-token".hex() not in repr(rows)


async def test_opting_out_twice_and_in_again_is_fine(ledger: SqlLedger, database: Database) -> None:
    for out in (True, True, False, False, True):
        await ledger.opt_out("orange-ro", "+40740000101", out=out, now=NOW)
    assert await rows_in(database, "opt_outs") == 1


async def test_old_keys_are_forgotten_young_ones_kept(ledger: SqlLedger) -> None:
    week = NOW - timedelta(days=7)
    await ledger.commit(Change("old", "o", "s", week - timedelta(seconds=1), reply=b"old"))
    await ledger.commit(Change("young", "o", "s", week, reply=b"young"))
    await ledger.purge(week)
    assert (await ledger.reply("old"), await ledger.reply("young")) == (None, b"young")


async def test_enqueueing_wakes_the_workers(ledger: SqlLedger, database: Database) -> None:
    async with asyncio.timeout(5):
        waiting = asyncio.create_task(database.bell.wait(60))
        await ledger.commit(CHANGE)
        await waiting
