"""Help desk: tickets reach the operator once, however the desk behaves."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TryLater, Undelivered
from flows.domain.records import OutboundMessage, Secret
from gateway.delivery.desk.desk_client import DeskAnswer, DeskClient, refusal_of
from gateway.delivery.desk.desk_mail import DeskMailSender
from gateway.delivery.desk.signed_webhook import SignedWebhookSender, sign_webhook, signing_key
from gateway.delivery.desk.ticket_event import parse_ticket_event
from gateway.delivery.desk.trouble_ticket import (
    TroubleTicketSender,
    build_trouble_ticket,
    ticket_id,
    ticket_items,
)
from gateway.providers.contract import SentMessage
from tests.support.databases import NOW
from tests.support.fakes.help_desk import FakeHelpDesk
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

PAUL = "+33600000102"
FIELDS = {"reference": "KUXJDQO7", "kind": "contest", "operator": "orange-fr", "opened_at": "2026-03-10T08:00Z"}
MORE = {"account": "A-1", "subscription": "S-1", "bill_id": "B-1", "number": PAUL, "channel": "ussd"}
EVENT = OutboundMessage(
    "desk/orange-fr/KUXJDQO7", "orange-fr", "KUXJDQO7", "desk", "ticket", json.dumps(FIELDS | MORE), "fr"
)
KEY = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, or so").decode()


@dataclass
class KeptMail:
    """A mail sender that keeps what it is given."""

    mails: list[OutboundMessage] = field(default_factory=list)

    async def send(self, notice: OutboundMessage) -> SentMessage:
        self.mails.append(notice)
        return SentMessage("smtp", "<1>")

    async def close(self) -> None: ...


@asynccontextmanager
async def open_sender(desk: FakeHelpDesk) -> AsyncIterator[TroubleTicketSender]:
    sender = TroubleTicketSender(DeskClient(desk.url, {"Authorization": "Bearer t"}, deadline_seconds=0.3))
    try:
        yield sender
    finally:
        await sender.close()


async def test_a_ticket_is_created_with_what_the_standard_demands() -> None:
    async with FakeHelpDesk() as desk, open_sender(desk) as sender:
        assert await sender.send(EVENT) == SentMessage("tmf621", "TT-1")
        ticket = desk.tickets[0]
        assert ticket["externalId"] == "KUXJDQO7" and ticket["ticketType"] == "contest"
        assert ticket["severity"] and PAUL in ticket["description"]
        assert desk.posts[0].headers["Authorization"] == "Bearer t"
        assert ticket["relatedEntity"][0] == {
            "id": "B-1",
            "role": "disputedBill",
            "@referredType": "CustomerBill",
        }


@pytest.mark.parametrize("word", ["lost", "mute", "crash"])
@pytest.mark.parametrize("duplicates", ["refused", "taken"])
async def test_an_accepted_ticket_whose_answer_is_lost_is_not_created_twice(word: str, duplicates: str) -> None:
    async with FakeHelpDesk(refuses_duplicates=duplicates == "refused") as desk, open_sender(desk) as sender:
        desk.script.append(word)
        with pytest.raises(OutcomeUnknown):
            await sender.send(EVENT)
        await sender.send(EVENT)
        assert desk.references == ["KUXJDQO7"]


async def test_a_desk_that_cannot_search_says_by_409_that_it_has_the_ticket() -> None:
    async with FakeHelpDesk(can_search=False) as desk, open_sender(desk) as sender:
        await sender.send(EVENT)
        assert (await sender.send(EVENT)).message_id == "KUXJDQO7"
        assert desk.references == ["KUXJDQO7"]


async def test_another_ticket_that_an_ignored_filter_returns_is_not_taken_for_ours() -> None:
    async with FakeHelpDesk(obeys_filter=False) as desk, open_sender(desk) as sender:
        other = replace(EVENT, body=json.dumps(FIELDS | {"reference": "AAAAAAAA"}))
        await sender.send(other)
        await sender.send(EVENT)
        assert desk.references == ["AAAAAAAA", "KUXJDQO7"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"id": "a\\u0000b"}', b'{"id": "\\ud83d"}', b"TT-1", b"[]"])
def test_an_answer_that_names_no_usable_id_is_a_ticket_without_one(body: bytes) -> None:
    answer = DeskAnswer(201, body)
    assert ticket_id(answer) == "" and ticket_items(answer) == []


async def test_a_desk_that_is_not_there_is_tried_later() -> None:
    async with FakeHelpDesk() as desk:
        gone = desk.url
    sender = TroubleTicketSender(DeskClient(gone, {}))
    with pytest.raises(TryLater):
        await sender.send(EVENT)
    await sender.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((429, TryLater), (503, TryLater), (500, OutcomeUnknown), (504, OutcomeUnknown)),
        *((401, Misconfigured), (404, Misconfigured), (302, Misconfigured), (400, Rejected), (422, Rejected)),
    ],
)
def test_each_answer_has_its_failure(status: int, kind: type[Undelivered]) -> None:
    assert type(refusal_of(DeskAnswer(status))) is kind


async def test_the_time_a_busy_desk_names_is_kept() -> None:
    async with FakeHelpDesk(retry_after="40", can_search=False) as desk, open_sender(desk) as sender:
        desk.script.append("503")
        with pytest.raises(TryLater) as caught:
            await sender.send(EVENT)
        assert caught.value.retry_after_seconds == 40


async def test_a_webhook_is_signed_over_id_time_and_body() -> None:
    async with FakeHelpDesk() as desk:
        sender = SignedWebhookSender(DeskClient(desk.url, {}), Secret(KEY), lambda: NOW)
        await sender.send(EVENT)
        post = desk.posts[0]
        signed = f"ticket_KUXJDQO7.{int(NOW.timestamp())}.".encode() + post.body
        digest = base64.b64encode(hmac.digest(b"a key of thirty-two bytes, or so", signed, "sha256")).decode()
        assert post.headers["webhook-signature"] == f"v1,{digest}"
        assert post.headers["webhook-id"] == "ticket_KUXJDQO7"
        assert json.loads(post.body)["data"]["number"] == PAUL
        await sender.close()


def test_the_signature_is_that_of_the_schemes_published_example() -> None:
    key = signing_key(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign_webhook(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == expected


async def test_a_mail_to_the_desk_is_the_same_message_when_repeated() -> None:
    mail = KeptMail()
    sender = DeskMailSender(mail, "desk@operator.example")
    await sender.send(EVENT)
    await sender.send(EVENT)
    first, second = mail.mails
    assert first == second and first.to == "desk@operator.example" and first.key == EVENT.key
    assert first.subject == "[KUXJDQO7] Bill dispute" and PAUL in first.body


def test_an_event_that_cannot_be_read_is_given_up() -> None:
    for body in ("", "[]", "{}", '{"reference": 1}'):
        with pytest.raises(Rejected):
            parse_ticket_event(body)


def test_a_ticket_without_a_bill_names_none() -> None:
    event = parse_ticket_event(json.dumps(FIELDS | {"kind": "callback", "account": "A-1"}))
    assert build_trouble_ticket(event)["relatedEntity"] == []


def desk_settings(url: str, **more: Any) -> dict[str, Any]:
    return {"operators": {"orange-fr": {"desk": {"kind": "tmf621", "url": url, **more}}}}


async def dispute_a_bill(sandbox: GatewaySandbox) -> None:
    line = sandbox.direct_line()
    await line.send_text(PAUL, "32123", "CONTESTER 03/26 1")


async def test_a_dispute_reaches_the_desk_once_through_failures(sandboxes: SandboxFactory) -> None:
    async with FakeHelpDesk() as desk:
        desk.script.extend(["503", "lost"])
        async with sandboxes.open(operator="orange-fr", more=desk_settings(desk.url)) as sandbox:
            await dispute_a_bill(sandbox)
            for _ in range(4):
                await sandbox.container.outbox_worker.run_once()
                sandbox.clock.advance(timedelta(hours=2))
        assert len(desk.references) == 1


async def test_without_a_desk_nothing_is_sent_and_the_ticket_waits_in_the_list(
    sandboxes: SandboxFactory,
) -> None:
    async with sandboxes.open(operator="orange-fr") as sandbox:
        await dispute_a_bill(sandbox)
        (ticket,) = await sandbox.container.tickets.list_tickets("orange-fr", "open", 9)
        assert ticket.desk_state == "" and ticket.number == PAUL
