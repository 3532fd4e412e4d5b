"""Shared reads: what concurrent callers have in common outlives them, and never survives an invalidation."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from flows.domain.failures import Down, NotFound, NotPublished
from flows.domain.records import Secret
from gateway.demo.bss.tmf_server import TmfBss
from storage.billing._client.caching import OWNER_FRESH_SECONDS, OWNER_STALE_SECONDS, CachedBilling
from storage.billing._client.oauth import OAuthTokenSource
from storage.billing.backend import connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import (
    DEMO_TIME,
    LONG_TIMEOUTS,
    backend_site,
    build_book,
    open_backend,
    serve_bss_app,
)

ANA, ACCOUNT, BILL = "+40740000101", "40740000101", "ORO-202603-0101"
TODAY = date(2026, 3, 10)
UNUSABLE_LIFETIMES: tuple[Any, ...] = (None, 0, "", -1, "-1", "soon", "NaN", [], {})


class HeldAnswers:
    """An authorization server, or a bill, that answers when it is allowed to."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body, self.requests = body, 0
        self.asked, self.allowed = asyncio.Queue[str](), asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the body as it was when the request came."""
        self.requests += 1
        body = dict(self.body)
        await self.asked.put(request.path)
        await self.allowed.wait()
        return web.json_response(body)

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


async def test_a_token_fetch_goes_on_when_its_callers_have_left() -> None:
    server = HeldAnswers({"access_token": "abc", "expires_in": 300})
    async with serve_bss_app(server.create_app()) as url, ClientSession() as session:
        source = OAuthTokenSource(f"{url}/token", "us", Secret("ours"))
        callers = [asyncio.create_task(source.bearer_header(session)) for _ in range(3)]
        await server.asked.get()
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        server.allowed.set()
        assert await source.bearer_header(session) == "Bearer abc" and server.requests == 1
        await source.close()


async def test_a_token_is_used_while_it_is_renewed() -> None:
    server, seconds = HeldAnswers({"access_token": "old", "expires_in": 300}), [0.0]
    server.allowed.set()
    async with serve_bss_app(server.create_app()) as url, ClientSession() as session:
        source = OAuthTokenSource(f"{url}/token", "us", Secret("ours"), clock=lambda: seconds[0])
        await source.bearer_header(session)
        server.allowed.clear()
        server.body["access_token"], seconds[0] = "new", 280.0
        assert await source.bearer_header(session) == "Bearer old"
        seconds[0] = 301.0
        server.allowed.set()
        assert await source.bearer_header(session) == "Bearer new"
        await source.close()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 300.0),
        *(({"expires_in": word}, 300.0) for word in UNUSABLE_LIFETIMES),
        ({"expires_in": "3600"}, 3_600.0),
        ({"expires_in": 3599.5}, 3_599.5),
        ({"expires_in": 9223372036854775807}, 86_400.0),
    ],
)
async def test_expires_in_may_have_any_form(given: dict[str, Any], seconds: float) -> None:
    server = HeldAnswers({"access_token": "abc", **given})
    server.allowed.set()
    async with serve_bss_app(server.create_app()) as url, ClientSession() as session:
        source = OAuthTokenSource(f"{url}/token", "us", Secret("ours"), clock=lambda: 0.0)
        assert await source.bearer_header(session) == "Bearer abc"
    assert source.expires_at == seconds


async def test_a_read_after_an_invalidation_joins_none_from_before() -> None:
    """Two events of one bill: the first found it unpublished, the second must read it again."""
    bss = TmfBss(build_book(), patched_states={BILL: "new"})
    server = HeldAnswers(next(each for each in bss.list_bills() if each["id"] == BILL))
    async with serve_bss_app(server.create_app()) as url:
        site = backend_site(opened("sqlite://"), lambda: TODAY, dict(LONG_TIMEOUTS))
        billing = connect_backend(f"tmf678+{url}", site)
        assert isinstance(billing, CachedBilling)
        first = asyncio.create_task(billing.get_bill(ACCOUNT, BILL))
        await server.asked.get()
        server.body["state"] = "sent"
        billing.invalidate_account(ACCOUNT)
        second = asyncio.create_task(billing.get_bill(ACCOUNT, BILL))
        await server.asked.get()
        server.allowed.set()
        assert (await second).id == BILL
        with pytest.raises(NotPublished):
            await first
        await billing.close()


async def test_a_numbers_owner_is_shown_for_a_short_time(tmp_path: Path) -> None:
    kept, seconds = build_book(), [0.0]
    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        assert isinstance(billing, CachedBilling)
        billing.clock = lambda: seconds[0]
        known = await billing.get_subscriber(ANA)
        kept.override_response = lambda request: web.Response(status=500)
        for age in (OWNER_FRESH_SECONDS - 1, OWNER_FRESH_SECONDS, OWNER_STALE_SECONDS - 1):
            seconds[0] = age
            assert await billing.get_subscriber(ANA) == known
        seconds[0] = OWNER_STALE_SECONDS
        with pytest.raises(Down):
            await billing.get_subscriber(ANA)


async def test_before_a_secret_leaves_no_cached_answer_is_used(tmp_path: Path) -> None:
    kept = build_book()
    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        known = await billing.get_subscriber(ANA)
        kept.rows.people[0]["sim_changed_at"] = DEMO_TIME
        assert await billing.get_subscriber(ANA) == known
        assert (await billing.recheck_subscriber(ANA)).sim_changed_at == DEMO_TIME
        assert (await billing.get_subscriber(ANA)).sim_changed_at == DEMO_TIME
        kept.override_response = lambda request: web.Response(status=500)
        with pytest.raises(Down):
            await billing.recheck_subscriber(ANA)


async def test_a_number_that_is_nobodys_now_is_not_shown_from_the_cache(tmp_path: Path) -> None:
    kept = build_book()
    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        assert isinstance(billing, CachedBilling)
        await billing.get_subscriber(ANA)
        billing.fresh_seconds = 0.0
        kept.faults.add("two_owners")
        with pytest.raises(NotFound):
            await billing.get_subscriber(ANA)
        kept.override_response = lambda request: web.Response(status=500)
        with pytest.raises(Down):
            await billing.get_subscriber(ANA)
