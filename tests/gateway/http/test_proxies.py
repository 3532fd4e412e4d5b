"""Reverse proxies: the documented nginx block with a real nginx, unlisted proxies, and `sources`."""

import logging
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from twilio.request_validator import RequestValidator

from gateway.http.listening import serve_app
from gateway.http.proxy_check import POSTS_JUDGED, UnlistedProxyCheck
from gateway.providers.registry import discover_providers
from gateway.server.app import public_app
from gateway.settings import load_settings
from gateway.settings_sources import SettingsError
from gateway.wiring.connections import require_listed_proxy
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.installed_programs import find_or_skip
from tests.support.server_processes import wait_until

PAGE = Path(__file__).parents[3] / "docs" / "proxies.md"
USSD_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd"
WRONG_PATH = "/hooks/orange-ro/africastalking/wrong/ussd"
FORM = {"sessionId": "s", "serviceCode": "*100#", "phoneNumber": "+40740000101", "networkCode": "1", "text": ""}
MAX_REFUSED = 3


def nginx_configuration(folder: Path, port: int, upstream: int) -> str:
    """Return the documented block for these ports, without TLS, in a configuration that runs alone."""
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    block = found[1].replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    block = re.sub(r"server 127\.0\.0\.1:5100;.*?keepalive", f"server 127.0.0.1:{upstream}; keepalive", block)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"daemon off; pid {folder}/pid; events {{}} http {{ access_log off; {temporary}\n{block} }}"


@contextmanager
def run_nginx(folder: Path, upstream: int) -> Iterator[int]:
    program = find_or_skip("nginx")
    port, file = free_port(), folder / "nginx.conf"
    file.write_text(nginx_configuration(folder, port, upstream))
    command = [program, "-c", str(file), "-e", str(folder / "errors")]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (folder / "pid").exists() and child.poll() is None, 20, "nginx runs")
        yield port
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture
async def proxied(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway with four rejections a minute behind the documented proxy; yields the proxy's URL."""
    more = {"trusted_proxies": ["127.0.0.1"], "refused_per_minute": MAX_REFUSED}
    async with sandboxes.open(more=more) as sandbox:
        async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as upstream:
            with ExitStack() as stack:
                yield f"http://127.0.0.1:{stack.enter_context(run_nginx(tmp_path, upstream))}"


async def post(url: str, path: str, source: str, forwarded: str = "") -> int:
    """Post a USSD request from a loopback address; return the status."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with ClientSession(connector=TCPConnector(local_addr=(source, 0))) as client:
        async with client.post(url + path, data=FORM, headers=headers) as answer:
            return answer.status


async def test_T25_forged_posts_of_one_client_behind_the_proxy_leave_others_alone(proxied: str) -> None:
    forged = [await post(proxied, WRONG_PATH, "127.0.0.2") for _ in range(MAX_REFUSED + 2)]
    assert forged == [404] * MAX_REFUSED + [429] * 2
    assert await post(proxied, WRONG_PATH, "127.0.0.3") == 404
    assert await post(proxied, USSD_PATH, "127.0.0.2") == 200


async def test_T25_a_client_behind_the_proxy_cannot_choose_its_address(proxied: str) -> None:
    forged = [await post(proxied, WRONG_PATH, "127.0.0.2", f"192.0.2.{n}") for n in range(MAX_REFUSED + 1)]
    assert forged == [404] * MAX_REFUSED + [429]


async def test_T25_a_signed_request_is_answered_while_forged_ones_of_its_address_are_refused(
    sandboxes: SandboxFactory,
) -> None:
    async with sandboxes.open(more={"refused_per_minute": 1}) as sandbox:
        async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port:
            url = f"http://127.0.0.1:{port}"
            assert await statuses_of_forged(url, 3) == [403, 429, 429]
            assert await post_signed(url) == 200


async def statuses_of_forged(url: str, count: int) -> list[int]:
    fields = {"MessageSid": "SM1", "From": "+40740000101", "To": "477", "Body": "INFO"}
    async with ClientSession() as client:
        path = f"{url}/hooks/orange-ro/twilio/sms"
        headers = {"X-Twilio-Signature": "forged"}
        return [(await client.post(path, data=fields, headers=headers)).status for _ in range(count)]


async def post_signed(url: str) -> int:
    fields = {"MessageSid": "SM2", "From": "+40740000101", "To": "477", "Body": "INFO", "AccountSid": "AC1"}
    path = "/hooks/orange-ro/twilio/sms"
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, fields)
    async with ClientSession() as client:
        return (await client.post(url + path, data=fields, headers={"X-Twilio-Signature": signature})).status


def is_warned(peers: Sequence[str | None], caplog: pytest.LogCaptureFixture) -> bool:
    check = UnlistedProxyCheck()
    with caplog.at_level(logging.WARNING, "dialtree.server"):
        for peer in peers:
            check.observe_peer(peer)
    return "proxy.unlisted" in caplog.messages


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "fd00::1", "::1"])
def test_posts_of_one_private_peer_only_are_warned_of_once(peer: str, caplog: pytest.LogCaptureFixture) -> None:
    assert is_warned([peer] * POSTS_JUDGED * 2, caplog)
    assert caplog.messages.count("proxy.unlisted") == 1


@pytest.mark.parametrize(
    "peers",
    [
        ["10.1.2.3"] * (POSTS_JUDGED - 1),
        ["81.2.69.142"] * POSTS_JUDGED,
        ["10.1.2.3", "10.1.2.4"] * POSTS_JUDGED,
        [None] * POSTS_JUDGED,
    ],
)
def test_other_peers_are_not_warned_of(peers: list[str | None], caplog: pytest.LogCaptureFixture) -> None:
    assert not is_warned(peers, caplog)


def settings_with(host: str, trusted: list[str], sources: list[str]) -> Any:
    link = {
        "username": "sandbox",
        "api_key": "k" * 40,
        "hook_token": "q7Zt3mXw9Lr2Vb8Nc5Kd1Hf6",
        "sources": sources,
    }
    raw = {
        "database_url": "sqlite:///x.db",
        "secret_key": "pX4v9Kq2Wm7Zt1Rb8Lc5Nd3Hf6Js0Ga!",
        "public_url": "https://gw.example.net",
        "host": host,
        "trusted_proxies": trusted,
        "operators": {"orange-ro": {"africastalking": link}},
    }
    return load_settings(discover_providers(), Path("none"), {}, raw)


def test_sources_behind_an_unlisted_proxy_stop_the_start() -> None:
    with pytest.raises(SettingsError, match=r"trusted_proxies: .*orange-ro\.africastalking\.sources"):
        require_listed_proxy(settings_with("127.0.0.1", [], ["192.0.2.0/24"]))


@pytest.mark.parametrize(
    ("host", "trusted", "sources"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["192.0.2.0/24"]),
        ("0.0.0.0", [], ["192.0.2.0/24"]),
        ("127.0.0.1", [], []),
    ],
)
def test_other_combinations_start(host: str, trusted: list[str], sources: list[str]) -> None:
    require_listed_proxy(settings_with(host, trusted, sources))
