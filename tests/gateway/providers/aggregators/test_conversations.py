"""USSD over every described provider: the same screens, the same key twice, an id used again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.described_phone import DescribedPhone
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.provider_examples import described_providers

ANA = "+40740000101"
USSD_PROVIDERS = {
    name: each for name, each in described_providers().items() if "ussd" in each.description.routes
}
KEYS = ("1", "1", "3", "1")
"""The way to activating the e-invoice; it has the same key twice in a row."""


@asynccontextmanager
async def connect_phone(
    sandboxes: SandboxFactory, name: str
) -> AsyncIterator[tuple[DescribedPhone, GatewaySandbox]]:
    provider = USSD_PROVIDERS[name]
    section: dict[str, Any] = dict(provider.example_settings())
    async with (
        sandboxes.open(more={"operators": {"orange-ro": {name: section}}}) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        yield DescribedPhone(client, f"http://127.0.0.1:{port}", "orange-ro", provider), sandbox


@pytest.mark.parametrize("name", USSD_PROVIDERS)
async def test_every_provider_shows_the_same_screens(name: str, sandboxes: SandboxFactory) -> None:
    async with connect_phone(sandboxes, name) as (phone, sandbox):
        seen = [await phone.dial(ANA, "*100#"), *[await phone.press(key) for key in KEYS]]
        effects = await sandbox.count_effects()
    async with sandboxes.open() as sandbox:
        line = sandbox.direct_line()
        expected = [await line.dial(ANA, "*100#"), *[await line.press(key) for key in KEYS]]
        assert [(each.lines, each.ends) for each in seen] == [(each.lines, each.ends) for each in expected]
        assert effects == await sandbox.count_effects()


@pytest.mark.parametrize("name", USSD_PROVIDERS)
async def test_what_follows_the_code_is_dialled_ahead(name: str, sandboxes: SandboxFactory) -> None:
    async with connect_phone(sandboxes, name) as (phone, _):
        await phone.dial(ANA, "*100#")
        stepwise = await phone.press("1")
        assert await phone.dial(ANA, "*100*1#") == stepwise


@pytest.mark.parametrize("name", USSD_PROVIDERS)
async def test_a_session_id_used_for_a_new_dial_begins_at_home(name: str, sandboxes: SandboxFactory) -> None:
    if "kind" not in USSD_PROVIDERS[name].description.routes["ussd"].read or name == "comviva":
        return  # such a provider gives every dial an id of its own and says nothing of beginnings
    async with connect_phone(sandboxes, name) as (phone, _):
        home = await phone.dial(ANA, "*100#")
        budget = await phone.press("1")
        phone.session, phone.step = "S1", 0
        offer = await phone._send("begin", "*100#")  # to continue, or to start again
        assert offer not in (home, budget)
        assert await phone.press("2") == home


@pytest.mark.parametrize(
    "name",
    [name for name, each in USSD_PROVIDERS.items() if "request_id" in each.description.routes["ussd"].read],
)
async def test_a_numbered_request_delivered_again_moves_once(name: str, sandboxes: SandboxFactory) -> None:
    async with connect_phone(sandboxes, name) as (phone, _):
        await phone.dial(ANA, "*100#")
        budget = await phone.press("1")
        assert await phone.repeat_last() == budget
        assert await phone.press("1") != budget


@pytest.mark.parametrize("name", USSD_PROVIDERS)
async def test_garbage_is_answered_4xx_or_with_a_closing_text(name: str, sandboxes: SandboxFactory) -> None:
    async with connect_phone(sandboxes, name) as (phone, _):
        await phone.dial(ANA, "*100#")
        url, arguments = phone.last
        for data in (b"", b"{", b"\xff\xfe", b"<a>", b'{"a": {"b": []}}'):
            broken = {**arguments, **({"data": data} if "data" in arguments else {})}
            place = url if "data" in arguments else url.partition("?")[0] + "?input=%FF"
            async with phone.client.request(phone.route.method, place, **broken) as answer:
                assert answer.status == 200 or 400 <= answer.status < 500, await answer.text()
