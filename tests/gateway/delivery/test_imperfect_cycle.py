"""Bill run over imperfect bills: the unusable ones are named, all others are announced."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from aiohttp import web

from flows.domain.failures import Unavailable
from flows.domain.pseudonyms import Pseudonyms
from flows.services.bill_notices import BillAnnouncer
from gateway.cli import notify
from gateway.delivery.bill_run import BillRun, BillRunProgress
from storage.billing.backend import RemoteBilling, connect_backend
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.sql.engine import Database
from storage.sql.engine import connect as opened
from tests.support.billing.backends import LONG_TIMEOUTS, OPERATOR, backend_site, serve_bss_app
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.shipped_packs import shipped_menu

TODAY = date(2026, 3, 14)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
BAD_BILLS = frozenset((3, 60, 250, 251, 999))


@dataclass(slots=True)
class CountedBss:
    """A TM Forum BSS of `count` accounts with one bill each; those of `bad_bills` have no due date.

    Every answer is built from the index in the request, so that a hundred thousand bills take no memory.
    """

    count: int
    bad_bills: frozenset[int] = frozenset()
    failing_paths: tuple[str, ...] = ()
    """Ends of paths that are answered 500."""

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        app = web.Application()
        app.router.add_get("/tmf-api/customerBillManagement/v4/customerBill", self._list_bills)
        app.router.add_get("/tmf-api/productInventory/v4/product", self._find_product)
        app.router.add_get("/tmf-api/accountManagement/v4/billingAccount/{account}", self._get_account)
        return app

    async def _list_bills(self, request: web.Request) -> web.StreamResponse:
        start, limit = int(request.query["offset"]), int(request.query["limit"])
        places = range(start, min(start + limit, self.count))
        return web.json_response([self._bill(place) for place in places])

    def _bill(self, place: int) -> dict[str, Any]:
        money = {"unit": "RON", "value": 79.9}
        due = {} if place in self.bad_bills else {"paymentDueDate": "2026-03-24"}
        named = {"id": f"B{place}", "billingAccount": {"id": f"A{place}"}, "state": "sent"}
        return {**named, **due, "billDate": "2026-03-01", "taxIncludedAmount": money}

    async def _find_product(self, request: web.Request) -> web.StreamResponse:
        account = request.query["billingAccount.id"]
        if self._fails("product"):
            return web.Response(status=500)
        number = f"+4074{int(account[1:]):07d}"
        owner = {"billingAccount": {"id": account}, "publicIdentifier": number, "startDate": "2020-01-01"}
        return web.json_response([{"id": f"S{account}", "status": "active", **owner}])

    async def _get_account(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        return web.Response(status=500) if self._fails(account) else web.json_response({"id": account})

    def _fails(self, name: str) -> bool:
        return name in self.failing_paths


@asynccontextmanager
async def serve_cycle(bss: CountedBss) -> AsyncIterator[RemoteBilling]:
    async with serve_bss_app(bss.create_app()) as url:
        site = backend_site(opened("sqlite://"), lambda: TODAY, dict(LONG_TIMEOUTS))
        billing = connect_backend(f"tmf678+{url}", site)
        assert isinstance(billing, RemoteBilling)
        try:
            yield billing
        finally:
            await billing.close()


async def announce_all(bss: CountedBss, database: Database) -> BillRunProgress:
    menu = shipped_menu(OPERATOR)
    announcer = BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))
    async with serve_cycle(bss) as billing:
        run = BillRun(OPERATOR, billing, announcer, SqlBulkOutbox(database, SECRET), lambda: NOW)
        return await run.announce_bills(*MARCH, lambda progress: None)


async def test_a_thousand_bills_with_five_bad_ones_announce_the_others(database: Database) -> None:
    done = await announce_all(CountedBss(1_000, BAD_BILLS), database)
    assert (done.bills, done.enqueued_count, done.rejected_count) == (1_000, 995, 5)
    assert sorted(each.bill_id for each in done.rejected) == sorted(f"B{place}" for place in BAD_BILLS)
    assert {each.reason for each in done.rejected} == {"the BSS answered an unusable paymentDueDate"}
    assert await count_rows(database, "outbox") == 995


async def test_an_account_the_bss_fails_on_is_left_out(database: Database) -> None:
    done = await announce_all(CountedBss(60, failing_paths=("A7",)), database)
    assert done.enqueued_count == 59 and [each.bill_id for each in done.rejected] == ["B7"]


async def test_a_bss_that_is_out_stops_the_run(database: Database) -> None:
    with pytest.raises(Unavailable):
        await announce_all(CountedBss(60, failing_paths=("product",)), database)
    assert await count_rows(database, "outbox") == 0


async def test_the_command_lists_unusable_bills_and_exits_with_3(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve_cycle(CountedBss(60, frozenset({4, 59}))) as billing:
        sandbox.container.operators[OPERATOR].billing = billing
        args = argparse.Namespace(operator=OPERATOR, cycle="2026-03", listen=False, dry_run=False, confirm=0)
        assert await notify.run_notify(args, sandbox.container) == 3
    printed = capsys.readouterr()
    assert "58 notices" in printed.out and "2 unusable" in printed.out
    assert "left out: bill B4: the BSS answered an unusable paymentDueDate" in printed.err
    assert "4074000" not in printed.out + printed.err
