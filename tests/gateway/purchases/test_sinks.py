"""Notifications to merchants: what is posted where, again after a failure, and never to a host not agreed."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from socket import AF_INET, AddressFamily
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import ValidationError

from gateway.publishing.pack_compiler import load_actions
from gateway.purchases.merchant_settings import MerchantSettings
from gateway.purchases.sink_notifier import SinkNotifier
from gateway.wiring.deferred_work import DeferredWork
from tests.gateway.purchases.camara_merchant import (
    SINK,
    Merchant,
    open_merchant,
    sink_credential,
    transaction,
)
from tests.support.certificates import CertificateAuthority
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import SandboxFactory

TYPE_ROOT = "org.camaraproject.carrier-billing.v0."


@dataclass
class FixedResolver(AbstractResolver):
    """Resolves every name to one address and port."""

    port: int
    address: str = "127.0.0.1"

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        found = {"hostname": host, "host": self.address, "port": self.port, "family": AF_INET}
        return [{**found, "proto": 0, "flags": 0}]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        """Close nothing."""


@dataclass
class MerchantServer:
    """A merchant's server: what was posted to it, and the statuses it answers."""

    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Header `Authorization` and event."""
    statuses: list[int] = field(default_factory=list)
    """Answered one after the other; 204 then."""

    async def receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/cloudevents+json"
        self.posted.append((request.headers.get("Authorization", ""), json.loads(await request.text())))
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    @property
    def kinds(self) -> list[str]:
        return [event["type"].removeprefix(TYPE_ROOT) for _, event in self.posted]


@asynccontextmanager
async def serve_tls(app: web.Application, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve an application over TLS on a loopback port and yield the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_sink(
    merchant: Merchant, folder: Path, network: str = "127.0.0.0/8"
) -> AsyncIterator[MerchantServer]:
    """Serve a merchant's sink over TLS, and let the sandbox's worker post to it."""
    authority, server = CertificateAuthority("authority", folder), MerchantServer()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue_certificate("merchant"))
    app = web.Application()
    app.router.add_post("/events", server.receive)
    async with serve_tls(app, tls) as port:
        container = merchant.sandbox.container
        trusted = ssl.create_default_context(cafile=str(authority.certificate_file))
        settings = MerchantSettings.model_validate(
            {"token": "t" * 24, "category": "parking", "sink_hosts": ["merchant.example.net"]}
            | ({"sink_networks": [network]} if network else {})
        )
        sinks = SinkNotifier(
            {"bouygues": {"parkplus": settings}}, container.clock, FixedResolver(port), trusted
        )
        container.outbox_worker.run_deferred_step = DeferredWork(
            container.menu_versions,
            container.operators,
            container.subscriber_caches,
            load_actions(),
            sinks,
        ).run_step
        yield server


@pytest.fixture
async def merchant(sandboxes: SandboxFactory) -> AsyncIterator[Merchant]:
    async with open_merchant(sandboxes) as opened:
        yield opened


def wanting(merchant: Merchant, amount: float = 0.5, lasts: timedelta = timedelta(hours=2)) -> dict[str, Any]:
    ends = (merchant.sandbox.clock() + lasts).isoformat()
    return transaction(amount) | {"sink": SINK, "sinkCredential": sink_credential(ends)}


async def deliver(merchant: Merchant, after: timedelta = timedelta()) -> None:
    merchant.sandbox.clock.advance(after)
    await merchant.sandbox.messages.collect_new()


async def test_a_payment_is_told_once_with_the_merchants_token(merchant: Merchant, tmp_path: Path) -> None:
    async with serve_sink(merchant, tmp_path) as server:
        merchant.body = wanting(merchant)
        made = (await merchant.send("createPayment"))[2]
        await deliver(merchant)
        await deliver(merchant)
    ((authorization, event),) = server.posted
    assert authorization == "Bearer a-token-of-the-merchant" and made["sink"] == SINK
    assert event["specversion"] == "1.0" and event["type"] == f"{TYPE_ROOT}payment-completed"
    assert event["data"]["paymentId"] == made["paymentId"] and event["data"]["status"] == "succeeded"
    assert event["data"]["paymentDate"] == made["paymentDate"]
    stored = await dump_table(merchant.sandbox.container.database, "purchase_charges")
    assert "a-token-of-the-merchant" not in stored and "merchant.example.net" not in stored


async def test_each_step_of_a_payment_is_told(merchant: Merchant, tmp_path: Path) -> None:
    async with serve_sink(merchant, tmp_path) as server:
        for amount, step in ((12.0, "cancelPayment"), (0.5, "confirmPayment")):
            merchant.body = wanting(merchant, amount)
            merchant.payment = (await merchant.send("preparePayment"))[2]["paymentId"]
            await deliver(merchant)
            merchant.body = {"phoneNumber": "+33660000101"}
            assert (await merchant.send(step))[0] == 202
            await deliver(merchant)
    assert server.kinds == [
        *("payment-pending-validation", "payment-cancelled"),
        *("payment-reserved", "payment-completed"),
    ]


async def test_a_refund_is_told_to_its_own_sink(merchant: Merchant, tmp_path: Path) -> None:
    async with serve_sink(merchant, tmp_path) as server:
        merchant.payment = (await merchant.make_payment("createPayment"))["paymentId"]
        made = await merchant.make_refund(0.1, sink=SINK)
        await deliver(merchant)
    ((authorization, event),) = server.posted
    assert (authorization, event["data"]["refundId"]) == ("", made["refundId"])
    assert event["type"] == "org.camaraproject.carrier-billing-refund.v0.refund-completed"


@pytest.mark.parametrize(("statuses", "posts"), [([500, 429, 204], 3), ([410], 1), ([302], 1), ([403], 1)])
async def test_an_event_is_posted_again_only_where_that_helps(
    merchant: Merchant, tmp_path: Path, statuses: list[int], posts: int
) -> None:
    async with serve_sink(merchant, tmp_path) as server:
        server.statuses = statuses
        merchant.body = wanting(merchant)
        await merchant.send("createPayment")
        for _ in range(5):
            await deliver(merchant, timedelta(minutes=1))
    assert len(server.posted) == posts and len({event["id"] for _, event in server.posted}) == 1


async def test_nothing_is_told_once_the_merchants_token_has_ended(merchant: Merchant, tmp_path: Path) -> None:
    async with serve_sink(merchant, tmp_path) as server:
        merchant.body = wanting(merchant, lasts=timedelta(minutes=1))
        await merchant.send("createPayment")
        await deliver(merchant, timedelta(minutes=2))
    assert server.posted == []


async def test_a_host_that_resolves_to_an_internal_address_is_not_connected_to(
    merchant: Merchant, tmp_path: Path
) -> None:
    async with serve_sink(merchant, tmp_path, network="") as server:
        merchant.body = wanting(merchant)
        await merchant.send("createPayment")
        await deliver(merchant)
    assert server.posted == []


@pytest.mark.parametrize(
    "sink",
    [
        *("http://merchant.example.net/events", "https://other.example.net/events", "https://127.0.0.1/events"),
        *("https://merchant.example.net@169.254.169.254/", "https://merchant.example.net:8443/events"),
        *("https://user@merchant.example.net/events", "https://[::1", "//merchant.example.net", ""),
        *("https://merchant.example.net.evil.example/", "file:///etc/passwd"),
    ],
)
async def test_a_sink_that_was_not_agreed_is_refused_and_nothing_charged(merchant: Merchant, sink: str) -> None:
    merchant.body = transaction() | {"sink": sink}
    status, _, got = await merchant.send("createPayment")
    assert status == 400 and got["code"] in ("INVALID_SINK", "INVALID_ARGUMENT")


@pytest.mark.parametrize("token", ["two words", "line\r\nX-Other: 1", "", "é", "t" * 5000])
async def test_a_token_that_is_no_bearer_token_is_refused(merchant: Merchant, token: str) -> None:
    ends = (merchant.sandbox.clock() + timedelta(hours=1)).isoformat()
    merchant.body = transaction() | {"sink": SINK, "sinkCredential": sink_credential(ends, token)}
    status, _, got = await merchant.send("createPayment")
    assert (status, got["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "wrong", [{"sink_hosts": ["127.0.0.1"]}, {"sink_hosts": ["localhost"]}, {"sink_networks": ["10.1.0.0/99"]}]
)
def test_a_sink_setting_that_is_no_name_or_network_is_refused(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match="sink_"):
        MerchantSettings.model_validate({"token": "t" * 24, "category": "parking", **wrong})
