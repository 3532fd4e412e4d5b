"""BSS HTTP client: split bodies, dropped packets, token refresh, connection failures."""

import asyncio
import itertools
import json
import socket
from datetime import UTC, date
from typing import Any

import pytest
from aiohttp import ClientSession, web

from flows.domain.failures import Down, NotFound, Slow
from flows.domain.records import Secret
from storage.billing._client.caching import CachedBilling
from storage.billing._client.http import BssClient, ConnectionOptions
from storage.billing._client.oauth import OAuthTokenSource
from storage.billing._client.ownership import select_holder
from storage.billing._killbill_mapping import ownership_claim
from storage.billing.backend import connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import backend_site, serve_bss_app

TODAY = date(2026, 3, 10)


async def test_a_token_is_read_to_its_end_however_its_bytes_arrive() -> None:
    token = "t" * 3_000

    async def answered(request: web.Request) -> web.StreamResponse:
        return await send_in_two_pieces(
            request, json.dumps({"access_token": token, "expires_in": 300}).encode()
        )

    app = web.Application()
    app.router.add_post("/token", answered)
    async with serve_bss_app(app) as url, ClientSession() as session:
        assert (
            await OAuthTokenSource(f"{url}/token", "us", Secret("ours")).bearer_header(session)
            == f"Bearer {token}"
        )


async def send_in_two_pieces(request: web.Request, body: bytes) -> web.StreamResponse:
    """Send an answer whose second half leaves only after the first has arrived."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[:99])
    for _ in range(20):
        await asyncio.sleep(0)
    await response.write(body[99:])
    return response


async def test_a_late_401_does_not_discard_a_newer_token() -> None:
    given, renewed = itertools.count(1), asyncio.Event()

    async def token(request: web.Request) -> web.Response:
        return web.json_response({"access_token": f"t{next(given)}", "expires_in": 300})

    async def told(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer t1":
            if request.path == "/late":
                await renewed.wait()
            return web.Response(status=401)
        renewed.set()
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.post("/token", token), web.get("/{place}", told)])
    async with serve_bss_app(app) as url:
        tokens = OAuthTokenSource(f"{url}/token", "us", Secret("ours"))
        http = BssClient(url, ConnectionOptions(timeout_seconds=30, connect_seconds=30), token_source=tokens)
        await asyncio.gather(http.get("soon"), http.get("late"))
        await http.close()
    assert next(given) == 3


async def test_connection_timeouts_open_the_circuit() -> None:
    """A host that is gone, or a firewall: packets are dropped, nothing is refused."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
    ):
        where = f"tmf678+http://127.0.0.1:{full.getsockname()[1]}"
        there = backend_site(opened("sqlite://"), lambda: TODAY, {"connect_seconds": 0.05})
        billing = connect_backend(where, there)
        for name in "abcde":
            with pytest.raises(Slow):
                await billing.list_bills(name, 1)
        with pytest.raises(Down):
            await billing.list_bills("f", 1)
        assert isinstance(billing, CachedBilling)
        await billing.close()


def bundle_event(name: str, **line: str) -> dict[str, Any]:
    return {
        "bundleId": name,
        "accountId": "A1",
        "subscriptions": [{"startDate": "2020-01-01", "state": "ACTIVE", **line}],
    }


CANCELLED_BUNDLE, EXPIRED_BUNDLE, ADDED_BUNDLE = (
    bundle_event("over", state="CANCELLED"),
    bundle_event("over", state="EXPIRED"),
    bundle_event("added", productCategory="ADD_ON"),
)


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ([CANCELLED_BUNDLE, bundle_event("goes on")], "goes on"),
        ([ADDED_BUNDLE, bundle_event("goes on"), bundle_event("too")], "goes on"),
        ([EXPIRED_BUNDLE, bundle_event("goes on")], "goes on"),
        ([bundle_event("later", startDate="2026-04-01"), bundle_event("goes on")], "goes on"),
        ([CANCELLED_BUNDLE, EXPIRED_BUNDLE], None),
        ([bundle_event("theirs") | {"accountId": "B2"}], None),
        ([], None),
    ],
)
def test_a_reopened_line_is_its_new_bundle(found: list[dict[str, Any]], name: str | None) -> None:
    claims = [ownership_claim(each, UTC) for each in found]
    if name is None:
        with pytest.raises(NotFound):
            select_holder(claims, "A1", TODAY)
        return
    assert select_holder(claims, "A1", TODAY)["bundleId"] == name
