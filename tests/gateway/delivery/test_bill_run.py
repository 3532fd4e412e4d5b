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

from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Preference
from flows.services.bill_notices import BillAnnouncer
from gateway.cli import notify
from gateway.delivery.bill_run import BillRun, parse_cycle
from gateway.demo.bss.tmf_server import TmfBss
from gateway.http.bss_events import BillEventHandler
from gateway.publishing import pack_compiler
from gateway.server import app
from storage.billing.backend import connect_backend
from storage.billing.sql import SqlBilling
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from tests.support.billing.backends import OPERATOR, backend_site, build_book, fill_tables, serve_bss_app
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.shipped_packs import shipped_menu

ANA, BARBU = "+40740000101", "+40740000102"
TODAY = date(2026, 3, 14)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
TOKEN = "hub-token"


@pytest.fixture(scope="module")
def announcer() -> BillAnnouncer:
    return BillAnnouncer(shipped_menu(OPERATOR), Pseudonyms(b"a key for the tests"))


@pytest.fixture
async def run(database: Database, announcer: BillAnnouncer) -> BillRun:
    """Provide a bill run over the demo data in our own tables."""
    await fill_tables(database, build_book())
    billing = SqlBilling(database, OPERATOR, lambda: TODAY)
    return BillRun(OPERATOR, billing, announcer, SqlBulkOutbox(database, SECRET), lambda: NOW)


async def run_march(run: BillRun) -> tuple[int, int, int, int]:
    again = replace_progress(run)
    done = await again.announce_bills(*MARCH, lambda progress: None)
    return done.bills, done.enqueued_count, done.known_count, done.skipped_bills


def replace_progress(run: BillRun) -> BillRun:
    return BillRun(run.operator, run.cycles, run.announcer, run.bulk_outbox, run.now)


async def test_a_cycle_is_announced_once_however_often_it_runs(run: BillRun, database: Database) -> None:
    assert await run_march(run) == (3, 3, 0, 0)
    assert await run_march(run) == (3, 0, 3, 0)
    assert await count_rows(database, "outbox") == 3


async def test_two_concurrent_runs_announce_once(run: BillRun, database: Database) -> None:
    done = await asyncio.gather(run_march(run), run_march(run))
    assert sum(told for _, told, _, _ in done) == 3 == await count_rows(database, "outbox")


async def test_opted_out_subscribers_get_no_notice(run: BillRun, database: Database) -> None:
    await SqlLedger(database, SECRET).set_opt_out(OPERATOR, ANA, out=True, now=NOW)
    assert (await run_march(run))[1] == 2


async def test_an_old_cycle_is_not_announced(run: BillRun) -> None:
    done = await run.announce_bills(date(2025, 12, 1), date(2025, 12, 31), lambda progress: None)
    assert done.enqueued_count == 0 and done.skipped_bills == done.bills > 0


async def test_what_goes_out_is_the_bill_and_nothing_about_its_holder(
    run: BillRun, announcer: BillAnnouncer
) -> None:
    [page] = [page async for page in run.cycles.list_issued_bills(*MARCH)]
    notices = [
        each for bill, holder in page for each in announcer.build_notices(bill, holder, Preference(), NOW)
    ]
    assert [notice.to for notice in notices] == [ANA, BARBU, "+40740000103"]
    assert ("79,90" in notices[0].body and "martie" in notices[0].body.lower()) or "03/2026" in notices[0].body
    assert not any("Ana" in notice.body or "0740" in notice.body for notice in notices)


def test_a_cycle_is_a_month() -> None:
    assert parse_cycle("2026-02", TODAY) == (date(2026, 2, 1), date(2026, 2, 28))
    assert parse_cycle("", TODAY) == MARCH
    with pytest.raises(ValueError, match="isoformat"):
        parse_cycle("soon", TODAY)


async def test_the_command_announces_and_prints_counts(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = sandbox.container.operators[OPERATOR]
    ports.billing = sandbox.faulty_billing.inner
    for told in ("3 notices", "0 notices"):
        args = argparse.Namespace(operator=OPERATOR, cycle="", listen=False, dry_run=False, confirm=0)
        assert await notify.run_notify(args, sandbox.container) == 0
        assert told in capsys.readouterr().out
    assert (
        await notify.run_notify(
            argparse.Namespace(operator="x", cycle="", listen=False, dry_run=False, confirm=0),
            sandbox.container,
        )
        == 2
    )
    assert (
        await notify.run_notify(
            argparse.Namespace(operator=OPERATOR, cycle="x", listen=False, dry_run=False, confirm=0),
            sandbox.container,
        )
        == 2
    )


@asynccontextmanager
async def serve_bill_events(sandbox: GatewaySandbox) -> AsyncIterator[tuple[TmfBss, str]]:
    """Serve a BSS and our event endpoint; yield the URL its events go to."""
    bss, operators = TmfBss(build_book(sandbox.clock())), sandbox.container.operators
    tokens = {OPERATOR: (TOKEN.encode(),)}
    listener = BillEventHandler(
        sandbox.container.guard,
        operators,
        sandbox.container.announcer_for,
        tokens,
        sandbox.clock,
    )
    house = replace(sandbox.container, bill_events=listener)
    async with serve_bss_app(bss.create_app()) as there, serve_bss_app(app.public_app(house)) as here:
        today = sandbox.clock().date
        billing = connect_backend(f"tmf678+{there}", backend_site(opened("sqlite://"), today))
        operators[OPERATOR].billing = billing
        await billing.register_callback(listener.callback_url(here, OPERATOR))  # type: ignore[attr-defined]
        try:
            yield bss, listener.callback_url(here, OPERATOR)
        finally:
            await billing.close()  # type: ignore[attr-defined]


async def test_a_bill_of_three_events_and_a_manual_run_is_announced_once(sandbox: GatewaySandbox) -> None:
    async with serve_bill_events(sandbox) as (bss, _):
        for event in ("customerBillCreateEvent", "customerBillCreateEvent", "customerBillStateChangeEvent"):
            assert await bss.announce_bill("ORO-202603-0101", event) == [204]
        args = argparse.Namespace(operator=OPERATOR, cycle="2026-03", listen=False, dry_run=False, confirm=0)
        assert await notify.run_notify(args, sandbox.container) == 0
        told = await sandbox.messages.collect_new()
    assert sorted(notice.to for notice in told) == [ANA, BARBU, "+40740000103"]


async def test_an_event_about_an_unpublished_bill_waits_for_its_change_of_state(
    sandbox: GatewaySandbox,
) -> None:
    async with serve_bill_events(sandbox) as (bss, _):
        bss.patched_states["ORO-202603-0101"] = "validated"
        assert await bss.announce_bill("ORO-202603-0101") == [204]
        assert await sandbox.messages.collect_new() == []
        bss.patched_states["ORO-202603-0101"] = "sent"
        assert await bss.announce_bill("ORO-202603-0101", "customerBillStateChangeEvent") == [204]
        assert len(await sandbox.messages.collect_new()) == 1


async def test_a_bill_is_announced_with_the_currently_published_texts(
    sandbox: GatewaySandbox, tmp_path: Path
) -> None:
    shutil.copytree(pack_compiler.OPERATORS, tmp_path / "packs")
    pack = tmp_path / "packs/orange_ro"
    with (pack / "texts/ro.yaml").open("a") as texts:
        texts.write('billday.sms_notice: "Nou! {operator}: {month} {total} {due} {ussd}."\n')
    async with serve_bill_events(sandbox) as (bss, _):
        sandbox.container.menu_versions.publish(pack_compiler.compile_pack(pack))
        assert await bss.announce_bill("ORO-202603-0101") == [204]
        (notice,) = await sandbox.messages.collect_new()
    assert notice.body.startswith("Nou! ")


async def test_events_of_an_unavailable_bss_are_answered_for_redelivery(sandbox: GatewaySandbox) -> None:
    async with serve_bill_events(sandbox) as (bss, _):
        bss.records.override_response = lambda request: web.Response(status=500)
        assert await bss.announce_bill("ORO-202603-0101") == [503]
        bss.records.override_response = lambda request: None
        assert await bss.announce_bill("ORO-202603-0101") == [204]
        assert len(await sandbox.messages.collect_new()) == 1


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
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "id": True}}}, 400),
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "id": "\ud800"}}}, 400),
        ("customerBillCreateEvent", {"event": {"customerBill": {**BILL, "id": 7}}}, 204),
        ("customerBillCreateEvent", {"event": {"customerBill": BILL}, "more": "x" * 70_000}, 413),
        ("../listener/customerBillCreateEvent", {"event": {"customerBill": BILL}}, 204),
    ],
)
async def test_a_forged_event_announces_nothing(
    sandbox: GatewaySandbox, path: str, body: Any, status: int
) -> None:
    async with serve_bill_events(sandbox) as (_, callback), ClientSession() as session:
        async with session.post(f"{callback}/{path}", json=body) as response:
            assert response.status == status
        assert len(await sandbox.messages.collect_new()) == (path.startswith(".."))


async def test_an_event_is_read_to_its_end_however_its_bytes_arrive(sandbox: GatewaySandbox) -> None:
    body = json.dumps({"event": {"customerBill": BILL}}).encode()

    async def halves() -> AsyncIterator[bytes]:
        yield body[:9]
        for _ in range(20):
            await asyncio.sleep(0)
        yield body[9:]

    async with serve_bill_events(sandbox) as (_, callback), ClientSession() as session:
        async with session.post(f"{callback}/customerBillCreateEvent", data=halves()) as response:
            assert response.status == 204
        assert len(await sandbox.messages.collect_new()) == 1


async def test_a_wrong_token_is_refused(sandbox: GatewaySandbox) -> None:
    async with serve_bill_events(sandbox) as (_, callback), ClientSession() as session:
        for wrong in (callback.replace(TOKEN, "guess"), callback.replace(OPERATOR, "nobody")):
            async with session.post(f"{wrong}/customerBillCreateEvent", json={}) as response:
                assert response.status == 404


async def test_wrong_tokens_are_rate_limited_and_the_right_one_is_not(sandbox: GatewaySandbox) -> None:
    sandbox.container.guard.rejection_limiter.max_per_minute = 3
    async with serve_bill_events(sandbox) as (_, callback), ClientSession() as session:
        told = []
        for place in [callback.replace(TOKEN, "guess")] * 5 + [callback]:
            async with session.post(f"{place}/customerBillCreateEvent", json={"event": {}}) as response:
                told.append(response.status)
    assert told == [404] * 3 + [429] * 2 + [400]
