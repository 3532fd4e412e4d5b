"""Bounces: a delivery status notification becomes the receipt of its mail; any other mail is left alone."""

from pathlib import Path

import pytest

from flows.domain.records import DeliveryOutcome
from gateway.delivery.mail.bounce_report import BounceMailbox, parse_bounce
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.sql_outbox import SqlOutbox
from tests.storage.outbox.test_store import build_notice, claim_one, enqueue_items
from tests.storage.outbox.test_store import ledger as ledger
from tests.storage.outbox.test_store import outbox as outbox
from tests.support.databases import NOW
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url

MESSAGE_ID = "<0123456789abcdef@gw.example.net>"
BOUNCE = f"""From: MAILER-DAEMON@relay.example
To: no-reply@gw.example.net
Message-ID: <report@relay.example>
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

Sorry, ana@example.net does not exist.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; ana@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>: no such user

--B
Content-Type: {{kind}}

From: no-reply@gw.example.net
Message-ID: {MESSAGE_ID}
Subject: Factura

--B--
"""


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_a_bounce_names_its_mail_and_not_the_address(kind: str) -> None:
    receipt = parse_bounce(BOUNCE.format(kind=kind).encode())
    assert receipt is not None
    assert (receipt.provider, receipt.message_id, receipt.state) == ("smtp", MESSAGE_ID, "failed")
    assert receipt.reason == "bounced 5.1.1" and "ana@" not in repr(receipt)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"Subject: out of office\n\nback on Monday",
        BOUNCE.format(kind="text/plain").encode(),
        BOUNCE.format(kind="message/rfc822").replace("Action: failed", "Action: expanded").encode(),
    ],
)
def test_other_mail_says_nothing(content: bytes) -> None:
    assert parse_bounce(content) is None


async def test_the_outbox_shows_what_bounced(tmp_path: Path, outbox: SqlOutbox, ledger: SqlLedger) -> None:
    await enqueue_items(ledger, build_notice())
    message = await claim_one(outbox)
    await outbox.record_outcome(message, DeliveryOutcome("sent", "smtp", MESSAGE_ID), NOW)
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1").write_text(BOUNCE.format(kind="message/rfc822"))
    mailbox = BounceMailbox(tmp_path, outbox.record_receipt)
    assert [await mailbox.read_bounces(NOW) for _ in range(2)] == [1, 0]
    row = await outbox.find_row(message.id)
    assert row is not None and (row.state, row.reason) == ("failed", "bounced 5.1.1")
    assert [each.name for each in (tmp_path / "cur").iterdir()] == ["1:2,S"]
