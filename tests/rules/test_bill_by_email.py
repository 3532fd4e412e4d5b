"""Bill by e-mail, end to end: registered at Tunisie Telecom, it is in a mailbox on the next billing day."""

import argparse
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.ports import Billing
from gateway.cli import notify
from gateway.demo.bss.data import BssRecords, BssRow
from storage.demo.extras import SIGNED_SPECIMEN, build_document_row
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import PageServer, build_pages, serve_pages
from tests.support.smtp_mailbox import SmtpMailbox, attachments_of, run_mailbox, text_of

AMINE, LEILA = "+21698000101", "+21671000102"
LEILAS_CODE = "88441207"
EMAIL = "amine@example.test"
TUNIS, BRASOV = "tunisie-telecom", "Strada Lungă 12, 500123 Brașov"
ANA = "+40740000101"
REGISTERED_ON, BILLED_ON = "2026-03-28 10:00", date(2026, 4, 1)
PDF = SIGNED_SPECIMEN.read_bytes()
BACKENDS = ["sqlite", "tmf678-v4", "killbill"]
BSS_OPTIONS = {"killbill": {"document_path": "plugins/invoice-pdf/{invoice}"}}


@dataclass(slots=True)
class BillingDay:
    """An operator whose next cycle is made, its pages and its customers' mailbox."""

    page_server: PageServer
    sandbox: GatewaySandbox
    billing: Billing
    mailbox: SmtpMailbox
    kept: BssRecords

    async def announce_cycle(self) -> None:
        """Run the billing day of April, and deliver what is due."""
        self.sandbox.clock.set_local_time(datetime(2026, 4, 1, 9), "Africa/Tunis")
        args = argparse.Namespace(operator=TUNIS, cycle="2026-04", listen=False, dry_run=False, confirm=0)
        assert await notify.run_notify(args, self.sandbox.container) == 0
        await self.sandbox.messages.collect_new()

    async def deliver_later(self, wait: timedelta) -> None:
        self.sandbox.clock.advance(wait)
        await self.sandbox.messages.collect_new()

    async def confirm_address(self) -> None:
        """Open the link in the mail that validates the address."""
        await self.sandbox.messages.collect_new()
        link = text_of(self.mailbox.mails_to(EMAIL)[-1]).partition("#")[2].split()[0]
        await self.page_server.new_visitor().submit(f"/{TUNIS}/confirm", link=link)


def add_next_cycle(kept: BssRecords, pdf: bytes) -> None:
    """Add the bills of April to the records, each with its document."""
    for person in kept.rows.people:
        newest: BssRow | None = next(kept.bills_of(person["account"]), None)
        if newest is None:
            continue
        number = newest["number"].replace("202603", "202604")
        due = BILLED_ON + timedelta(days=15)
        bill = {"id": number, "number": number, "issued": BILLED_ON, "due": due, "remaining": newest["total"]}
        kept.rows.bills.insert(0, {**newest, **bill})
        kept.rows.documents.append({**build_document_row(TUNIS, number), "data": pdf})


@asynccontextmanager
async def open_billing_day(
    name: str, sandboxes: SandboxFactory, folder: Path, max_bytes: int = 10_000_000
) -> AsyncIterator[BillingDay]:
    async with run_mailbox(max_bytes) as mailbox:
        routes = {"routes": {"email": f"smtp://127.0.0.1:{mailbox.port}"}}
        more = {"operators": {TUNIS: routes}}
        async with sandboxes.open(REGISTERED_ON, operator=TUNIS, more=more) as sandbox:
            kept = build_book(sandbox.clock(), TUNIS)
            add_next_cycle(kept, PDF)
            options = LONG_TIMEOUTS | BSS_OPTIONS.get(name, {})
            today = lambda: sandbox.clock().astimezone(kept.rows.zone).date()  # noqa: E731
            async with (
                open_backend(name, folder, kept, today, options) as billing,
                serve_pages(sandbox, build_pages(sandbox)) as page_server,
            ):
                sandbox.container.operators[TUNIS].billing = billing
                yield BillingDay(page_server, sandbox, billing, mailbox, kept)


async def register_by_text(day: BillingDay) -> None:
    await day.page_server.phone.send_text(AMINE, "85000", f"EMAIL {EMAIL}")


async def register_by_ussd(day: BillingDay) -> None:
    await day.page_server.phone.dial(AMINE, "*101*1*1#")
    await day.page_server.phone.press("1")
    await type_address(day)


async def register_by_call(day: BillingDay) -> None:
    phone = day.sandbox.direct_line({"voice": "line"})
    await phone.call(AMINE, "1298")
    for key in ("1", "1", "1"):
        await phone.press(key)
    await type_address(day)


async def type_address(day: BillingDay) -> None:
    """Open the link that came by SMS and type the e-mail address there."""
    link, browser = await day.page_server.latest_link_token(), day.page_server.new_visitor()
    await browser.submit(f"/{TUNIS}/mailbox", link=link)
    await browser.submit(f"/{TUNIS}/mailbox", mailbox=EMAIL)


CASES = [
    *((name, register_by_text) for name in BACKENDS),
    ("sqlite", register_by_ussd),
    ("tmf678-v4", register_by_call),
]


@pytest.mark.parametrize(
    ("name", "register"), CASES, ids=[f"{name}-{register.__name__}" for name, register in CASES]
)
async def test_T9_a_registered_bill_is_in_the_mailbox_on_the_next_billing_day(
    name: str, register: Callable[[BillingDay], Awaitable[None]], sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_billing_day(name, sandboxes, tmp_path) as day:
        await register(day)
        await day.confirm_address()
        holder = await day.billing.get_subscriber(AMINE)
        assert await day.billing.get_media(holder.account) == BillDestination("email", EMAIL)
        await day.announce_cycle()
        mail = day.mailbox.mails_to(EMAIL)[-1]
        await day.announce_cycle()
    [(file_name, document)] = attachments_of(mail).items()
    assert document == PDF and file_name.endswith(".pdf")
    assert "45,230" in text_of(mail) and "joint" in text_of(mail)
    assert len(day.mailbox.mails_to(EMAIL)) == 2  # the one that validates the address, and one bill


async def test_a_greylisted_bill_arrives_once_at_the_second_try(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_billing_day("sqlite", sandboxes, tmp_path) as day:
        await register_by_text(day)
        await day.confirm_address()
        day.mailbox.recipient_replies.append("450 4.7.1 greylisted, try again in five minutes")
        await day.announce_cycle()
        assert len(day.mailbox.mails_to(EMAIL)) == 1
        await day.deliver_later(timedelta(minutes=6))
        await day.deliver_later(timedelta(minutes=6))
    assert list(attachments_of(day.mailbox.mails_to(EMAIL)[-1]).values()) == [PDF]
    assert len(day.mailbox.mails_to(EMAIL)) == 2


async def test_T9_a_bill_whose_mailbox_refuses_it_is_told_by_text_once(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_billing_day("sqlite", sandboxes, tmp_path) as day:
        await register_by_text(day)
        await day.confirm_address()
        day.mailbox.recipient_replies.append("550 5.1.1 no such mailbox")
        await day.announce_cycle()
        await day.deliver_later(timedelta(hours=1))
        texts = [each for each in day.sandbox.container.recorder.messages if each.to == AMINE]
        status = await day.page_server.phone.send_text(AMINE, "85000", "ETAT")
    assert len([each for each in texts if each.kind == "notice"]) == 1
    assert "active" not in " ".join(status.lines)


async def test_a_bill_the_relay_finds_too_large_comes_as_a_link_that_opens(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_billing_day("sqlite", sandboxes, tmp_path, max_bytes=len(PDF)) as day:
        await register_by_text(day)
        await day.confirm_address()
        await day.announce_cycle()
        mail = day.mailbox.mails_to(EMAIL)[-1]
        assert not attachments_of(mail) and "joint" not in text_of(mail)
        browser = day.page_server.new_visitor()
        await browser.submit(f"/{TUNIS}/file", link=text_of(mail).partition("/file#")[2].split()[0])
        sent = (await day.sandbox.messages.collect_new())[-1]
        code = re.search(r"\b\d{6}\b", sent.body)
        assert sent.to == AMINE and code
        page = await browser.submit(f"/{TUNIS}/file", code=code[0])
    assert page.body == PDF


async def test_a_bill_waits_while_billing_is_down(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with open_billing_day("tmf678-v4", sandboxes, tmp_path) as day:
        await register_by_text(day)
        await day.confirm_address()
        day.kept.override_response = lambda request: (
            web.Response(status=500) if request.path.endswith("/document") else None
        )
        await day.announce_cycle()
        assert len(day.mailbox.mails_to(EMAIL)) == 1
        for _ in range(8):
            await day.deliver_later(timedelta(hours=3))
        day.kept.override_response = lambda request: None
        await day.deliver_later(timedelta(hours=3))
    assert list(attachments_of(day.mailbox.mails_to(EMAIL)[-1]).values()) == [PDF]


async def test_T9_a_fixed_lines_bill_comes_by_email_too(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with open_billing_day("sqlite", sandboxes, tmp_path) as day:
        await day.page_server.phone.send_text(AMINE, "85000", f"EFACT {LEILA[4:]} {LEILAS_CODE}")
        await register_by_text(day)
        await day.confirm_address()
        await day.announce_cycle()
        assert await day.billing.get_media(LEILA[1:]) == BillDestination("email", EMAIL)
    assert list(attachments_of(day.mailbox.mails_to(EMAIL)[-1]).values()) == [PDF]


@pytest.mark.parametrize("name", BACKENDS)
async def test_R14_the_address_typed_behind_the_link_is_what_billing_answers(
    name: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with sandboxes.open() as sandbox, serve_pages(sandbox, build_pages(sandbox)) as page_server:
        kept = build_book(sandbox.clock())
        async with open_backend(name, tmp_path, kept, lambda: sandbox.clock().date(), LONG_TIMEOUTS) as billing:
            sandbox.container.operators[OPERATOR].billing = billing
            link, browser = await page_server.request_address_link(), page_server.new_visitor()
            await browser.submit(f"/{OPERATOR}/address", link=link)
            page = await browser.submit(f"/{OPERATOR}/address", address=BRASOV)
            assert page.status == 200
            found = await billing.get_subscriber(ANA)
    assert (found.address, found.media) == (BRASOV, "paper")
