"""SMS over described providers: one POST, its answer sorted into our failures; what comes in."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web

from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TryLater, Undelivered
from flows.domain.records import OutboundMessage
from gateway.http.listening import serve_app
from gateway.http.sample_check import example_connection
from gateway.providers._aggregators.described_provider import DescribedProvider
from gateway.providers.contract import Connection, Sender
from gateway.server.app import public_app
from tests.support.fakes.vendor_api import FakeVendor
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.provider_examples import described_providers

SENDING = {name: each for name, each in described_providers().items() if each.description.sender}
ACCEPTED: Mapping[str, tuple[int, Any]] = {
    "infobip": (200, {"messages": [{"messageId": "m1", "status": {"groupId": 1, "groupName": "PENDING"}}]}),
    "orange": (201, {"outboundSMSMessageRequest": {"resourceURL": "https://api.orange.com/x/requests/m1"}}),
    "sinch": (201, {"id": "m1", "canceled": False}),
    "vonage": (200, {"message-count": "1", "messages": [{"message-id": "m1", "status": "0"}]}),
}
REFUSED: list[tuple[str, int, Any, type[Undelivered]]] = [
    ("infobip", 200, {"messages": [{"status": {"groupName": "REJECTED"}}]}, Rejected),
    ("infobip", 200, {"messages": [{"status": {"groupName": "SOMETHING NEW"}}]}, OutcomeUnknown),
    ("infobip", 401, {}, Misconfigured),
    ("orange", 400, {"requestError": {"serviceException": {"messageId": "SVC0004"}}}, Rejected),
    ("orange", 403, {"requestError": {"policyException": {"messageId": "POL0001"}}}, Misconfigured),
    ("orange", 401, {"code": 42}, TryLater),
    ("sinch", 400, {"code": "syntax_invalid_parameter_format"}, Rejected),
    ("sinch", 403, {"code": "forbidden"}, Misconfigured),
    ("vonage", 200, {"messages": [{"status": "1"}]}, TryLater),
    ("vonage", 200, {"messages": [{"status": "9"}]}, Misconfigured),
    ("vonage", 200, {"messages": [{"status": "7"}]}, Rejected),
    ("vonage", 200, {"messages": []}, OutcomeUnknown),
]


@dataclass
class FakeAggregator(FakeVendor):
    """Answers with a fixed JSON answer; gives a token to whoever asks for one."""

    answer: tuple[int, Any] = (200, {})
    token_count: int = field(default=0)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/token"):
            self.token_count += 1
            return web.json_response({"access_token": f"token-{self.token_count}", "expires_in": "3600"})
        return await super()._answer(request)

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        status, body = self.answer
        return web.json_response(body, status=status)


def test_every_sending_provider_has_an_accepted_answer_here() -> None:
    assert set(ACCEPTED) == set(SENDING)


@asynccontextmanager
async def connect(name: str, vendor: FakeAggregator) -> AsyncIterator[Sender]:
    provider = SENDING[name]
    plain = example_connection(provider)
    settings = provider.Settings.model_validate({**provider.example_settings(), "api_url": vendor.url})
    connection = Connection("orange-ro", settings, plain.public_url, plain.hooks_url, {}, plain.addresses)
    assert provider.connect_sender
    sender = await provider.connect_sender(connection)
    try:
        yield sender
    finally:
        await sender.close()


def notice(body: str = "Cod 4821") -> OutboundMessage:
    return OutboundMessage("turn 7/é?", "orange-ro", "+40740000101", "sms", "reply", body, "ro")


@pytest.mark.parametrize("name", SENDING)
@pytest.mark.parametrize("body", ["Cod 4821", 'Ștefan: "1 & 2"\nفاتورة'])
async def test_a_message_is_posted_once_and_whole(name: str, body: str) -> None:
    async with FakeAggregator(answer=ACCEPTED[name]) as vendor, connect(name, vendor) as sender:
        sent = await sender.send(notice(body))
    (request,) = vendor.requests
    carried = request.form or json.loads(request.text)
    assert (sent.provider, sent.message_id) == (name, "m1")
    assert body in leaves(carried)
    assert any(each.endswith("40740000101") for each in leaves(carried))


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize(("name", "status", "body", "failure"), REFUSED)
async def test_a_refusal_is_sorted(name: str, status: int, body: Any, failure: type[Undelivered]) -> None:
    async with FakeAggregator(answer=(status, body)) as vendor, connect(name, vendor) as sender:
        with pytest.raises(Undelivered) as refusal:
            await sender.send(notice())
    assert type(refusal.value) is failure
    assert "40740000101" not in str(refusal.value)


@pytest.mark.parametrize("name", SENDING)
@pytest.mark.parametrize(
    ("trick", "failure"),
    [("reset", OutcomeUnknown), ("500", OutcomeUnknown), ("429", TryLater), ("redirect", Misconfigured)],
)
async def test_faults_are_no_guesses(name: str, trick: str, failure: type[Undelivered]) -> None:
    async with FakeAggregator(answer=ACCEPTED[name]) as vendor, connect(name, vendor) as sender:
        vendor.script.append(trick)
        with pytest.raises(Undelivered) as refusal:
            await sender.send(notice())
    assert type(refusal.value) is failure
    assert len(vendor.requests) == 1


async def test_a_closed_port_is_no_unknown_outcome() -> None:
    async with FakeAggregator() as vendor:
        pass
    async with connect("sinch", vendor) as sender:
        with pytest.raises(TryLater):
            await sender.send(notice())


async def test_a_refused_token_is_fetched_anew() -> None:
    async with FakeAggregator(answer=(401, {})) as vendor, connect("orange", vendor) as sender:
        with pytest.raises(TryLater):
            await sender.send(notice())
        vendor.answer = ACCEPTED["orange"]
        await sender.send(notice())
    assert [request.headers["Authorization"] for request in vendor.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_name_as_recipient_is_refused_unsent() -> None:
    async with FakeAggregator() as vendor, connect("sinch", vendor) as sender:
        with pytest.raises(Rejected):
            await sender.send(OutboundMessage("k", "orange-ro", "Orange", "sms", "reply", "x", "ro"))
    assert vendor.requests == []


@asynccontextmanager
async def connect_webhooks(
    sandboxes: SandboxFactory, name: str
) -> AsyncIterator[tuple[GatewaySandbox, ClientSession, str]]:
    provider: DescribedProvider = described_providers()[name]
    section = {**provider.example_settings(), "trust": {"sms": "line"}}
    async with (
        sandboxes.open(more={"operators": {"orange-ro": {name: section}}}) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        yield sandbox, client, f"http://127.0.0.1:{port}/hooks/orange-ro/{name}/{section.get('hook_token', '')}"


async def test_each_text_of_a_list_is_answered_once(sandboxes: SandboxFactory) -> None:
    texts = [
        {"messageId": f"m{number}", "from": f"4074000010{number}", "to": "477", "text": "AJUTOR"}
        for number in (1, 2)
    ]
    async with connect_webhooks(sandboxes, "infobip") as (sandbox, client, base):
        for _ in range(2):
            async with client.post(f"{base}/sms", json={"results": texts}) as answer:
                assert (answer.status, await answer.read()) == (200, b"")
        replies = await sandbox.messages.collect_new()
    assert sorted(each.to for each in replies) == ["+40740000101", "+40740000102"]


async def test_a_text_that_is_not_signed_right_is_refused(sandboxes: SandboxFactory) -> None:
    fields = {"msisdn": "40740000101", "to": "477", "messageId": "m1", "text": "AJUTOR", "sig": "00"}
    async with connect_webhooks(sandboxes, "vonage") as (sandbox, client, base):
        async with client.post(f"{base.rstrip('/')}/sms", data=urlencode(fields), headers=FORM) as answer:
            assert answer.status == 403
        assert await sandbox.messages.collect_new() == []


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
