"""Bounced addresses: the registration shows them, its phone is told once, and notices go by SMS meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from aiohttp import ClientSession

from flows.domain.failures import Rejected, TooLarge
from flows.domain.records import DeliveryOutcome, OutboundMessage, Preference, Subscriber
from flows.services.bill_notices import notice_routes
from gateway.delivery.mail.bounce_report import build_receipt
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.sandbox import preset_language
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.gateway.delivery.test_bounce_report import BOUNCE, MESSAGE_ID
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

AMINE, SUBSCRIPTION = "+21698000101", "tunisie-telecom-21698000101"
TOKEN = "6Zq1xWfY0bKpRt3uVn8sLd"
SETTINGS = {"operators": {"tunisie-telecom": {"routes": {"bounces_token": TOKEN}}}}
REPORT = BOUNCE.format(kind="message/rfc822")
FIELDS = {"message_id": MESSAGE_ID, "action": "failed", "status": "5.1.1"}

NUMBERS = count(1)
"""Numbers of the texts of this module, so that none passes for a repeat."""


@pytest.fixture
async def tunis(sandboxes: SandboxFactory) -> AsyncIterator[GatewaySandbox]:
    """Provide a gateway where Amine has registered an address, and its validation mail went out."""
    async with sandboxes.open(operator="tunisie-telecom", more=SETTINGS) as sandbox:
        await preset_language(sandbox.container, "tunisie-telecom", AMINE, "fr")
        for text in ("EFACT", "EMAIL amine@example.test"):
            await new_phone(sandbox).send_text(AMINE, "85000", text)
        await hand_over_mail(sandbox, MESSAGE_ID)
        yield sandbox


def new_phone(sandbox: GatewaySandbox) -> DirectLine:
    phone = sandbox.direct_line()
    phone.session_numbers = NUMBERS
    return phone


async def hand_over_mail(sandbox: GatewaySandbox, message_id: str) -> OutboundMessage:
    """Record that the one waiting e-mail was handed to the relay."""
    claimed = await sandbox.container.outbox.claim(9, sandbox.clock())
    [mail] = [each for each in claimed if isinstance(each.item, OutboundMessage) and each.item.route == "email"]
    for each in claimed:
        name = message_id if each is mail else f"sms {each.id}"
        await sandbox.container.outbox.record_outcome(
            each, DeliveryOutcome("sent", "smtp", name), sandbox.clock()
        )
    assert isinstance(mail.item, OutboundMessage)
    return mail.item


async def report(sandbox: GatewaySandbox, action: str, status: str, message_id: str = MESSAGE_ID) -> list[str]:
    """Record a notification and return the texts sent because of it."""
    receipt = build_receipt(message_id, action, status)
    assert receipt is not None
    await sandbox.container.bounces.recorder.record_bounce(receipt, sandbox.clock())
    return [message.to for message in await sandbox.messages.collect_new()]


async def shown_state(sandbox: GatewaySandbox) -> str:
    shown = (await new_phone(sandbox).send_text(AMINE, "85000", "ETAT")).lines
    return shown[1].removeprefix("98***101 ")


async def stored_preference(sandbox: GatewaySandbox) -> Preference:
    ledger = sandbox.container.operators["tunisie-telecom"].ledger
    return await ledger.get_preference("tunisie-telecom", SUBSCRIPTION)


async def test_a_bounce_is_shown_and_told_once(tunis: GatewaySandbox) -> None:
    assert await shown_state(tunis) == "à valider"
    assert await report(tunis, "failed", "5.1.1") == [AMINE]
    assert await shown_state(tunis) == "adresse refusée"
    assert await report(tunis, "failed", "5.1.1") == [] and await report(tunis, "failed", "5.7.1") == []


async def test_the_text_names_the_line_and_what_to_answer(tunis: GatewaySandbox) -> None:
    receipt = build_receipt(MESSAGE_ID, "failed", "5.1.1")
    assert receipt is not None
    await tunis.container.bounces.recorder.record_bounce(receipt, tunis.clock())
    [message] = await tunis.messages.collect_new()
    assert "98***101" in message.body and "EMAIL nom@exemple.com" in message.body
    assert "amine@" not in message.body


async def test_a_delay_is_shown_and_told_to_nobody(tunis: GatewaySandbox) -> None:
    assert await report(tunis, "delayed", "4.4.1") == []
    assert await shown_state(tunis) == "envoi retardé"
    assert await report(tunis, "delivered", "2.0.0") == []
    assert await shown_state(tunis) == "à valider"


async def test_a_delay_after_a_bounce_changes_nothing(tunis: GatewaySandbox) -> None:
    await report(tunis, "failed", "5.1.1")
    await report(tunis, "delayed", "4.4.1")
    assert await shown_state(tunis) == "adresse refusée"


async def test_another_address_or_the_same_again_begins_anew(tunis: GatewaySandbox) -> None:
    await report(tunis, "failed", "5.1.1")
    for number, text in enumerate(("EMAIL other@example.test", "RENVOI"), start=2):
        tunis.clock.advance(timedelta(minutes=30))
        await new_phone(tunis).send_text(AMINE, "85000", text)
        await hand_over_mail(tunis, f"<{number}@gw.example.net>")
        assert await shown_state(tunis) == "à valider"
        assert await report(tunis, "failed", "5.1.1", f"<{number}@gw.example.net>") == [AMINE]


async def test_a_validated_address_that_bounces_is_used_no_more(tunis: GatewaySandbox) -> None:
    ports = tunis.container.operators["tunisie-telecom"]
    preference = replace(await stored_preference(tunis), email_validated=True)
    holder: Subscriber = await ports.billing.get_subscriber(AMINE)
    assert dict(notice_routes(holder, preference)) == {"email": "amine@example.test"}
    await report(tunis, "failed", "5.1.1")
    bounced = replace(await stored_preference(tunis), email_validated=True)
    assert dict(notice_routes(holder, bounced)) == {"sms": AMINE}


async def test_what_the_relay_refuses_at_once_is_a_bounce_too(tunis: GatewaySandbox) -> None:
    tunis.clock.advance(timedelta(minutes=30))
    await new_phone(tunis).send_text(AMINE, "85000", "RENVOI")
    mail = await hand_over_mail(tunis, "<3@gw.example.net>")
    await tunis.container.outbox_worker.on_refusal(mail, Rejected("SMTP 550 5.1.1 at RCPT"), tunis.clock())
    assert [message.to for message in await tunis.messages.collect_new()] == [AMINE]
    assert await shown_state(tunis) == "adresse refusée"


async def test_a_mail_that_is_too_large_says_nothing_of_the_address(tunis: GatewaySandbox) -> None:
    tunis.clock.advance(timedelta(minutes=30))
    await new_phone(tunis).send_text(AMINE, "85000", "RENVOI")
    mail = await hand_over_mail(tunis, "<3@gw.example.net>")
    await tunis.container.outbox_worker.on_refusal(mail, TooLarge(), tunis.clock())
    assert await shown_state(tunis) == "à valider"


async def test_the_maildir_marks_the_registration(tunis: GatewaySandbox, tmp_path: Path) -> None:
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1").write_text(REPORT)
    operator = tunis.container.settings.operators["tunisie-telecom"]
    routes = operator.routes.model_copy(update={"bounces": str(tmp_path)})
    settings = tunis.container.settings.model_copy(
        update={"operators": {"tunisie-telecom": operator.model_copy(update={"routes": routes})}}
    )
    [mailbox] = replace(tunis.container, settings=settings).maintenance.bounce_mailboxes
    assert await mailbox.read_bounces(tunis.clock()) == 1
    assert await shown_state(tunis) == "adresse refusée"


@asynccontextmanager
async def connect_relay(sandbox: GatewaySandbox) -> AsyncIterator["Relay"]:
    app = public_app(sandbox.container)
    async with serve_app(app, "127.0.0.1", 0) as port, ClientSession() as client:
        yield Relay(client, f"http://127.0.0.1:{port}/hooks")


class Relay:
    """A mail relay that posts its notifications."""

    def __init__(self, client: ClientSession, hooks: str) -> None:
        self._client, self._hooks = client, hooks

    async def post(
        self, body: object, content_type: str = "", path: str = f"tunisie-telecom/email/{TOKEN}/bounces"
    ) -> int:
        """Post a body, an object as JSON, and return the status."""
        given = {"json": body} if not content_type else {"data": body}
        headers = {"Content-Type": content_type} if content_type else {}
        async with self._client.post(f"{self._hooks}/{path}", headers=headers, **given) as answer:  # type: ignore[arg-type]
            return answer.status


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(FIELDS, ""), (REPORT, "message/rfc822"), (REPORT, "text/plain"), (REPORT, "multipart/report")],
)
async def test_a_relay_may_post_its_notifications(
    tunis: GatewaySandbox, body: object, content_type: str
) -> None:
    async with connect_relay(tunis) as relay:
        assert [await relay.post(body, content_type) for _ in range(2)] == [204, 204]
    assert await shown_state(tunis) == "adresse refusée"
    assert [message.to for message in await tunis.messages.collect_new()] == [AMINE]
    [row] = await tunis.container.outbox.list_rows("failed", 9)
    assert row.reason == "bounced 5.1.1"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ({}, "", 400),
        ([FIELDS], "", 400),
        ({**FIELDS, "message_id": ""}, "", 400),
        ({**FIELDS, "message_id": "no brackets"}, "", 400),
        ({**FIELDS, "message_id": 7}, "", 400),
        ({**FIELDS, "message_id": "<a\x00b@c>"}, "", 400),
        ({**FIELDS, "message_id": "<a\ud83d@c>"}, "", 400),
        ({**FIELDS, "action": "expanded"}, "", 400),
        ({**FIELDS, "status": "bad"}, "", 400),
        ({**FIELDS, "status": "5.1.1" * 100}, "", 400),
        ("[" * 50_000, "application/json", 400),
        ("\x00\xff", "application/json", 400),
        ("Subject: out of office\n\nback on Monday", "message/rfc822", 400),
        ("", "message/rfc822", 400),
        (REPORT, "application/octet-stream", 415),
        ("a=b", "application/x-www-form-urlencoded", 415),
        ("x" * 70_000, "message/rfc822", 413),
    ],
)
async def test_garbage_is_refused_and_changes_nothing(
    tunis: GatewaySandbox, body: object, content_type: str, status: int
) -> None:
    async with connect_relay(tunis) as relay:
        assert await relay.post(body, content_type) == status
    assert (await stored_preference(tunis)).email_state == ""


@pytest.mark.parametrize(
    "path",
    [
        f"tunisie-telecom/email/{TOKEN[:-1]}/bounces",
        f"tunisie-telecom/email/{TOKEN}x/bounces",
        "tunisie-telecom/email//bounces",
        f"orange-ro/email/{TOKEN}/bounces",
        f"tunisie-telecom/email/{TOKEN}/other",
    ],
)
async def test_without_the_token_there_is_nothing(tunis: GatewaySandbox, path: str) -> None:
    async with connect_relay(tunis) as relay:
        assert await relay.post(FIELDS, path=path) == 404
    assert (await stored_preference(tunis)).email_state == ""


async def test_a_mail_nobody_sent_is_acknowledged_and_changes_nothing(tunis: GatewaySandbox) -> None:
    async with connect_relay(tunis) as relay:
        assert await relay.post({**FIELDS, "message_id": "<other@gw.example.net>"}) == 204
    assert (await stored_preference(tunis)).email_state == ""
