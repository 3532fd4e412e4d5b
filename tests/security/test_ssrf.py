"""SSRF (T19): no address from outside is ever looked up or connected to."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult
from twilio.request_validator import RequestValidator

from flows.domain.failures import Down
from gateway.http.listening import serve_app
from gateway.pages.routes import FORM_FIELDS
from gateway.server.app import public_app
from storage.billing._client.http import BssClient, ConnectionOptions
from storage.billing._client.ssrf_guard import UrlAllowList
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, GatewaySandbox, SandboxFactory

ANA = "+40740000101"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NAMES = ("rebind.canary.example", "metadata.canary.example")
FORBIDDEN_URLS = {
    "plain": "http://127.0.0.1:{port}/",
    "decimal": "http://2130706433:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "hexadecimal": "http://0x7f000001:{port}/",
    "short": "http://127.1:{port}/",
    "nought": "http://0.0.0.0:{port}/",
    "name": "http://localhost:{port}/",
    "mapped": "http://[::ffff:127.0.0.1]:{port}/",
    "own": "http://[::1]:{port}/",
    "login": "http://gw.example.net@127.0.0.1:{port}/",
    "a name that is another address the second time": "http://rebind.canary.example:{port}/",
    "a redirect to metadata": "http://127.0.0.1:{port}/to?http://169.254.169.254/latest/meta-data/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata by name": "http://metadata.canary.example/",
    "file": "file:///etc/passwd",
    "another protocol": "gopher://127.0.0.1:{port}/_PING",
}
IDENTITY = {
    "africastalking": {"phoneNumber": ANA, "from": ANA, "callerNumber": ANA},
    "twilio": {"From": ANA, "To": "477", "AccountSid": "AC1"},
}
URL_FIELDS = (
    "MediaUrl0",
    "RecordingUrl",
    "recordingUrl",
    "callbackUrl",
    "Url",
    "StatusCallback",
    "FallbackUrl",
)
"""Fields in which providers send URLs."""
STEP_FIELDS = {"isActive": "1", "CallStatus": "in-progress", "status": "Success", "MessageStatus": "sent"}


@dataclass
class ConnectionMonitor:
    """Records every connection and DNS lookup of this process while active."""

    is_active: bool = False
    attempts: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, event: str, told: tuple[Any, ...]) -> None:
        if self.is_active and event in ("socket.connect", "socket.getaddrinfo"):
            self.attempts.append((event, told[1] if event == "socket.connect" else told[:2]))

    def attempts_towards(self, port: int) -> list[tuple[str, Any]]:
        """Return the attempts towards the port, names or addresses of the table."""
        marks = (f"{port}", "169.254", *NAMES)
        return [each for each in self.attempts if any(mark in repr(each) for mark in marks)]


@pytest.fixture(scope="module")
def audit_hook() -> ConnectionMonitor:
    """Install the audit hook once per module: it cannot be removed."""
    connection_monitor = ConnectionMonitor()
    sys.addaudithook(connection_monitor)
    return connection_monitor


@pytest.fixture
def connection_monitor(audit_hook: ConnectionMonitor) -> Iterator[ConnectionMonitor]:
    audit_hook.attempts.clear()
    audit_hook.is_active = True
    yield audit_hook
    audit_hook.is_active = False


@asynccontextmanager
async def forbidden_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve a port nobody may contact; yield it and the requests it received."""
    came: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readline())
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


def webhook_requests(sandbox: GatewaySandbox, place: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every webhook with the URL in its required fields, in its URL fields, and in all fields."""
    for door in sandbox.container.guard.endpoints.values():
        operator, provider, route = door.name.split("/")
        token = f"/{HOOK_TOKEN}" if door.path_tokens else ""
        needed = dict.fromkeys((*door.route.required_fields, "Body", "text"), place)
        named = dict.fromkeys((*needed, *URL_FIELDS, "to", "id"), place)
        known = IDENTITY[provider] | {
            name: STEP_FIELDS[name] for name in door.route.required_fields if name in STEP_FIELDS
        }
        for fields in (needed | known, named | known | STEP_FIELDS, named):
            yield f"/hooks/{operator}/{provider}{token}/{route}", fields


async def post_webhooks(client: ClientSession, base: str, sandbox: GatewaySandbox, place: str) -> None:
    headers = {"Host": place.split("/")[2] or "x", "X-Forwarded-Host": place, "Referer": place, "Origin": place}
    taken: Counter[str] = Counter()
    for path, fields in webhook_requests(sandbox, place):
        signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, fields)
        signed = {**FORM, **headers, "X-Twilio-Signature": signature}
        async with client.post(base + path, data=urlencode(fields), headers=signed) as got:
            assert got.status in (200, 400, 403)
            taken[path] += got.status == 200
    assert all(taken.values()), taken


async def request_pages(client: ClientSession, base: str, place: str) -> None:
    bill = {"id": place, "href": place, "billingAccount": {"id": place, "href": place}}
    event = {"callback": place, "event": {"customerBill": bill | {"billDocument": [{"url": place}]}}}
    path = f"{base}/hooks/orange-ro/tmf678/{HOOK_TOKEN}/listener/customerBillCreateEvent"
    async with client.post(path, data=json.dumps(event)) as got:
        assert got.status == 204
    for page, fields in FORM_FIELDS.items():
        async with client.get(f"{base}/orange-ro/{page}", params={"lang": place, "next": place}) as got:
            assert got.status == (404 if page == "paid" else 200)  # it shows a payment, and none is named
        async with client.post(f"{base}/orange-ro/{page}", data=dict.fromkeys(fields, place)) as got:
            assert got.status in (200, 403)


@pytest.mark.parametrize("name", FORBIDDEN_URLS)
async def test_T19_no_address_from_outside_is_looked_up_or_connected_to(
    name: str, sandboxes: SandboxFactory, connection_monitor: ConnectionMonitor
) -> None:
    more = {"operators": {"orange-ro": {"bss": {"hub_token": HOOK_TOKEN}}}, "refused_per_minute": 10_000}
    async with forbidden_server() as (port, came), sandboxes.open(more=more) as sandbox:
        place = FORBIDDEN_URLS[name].format(port=port)
        async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as own, ClientSession() as client:
            await post_webhooks(client, f"http://127.0.0.1:{own}", sandbox, place)
            await request_pages(client, f"http://127.0.0.1:{own}", place)
        await sandbox.messages.collect_new()
        assert not came and not connection_monitor.attempts_towards(port)


async def test_T19_the_connection_monitor_sees_connections_and_lookups(
    connection_monitor: ConnectionMonitor,
) -> None:
    async with forbidden_server() as (port, came), ClientSession() as client:
        async with client.get(f"http://localhost:{port}/", allow_redirects=False) as got:
            assert got.status == 302
        assert len(came) == 1 and {event for event, _ in connection_monitor.attempts_towards(port)} == {
            "socket.connect",
            "socket.getaddrinfo",
        }


PUBLIC_ADDRESSES = ("8.8.8.8", "2606:4700:4700::1111")
PRIVATE_ADDRESSES = (
    *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "fe80::1%eth0", "fd00::1", "64:ff9b::7f00:1"),
    *("2002:7f00:1::", "224.0.0.1", "ff02::1"),
)
UNLISTED_URLS = (
    *("https://127.0.0.1/x", "https://2130706433/x", "https://0x7f000001/x", "https://127.1/x"),
    *("https://[::ffff:127.0.0.1]/x", "https://0.0.0.0/x", "https://169.254.169.254/latest/meta-data/"),
    *("https://docs.example:8443/x", "https://docs.example.evil.test/x", "https://evil.test/docs.example"),
    *("https://bss.example@evil.test/x", "https://me:pw@docs.example/x", "http://docs.example/x"),
    *("//evil.test/x", "file:///etc/passwd", "gopher://docs.example/x", "https://bss.example:8443/x"),
)


class FakeResolver(AbstractResolver):
    """A name server that answers as told, one answer after the other."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: Any = AF_INET) -> list[ResolveResult]:
        told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kind = AF_INET6 if ":" in told else AF_INET
        return [ResolveResult(hostname=host, host=told, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        return


async def is_refused(http: BssClient, where: str) -> bool:
    try:
        await http.download_file(where, "application/pdf")
    except Down:
        return True
    finally:
        await http.close()
    return False


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
async def test_T19_no_listed_name_leads_inside(address: str, connection_monitor: ConnectionMonitor) -> None:
    reach = UrlAllowList(("docs.example",))
    assert not reach.allows_address(address)
    http = BssClient(
        "https://bss.example", ConnectionOptions(), resolver=FakeResolver(address), allow_list=reach
    )
    assert await is_refused(http, "https://docs.example/bill.pdf")
    assert not connection_monitor.attempts


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_T19_public_addresses_are_admitted(address: str) -> None:
    assert UrlAllowList().allows_address(address)


@pytest.mark.parametrize("where", UNLISTED_URLS)
async def test_T19_documents_are_fetched_from_listed_hosts_only(
    where: str, connection_monitor: ConnectionMonitor
) -> None:
    reach = UrlAllowList(("docs.example",), ("127.0.0.0/8",))
    assert await is_refused(
        BssClient(
            "https://bss.example", ConnectionOptions(), resolver=FakeResolver("127.0.0.1"), allow_list=reach
        ),
        where,
    )
    assert not connection_monitor.attempts


async def test_T19_the_address_that_was_checked_is_the_one_connected_to(
    connection_monitor: ConnectionMonitor,
) -> None:
    async with forbidden_server() as (port, came):
        reach = UrlAllowList((f"docs.example:{port}",), ("127.0.0.2/32",))
        names = FakeResolver("127.0.0.2", "127.0.0.1")
        http = BssClient("http://bss.example", ConnectionOptions(), resolver=names, allow_list=reach)
        assert await is_refused(http, f"http://docs.example:{port}/bill.pdf")
        assert not came and {address[0] for _, address in connection_monitor.attempts_towards(port)} <= {
            "127.0.0.2"
        }


async def test_T19_a_redirect_to_metadata_is_not_followed(connection_monitor: ConnectionMonitor) -> None:
    async with forbidden_server() as (port, came):
        reach = UrlAllowList((f"docs.example:{port}",), ("127.0.0.1/32",))
        names = FakeResolver("127.0.0.1")
        http = BssClient("http://bss.example", ConnectionOptions(), resolver=names, allow_list=reach)
        assert await is_refused(http, f"http://docs.example:{port}/bill.pdf")
        assert came and "169.254" not in repr(connection_monitor.attempts)


def test_T19_a_network_that_is_none_names_its_setting() -> None:
    with pytest.raises(ValueError, match="document_networks"):
        UrlAllowList(("docs.example",), ("10.1.0.0/99",))
