"""Fuzz: whatever is sent to whatever the API description names, and to every page, nothing answers 5xx."""

import random
from typing import Any
from urllib.parse import urlencode

import schemathesis
from aiohttp import ClientSession
from hypothesis import HealthCheck, Phase, given, settings

from gateway.app import listening, public
from tests.world import HOOK_TOKEN, World

PAGES = ("bill", "address", "confirm", "bill.pdf", "style.css", "link.js")
EXAMPLES = 20
BYTES = 60


def drawn(operation: Any) -> list[Any]:
    """Cases of one operation, the same in every run."""
    cases: list[Any] = []
    quiet = settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    quiet(given(case=operation.as_strategy())(lambda case: cases.append(case)))()
    return cases


async def answered(client: ClientSession, base: str, case: Any) -> int:
    """The status of one drawn request; its path token is the right one every other time."""
    token = HOOK_TOKEN if len(str(case.body)) % 2 else str(case.path_parameters.get("token", ""))[:40] or "x"
    path = case.path.replace("{token}", "".join(filter(str.isalnum, token)) or "x")
    fields = case.body.items() if isinstance(case.body, dict) else [("body", repr(case.body))]
    body = urlencode([(str(name), str(value)) for name, value in fields], errors="replace")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.request(case.method, base + path, data=body, headers=headers) as got:
        return got.status


async def test_every_described_route_survives_what_is_drawn_for_it(world: World) -> None:
    async with listening(public(world.house), "127.0.0.1", 0) as port, ClientSession() as client:
        base = f"http://127.0.0.1:{port}"
        async with client.get(f"{base}/openapi.json") as got:
            described = schemathesis.openapi.from_dict(await got.json())
        for operation in described.get_all_operations():
            cases = drawn(operation.ok())  # type: ignore[union-attr]
            statuses = [await answered(client, base, case) for case in cases]
            assert statuses and max(statuses) < 500


async def test_every_page_survives_random_bytes(world: World) -> None:
    dice = random.Random(20260310)
    async with listening(public(world.house), "127.0.0.1", 0) as port, ClientSession() as client:
        for page in PAGES * 20:
            url, body = f"http://127.0.0.1:{port}/orange-ro/{page}", dice.randbytes(BYTES)
            async with client.post(url, data=body) as got:
                assert got.status < 500
            async with client.get(f"{url}?{body.hex()}=%{body.hex()[:2]}") as got:
                assert got.status < 500
