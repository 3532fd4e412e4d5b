"""Bill run and bill events: each bill is announced once, by the channel its holder chose."""

import argparse
import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from flows.domain.pseudonyms import Keys
from flows.domain.records import Preference, Subscriber
from flows.services.bill_notices import Announcer, ways
from gateway.cli import notify
from gateway.delivery.bill_run import Run, cycle
from gateway.demo.bss.tmf import TmfBss
from gateway.http.bss_events import Listener
from gateway.publishing import pack_compiler
from gateway.server import app
from storage.billing.backend import connect
from storage.billing.sql import SqlBilling
from storage.ledger.store import SqlLedger
from storage.outbox.bulk_enqueue import SqlPosting
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from tests.bss import OPERATOR, book, fill, served, site
from tests.sql import NOW, SECRET, rows_in
from tests.sql import database as database
from tests.sql import database_url as database_url
from tests.world import World
from tests.world import sandbox as sandbox
from tests.world import sandboxes as sandboxes

ANA, BARBU = "+40740000101", "+40740000102"
TODAY = date(2026, 3, 14)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
TOKEN = "hub-token"
HOLDER = Subscriber(
    id="s1",
    operator=OPERATOR,
    msisdn=ANA,
    account="a",
    name="Ana",
    kind="mobile",
    segment="residential",
    language="ro",
    since=date(2020, 1, 1),
    email="ana@example.test",
    email_validated=True,
)


@pytest.fixture(scope="module")
def announcer() -> Announcer:
    return Announcer(pack_compiler.menu(pack_compiler.folder(OPERATOR)), Keys(b"a key for the tests"))


@pytest.fixture
async def run(database: Database, announcer: Announcer) -> Run:
    """Provide a bill run over the demo data in our own tables."""
    await fill(database, book())
    billing = SqlBilling(database, OPERATOR, lambda: TODAY)
    return Run(OPERATOR, billing, announcer, SqlPosting(database, SECRET), lambda: NOW)


async def over(run: Run) -> tuple[int, int, int, int]:
    again = replace_progress(run)
    done = await again.over(*MARCH, lambda progress: None)
    return done.bills, done.told, done.before, done.nobody


def replace_progress(run: Run) -> Run:
    return Run(run.operator, run.cycles, run.announcer, run.posting, run.now)


async def test_a_cycle_is_announced_once_however_often_it_runs(run: Run, database: Database) -> None:
    assert await over(run) == (3, 3, 0, 0)
    assert await over(run) == (3, 0, 3, 0)
    assert await rows_in(database, "outbox") == 3


async def test_two_concurrent_runs_announce_once(run: Run, database: Database) -> None:
    done = await asyncio.gather(over(run), over(run))
    assert sum(told for _, told, _, _ in done) == 3 == await rows_in(database, "outbox")


async def test_opted_out_subscribers_get_no_notice(run: Run, database: Database) -> None:
    await SqlLedger(database, SECRET).opt_out(OPERATOR, ANA, out=True, now=NOW)
    assert (await over(run))[1] == 2


async def test_an_old_cycle_is_not_announced(run: Run) -> None:
    done = await run.over(date(2025, 12, 1), date(2025, 12, 31), lambda progress: None)
    assert done.told == 0 and done.nobody == done.bills > 0


async def test_what_goes_out_is_the_bill_and_nothing_about_its_holder(run: Run, announcer: Announcer) -> None:
    [page] = [page async for page in run.cycles.issued(*MARCH)]
    notices = [each for bill, holder in page for each in announcer.notices(bill, holder, Preference(), NOW)]
    assert [notice.to for notice in notices] == [ANA, BARBU, "+40740000103"]
    assert ("79,90" in notices[0].body and "martie" in notices[0].body.lower()) or "03/2026" in notices[0].body
    assert not any("Ana" in notice.body or "0740" in notice.body for notice in notices)


@pytest.mark.parametrize(
    ("chosen", "holder", "routes"),
    [
        (Preference(), {}, ["sms"]),
        (Preference(notify="email"), {}, ["email"]),
        (Preference(notify="both"), {}, ["email", "sms"]),
        (Preference(notify="email", email="new@example.test"), {}, ["sms"]),
        (Preference(notify="both", email="new@example.test"), {}, ["sms"]),
        (Preference(notify="email"), {"email_validated": False}, ["sms"]),
        (Preference(), {"kind": "fixed"}, ["email"]),
        (Preference(), {"kind": "fixed", "email_validated": False}, []),
    ],
)
def test_notices_use_the_chosen_channel_and_never_an_unconfirmed_address(
    chosen: Preference, holder: dict[str, Any], routes: list[str]
) -> None:
    assert [route for route, _ in ways(replace(HOLDER, **holder), chosen)] == routes


def test_a_cycle_is_a_month() -> None:
    assert cycle("2026-02", TODAY) == (date(2026, 2, 1), date(2026, 2, 28))
    assert cycle("", TODAY) == MARCH
    with pytest.raises(ValueError, match="isoformat"):
        cycle("soon", TODAY)


async def test_the_command_announces_and_prints_counts(
    sandbox: World, capsys: pytest.CaptureFixture[str]
) -> None:
    people = sandbox.house.conversations.people[OPERATOR]
    people.world = replace(people.world, billing=sandbox.weather.inner)
    for told in ("3 notices", "0 notices"):
        args = argparse.Namespace(operator=OPERATOR, cycle="", listen=False)
        assert await notify.run(args, sandbox.house) == 0
        assert told in capsys.readouterr().out
    assert await notify.run(argparse.Namespace(operator="x", cycle="", listen=False), sandbox.house) == 2
    assert await notify.run(argparse.Namespace(operator=OPERATOR, cycle="x", listen=False), sandbox.house) == 2


@asynccontextmanager
async def listening(sandbox: World) -> AsyncIterator[tuple[TmfBss, str]]:
    """Serve a BSS and our event endpoint; yield the URL its events go to."""
    bss, people = TmfBss(book(sandbox.clock())), sandbox.house.conversations.people
    tokens = {OPERATOR: (TOKEN.encode(),)}
    listener = Listener(
        sandbox.house.hooks.guard, people, sandbox.house.listener.announcer, tokens, sandbox.clock
    )
    house = replace(sandbox.house, listener=listener)
    async with served(bss.app()) as there, served(app.public(house)) as here:
        today = sandbox.clock().date
        billing = connect(f"tmf678+{there}", site(opened("sqlite://"), today))
        people[OPERATOR].world = replace(people[OPERATOR].world, billing=billing)
        await billing.register_callback(listener.callback(here, OPERATOR))  # type: ignore[attr-defined]
        try:
            yield bss, listener.callback(here, OPERATOR)
        finally:
            await billing.close()  # type: ignore[attr-defined]


async def test_a_bill_of_three_events_and_a_manual_run_is_announced_once(sandbox: World) -> None:
    async with listening(sandbox) as (bss, _):
        for event in ("customerBillCreateEvent", "customerBillCreateEvent", "customerBillStateChangeEvent"):
            assert await bss.announce("ORO-202603-0101", event) == [204]
        args = argparse.Namespace(operator=OPERATOR, cycle="2026-03", listen=False)
        assert await notify.run(args, sandbox.house) == 0
        told = await sandbox.post.collect()
    assert sorted(notice.to for notice in told) == [ANA, BARBU, "+40740000103"]


async def test_an_event_about_an_unpublished_bill_waits_for_its_change_of_state(sandbox: World) -> None:
    async with listening(sandbox) as (bss, _):
        bss.states["ORO-202603-0101"] = "validated"
        assert await bss.announce("ORO-202603-0101") == [204]
        assert await sandbox.post.collect() == []
        bss.states["ORO-202603-0101"] = "sent"
        assert await bss.announce("ORO-202603-0101", "customerBillStateChangeEvent") == [204]
        assert len(await sandbox.post.collect()) == 1


async def test_a_bill_is_announced_with_the_currently_published_texts(sandbox: World, tmp_path: Path) -> None:
    shutil.copytree(pack_compiler.OPERATORS, tmp_path / "packs")
    pack = tmp_path / "packs/orange_ro"
    with (pack / "texts/ro.yaml").open("a") as texts:
        texts.write('billday.sms_notice: "Nou! {operator}: {month} {total} {due} {ussd}."\n')
    async with listening(sandbox) as (bss, _):
        sandbox.house.conversations.shelf.publish(pack_compiler.menu(pack))
        assert await bss.announce("ORO-202603-0101") == [204]
        (notice,) = await sandbox.post.collect()
    assert notice.body.startswith("Nou! ")


async def test_events_of_an_unavailable_bss_are_answered_for_redelivery(sandbox: World) -> None:
    async with listening(sandbox) as (bss, _):
        bss.book.answer = lambda request: web.Response(status=500)
        assert await bss.announce("ORO-202603-0101") == [503]
        bss.book.answer = lambda request: None
        assert await bss.announce("ORO-202603-0101") == [204]
        assert len(await sandbox.post.collect()) == 1


BILL = {"id": "ORO-202603-0101", "billingAccount": {"id": "40740000101"}}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "id": "other"}}}, 204),
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "billingAccount": {"id": "1"}}}}, 204),
        ("customerBillOnDemandCreateEvent", {"event": {"customerBill": BILL}}, 204),
        ("somethingElse", {"event": {"customerBill": BILL}}, 404),
        ("customerBillCreateEvent", {"event": {}}, 400),
        ("customerBillCreateEvent", [], 400),
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "id": 7}}}, 400),
        ("customerBillCreateEvent", {"event": {"customerBill": BILL}, "more": "x" * 70_000}, 413),
        ("../listener/customerBillCreateEvent", {"event": {"customerBill": BILL}}, 204),
    ],
)
async def test_a_forged_event_announces_nothing(sandbox: World, path: str, body: Any, status: int) -> None:
    async with listening(sandbox) as (_, callback), ClientSession() as session:
        async with session.post(f"{callback}/{path}", json=body) as response:
            assert response.status == status
        assert len(await sandbox.post.collect()) == (path.startswith(".."))


async def test_an_event_is_read_to_its_end_however_its_bytes_arrive(sandbox: World) -> None:
    body = json.dumps({"event": {"customerBill": BILL}}).encode()

    async def halves() -> AsyncIterator[bytes]:
        yield body[:9]
        for _ in range(20):
            await asyncio.sleep(0)
        yield body[9:]

    async with listening(sandbox) as (_, callback), ClientSession() as session:
        async with session.post(f"{callback}/customerBillCreateEvent", data=halves()) as response:
            assert response.status == 204
        assert len(await sandbox.post.collect()) == 1


async def test_a_wrong_token_is_refused(sandbox: World) -> None:
    async with listening(sandbox) as (_, callback), ClientSession() as session:
        for wrong in (callback.replace(TOKEN, "guess"), callback.replace(OPERATOR, "nobody")):
            async with session.post(f"{wrong}/customerBillCreateEvent", json={}) as response:
                assert response.status == 404


async def test_wrong_tokens_are_rate_limited_and_the_right_one_is_not(sandbox: World) -> None:
    sandbox.house.hooks.guard.refusals.most = 3
    async with listening(sandbox) as (_, callback), ClientSession() as session:
        told = []
        for place in [callback.replace(TOKEN, "guess")] * 5 + [callback]:
            async with session.post(f"{place}/customerBillCreateEvent", json={"event": {}}) as response:
                told.append(response.status)
    assert told == [404] * 3 + [429] * 2 + [400]
