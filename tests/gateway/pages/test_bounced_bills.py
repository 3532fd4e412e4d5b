"""Bounced bills: a bill whose mail came back goes out again, once, when an address is confirmed."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from flows.domain.bill_mail import BillMail
from flows.domain.failures import Down
from flows.domain.records import Bill, ClaimedMessage, DeliveryOutcome, Preference
from flows.services.bill_notices import BillAnnouncer
from flows.services.bounced_bills import RESENT_SUFFIX
from gateway.delivery.mail.bounce_report import build_receipt
from gateway.dialogs.sandbox import preset_language
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import PageResponse, PageServer, build_pages, serve_pages

AMINE, TUNIS = "+21698000101", "tunisie-telecom"
OLD, NEW = "amine@old.example", "amine@new.example"
MESSAGE_ID = "<bill@gw.example.net>"


@pytest.fixture
async def tunis(sandboxes: SandboxFactory) -> AsyncIterator[PageServer]:
    """Provide a gateway where Amine gets bills by e-mail at an address that is confirmed."""
    async with (
        sandboxes.open(operator=TUNIS) as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as server,
    ):
        await preset_language(sandbox.container, TUNIS, AMINE, "fr")
        await confirm(server, OLD)
        await claim_all(sandbox)
        yield server


async def confirm(server: PageServer, address: str) -> PageResponse:
    """Text an address and confirm it by the link that is mailed to it."""
    link = await request_link(server, address)
    return await server.new_visitor().submit(f"/{TUNIS}/confirm?lang=fr", link=link)


async def request_link(server: PageServer, address: str) -> str:
    """Text an address and return the token of the link that is mailed to it."""
    server.sandbox.clock.advance(timedelta(minutes=30))
    await server.phone.send_text(AMINE, "85000", f"EMAIL {address}")
    [mail] = [each for each in await server.sandbox.messages.collect_new() if each.to == address]
    return mail.body.partition("#")[2].split()[0]


async def claim_all(sandbox: GatewaySandbox) -> Sequence[ClaimedMessage]:
    return await sandbox.container.outbox.claim(99, sandbox.clock())


async def mail_newest_bill(sandbox: GatewaySandbox, *, came_back: bool = True) -> Bill:
    """Send the newest bill by e-mail; `came_back` has the relay report later that it could not."""
    ports, outbox = sandbox.container.operators[TUNIS], sandbox.container.outbox
    holder = await ports.billing.get_subscriber(AMINE)
    [bill] = await ports.billing.list_bills(holder.account, 1)
    announcer: BillAnnouncer = sandbox.container.announcer_for(TUNIS)
    chosen = Preference(email=OLD, email_validated=True, notify="email")
    notices = announcer.build_notices(bill, holder, chosen, sandbox.clock())
    await sandbox.container.bulk_outbox.enqueue_notices(TUNIS, notices, sandbox.clock())
    for claimed in await claim_all(sandbox):
        await outbox.record_outcome(claimed, DeliveryOutcome("sent", "smtp", MESSAGE_ID), sandbox.clock())
    if came_back:
        receipt = build_receipt(MESSAGE_ID, "failed", "5.1.1")
        assert receipt is not None
        await sandbox.container.bounces.recorder.record_bounce(receipt, sandbox.clock())
    return bill


async def resent_mails(sandbox: GatewaySandbox) -> list[BillMail]:
    claimed = [each.item for each in await claim_all(sandbox)]
    return [each for each in claimed if isinstance(each, BillMail) and each.key.endswith(RESENT_SUFFIX)]


async def test_a_bill_that_came_back_goes_to_the_address_confirmed_next(tunis: PageServer) -> None:
    bill = await mail_newest_bill(tunis.sandbox)
    assert (await confirm(tunis, NEW)).status == 200
    [mail] = await resent_mails(tunis.sandbox)
    assert (mail.to, mail.enclosure.bill_id) == (NEW, bill.id)


async def test_a_mailbox_that_has_room_again_gets_it_too(tunis: PageServer) -> None:
    await mail_newest_bill(tunis.sandbox)
    await confirm(tunis, OLD)
    assert [mail.to for mail in await resent_mails(tunis.sandbox)] == [OLD]


async def test_a_bill_is_sent_again_once(tunis: PageServer) -> None:
    await mail_newest_bill(tunis.sandbox)
    await confirm(tunis, NEW)
    assert len(await resent_mails(tunis.sandbox)) == 1
    await confirm(tunis, "third@new.example")
    assert await resent_mails(tunis.sandbox) == []


async def test_a_bill_that_arrived_is_not_sent_again(tunis: PageServer) -> None:
    await mail_newest_bill(tunis.sandbox, came_back=False)
    await confirm(tunis, NEW)
    assert await resent_mails(tunis.sandbox) == []


@pytest.mark.parametrize("days", [20, 40])
async def test_a_bill_is_not_sent_again_after_thirty_days(tunis: PageServer, days: int) -> None:
    bill = await mail_newest_bill(tunis.sandbox)
    tunis.sandbox.clock.advance(timedelta(days=days))
    await confirm(tunis, NEW)
    is_recent = bill.issued >= tunis.sandbox.container.operators[TUNIS].today() - timedelta(days=30)
    assert len(await resent_mails(tunis.sandbox)) == int(is_recent) == int(days == 20)


async def test_while_billing_is_out_the_link_stays_good(
    tunis: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_bills(*_: object) -> list[Bill]:
        raise Down

    await mail_newest_bill(tunis.sandbox)
    link, billing = await request_link(tunis, NEW), tunis.sandbox.container.operators[TUNIS].billing
    with monkeypatch.context() as outage:
        outage.setattr(type(billing), "list_bills", no_bills)
        await tunis.new_visitor().submit(f"/{TUNIS}/confirm?lang=fr", link=link)
    assert await resent_mails(tunis.sandbox) == []
    await tunis.new_visitor().submit(f"/{TUNIS}/confirm?lang=fr", link=link)
    assert [mail.to for mail in await resent_mails(tunis.sandbox)] == [NEW]
