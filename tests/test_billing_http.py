"""BSS HTTP client: split bodies, dropped packets, token refresh, connection failures."""

import asyncio
import itertools
import json
import socket
from datetime import date
from typing import Any

import pytest
from aiohttp import ClientSession, web

from flows.domain.failures import Down, Slow
from flows.domain.records import Secret
from storage.billing._client.caching import Kept
from storage.billing._client.http import Http, Line
from storage.billing._client.oauth import Tokens
from storage.billing._killbill_mapping import bundle_of
from storage.billing.backend import connect
from storage.sql.engine import connect as opened
from tests.bss import served, site

TODAY = date(2026, 3, 10)


async def test_a_token_is_read_to_its_end_however_its_bytes_arrive() -> None:
    token = "t" * 3_000

    async def answered(request: web.Request) -> web.StreamResponse:
        return await in_two_pieces(request, json.dumps({"access_token": token, "expires_in": 300}).encode())

    app = web.Application()
    app.router.add_post("/token", answered)
    async with served(app) as url, ClientSession() as session:
        assert await Tokens(f"{url}/token", "us", Secret("ours")).bearer(session) == f"Bearer {token}"


async def in_two_pieces(request: web.Request, body: bytes) -> web.StreamResponse:
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
    async with served(app) as url:
        tokens = Tokens(f"{url}/token", "us", Secret("ours"))
        http = Http(url, Line(timeout_seconds=30, connect_seconds=30), tokens=tokens)
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
        there = site(opened("sqlite://"), lambda: TODAY, {"connect_seconds": 0.05})
        billing = connect(where, there)
        for name in "abcde":
            with pytest.raises(Slow):
                await billing.bills(name, 1)
        with pytest.raises(Down):
            await billing.bills("f", 1)
        assert isinstance(billing, Kept)
        await billing.close()


def bundle(name: str, **line: str) -> dict[str, Any]:
    return {"bundleId": name, "subscriptions": [{"startDate": "2020-01-01", "state": "ACTIVE", **line}]}


OVER, ADDED = bundle("over", state="CANCELLED"), bundle("added", productCategory="ADD_ON")


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ([OVER, bundle("goes on")], "goes on"),
        ([ADDED, bundle("goes on"), bundle("too")], "goes on"),
        (bundle("alone"), "alone"),
        ([OVER], "over"),
        ([], None),
        (None, None),
    ],
)
def test_a_reopened_line_is_its_new_bundle(found: object, name: str | None) -> None:
    assert bundle_of(found).get("bundleId") == name
