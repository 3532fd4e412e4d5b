"""Pages that change something at billing: what they say when it refuses, makes it later, or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flows.domain.bill_delivery import BillDestination
from flows.domain.email_registration import Registration
from flows.domain.ports import Billing
from flows.domain.records import ChangeSet
from gateway.demo.bss.data import BssRecords
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend
from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import (
    ADDRESS,
    ANA,
    CONFIRM,
    PageResponse,
    PageServer,
    build_pages,
    parse_strictly,
    serve_pages,
)

AMINE, TUNIS, EMAIL = "+21698000101", "tunisie-telecom", "amine@example.test"
HOME = "Strada Lungă 12, Brașov"


@asynccontextmanager
async def serve_with_backend(
    name: str, sandboxes: SandboxFactory, folder: Path, operator: str = OPERATOR
) -> AsyncIterator[tuple[PageServer, BssRecords, Billing]]:
    """Serve an operator's pages in front of a billing backend whose faults a test turns on."""
    async with (
        sandboxes.open(operator=operator) as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as page_server,
    ):
        kept = build_book(sandbox.clock(), operator)
        async with open_backend(name, folder, kept, lambda: sandbox.clock().date(), LONG_TIMEOUTS) as billing:
            sandbox.container.operators[operator].billing = billing
            yield page_server, kept, billing


async def type_address(page_server: PageServer, address: str = HOME) -> PageResponse:
    """Open a link to the address page and send an address."""
    link, browser = await page_server.request_address_link(), page_server.new_visitor()
    await browser.submit(f"{ADDRESS}?lang=en", link=link)
    return await browser.submit(f"{ADDRESS}?lang=en", address=address)


@pytest.mark.parametrize("name", ["mapped", "tmf678-v4"])
async def test_R14_an_address_billing_cannot_take_becomes_a_ticket_and_the_page_says_so(
    name: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with serve_with_backend(name, sandboxes, tmp_path) as (page_server, kept, _):
        kept.faults.add("refuses_change")
        page = await type_address(page_server)
        parse_strictly(page)
        [ticket] = await page_server.sandbox.container.tickets.list_tickets(OPERATOR, "open", 9)
    assert "An agent has to record this address" in page.visible_text
    assert (ticket.kind, ticket.detail, ticket.number) == ("address", HOME, ANA)
    assert ticket.reference in page.visible_text


async def test_R14_an_address_billing_only_accepts_is_not_called_done(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with serve_with_backend("killbill", sandboxes, tmp_path) as (page_server, kept, billing):
        kept.faults.add("accepts_later")
        page = await type_address(page_server)
        kept.apply_accepted()
        assert (await billing.get_subscriber(ANA)).address == HOME
    assert "records it shortly" in page.visible_text and "Done" not in page.visible_text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("", "vos prochaines factures y arrivent"),
        ("accepts_later", "enregistre sous peu"),
        ("refuses_change", "accepte pas cette adresse"),
        ("loses_contact", "plus tard"),
    ],
)
async def test_T8_the_page_says_what_billing_made_of_a_confirmed_address(
    fault: str, said: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with serve_with_backend("tmf678-v4", sandboxes, tmp_path, TUNIS) as (page_server, kept, billing):
        await page_server.phone.send_text(AMINE, "85000", f"EMAIL {EMAIL}")
        kept.faults.add(fault)
        link = await page_server.latest_link_token()
        page = await page_server.new_visitor().submit(f"/{TUNIS}/confirm?lang=fr", link=link)
        kept.apply_accepted()
        ports, holder = page_server.sandbox.container.operators[TUNIS], await billing.get_subscriber(AMINE)
        preference = await ports.ledger.get_preference(TUNIS, holder.id)
        reached = await billing.get_media(holder.account) == BillDestination("email", EMAIL)
    assert said in page.visible_text
    assert preference.email_validated == reached == (fault in ("", "accepts_later"))


@pytest.mark.parametrize(
    ("name", "fault", "said", "reaches"),
    [
        ("sqlite", "", "Done! Your e-mail address is confirmed", True),
        ("killbill", "", "Done! Your e-mail address is confirmed", True),
        ("tmf678-v4", "", "Done! Your e-mail address is confirmed", True),
        ("tmf678-v4", "accepts_later", "records it shortly", True),
        ("tmf678-v4", "refuses_change", "keeps what it had", False),
        ("mapped", "", "keeps what it had", False),
    ],
)
async def test_R4_the_address_for_notices_reaches_billing_and_bills_stay_on_paper(
    name: str, fault: str, said: str, sandboxes: SandboxFactory, tmp_path: Path, *, reaches: bool
) -> None:
    async with serve_with_backend(name, sandboxes, tmp_path) as (page_server, kept, billing):
        link = await page_server.request_email_link(EMAIL)
        kept.faults.add(fault)
        page = await page_server.new_visitor().submit(f"{CONFIRM}?lang=en", link=link)
        kept.apply_accepted()
        holder = await billing.get_subscriber(ANA)
        ledger = page_server.sandbox.container.operators[OPERATOR].ledger
        preference = await ledger.get_preference(OPERATOR, holder.id)
        destination = await billing.get_media(holder.account)
    assert said in page.visible_text and preference.is_email_usable
    assert (destination.media, destination.email == EMAIL) == ("paper", reaches)


async def test_R4_an_address_billing_loses_is_not_confirmed(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with serve_with_backend("tmf678-v4", sandboxes, tmp_path) as (page_server, kept, billing):
        link = await page_server.request_email_link(EMAIL)
        kept.faults.add("loses_contact")
        page = await page_server.new_visitor().submit(f"{CONFIRM}?lang=en", link=link)
        ledger, holder = (
            page_server.sandbox.container.operators[OPERATOR].ledger,
            await billing.get_subscriber(ANA),
        )
        preference = await ledger.get_preference(OPERATOR, holder.id)
        kept.faults.clear()
        again = await page_server.new_visitor().submit(f"{CONFIRM}?lang=en", link=link)
    assert page.status == 503 and not preference.email_validated
    assert "Done!" in again.visible_text


async def test_R4_an_address_for_notices_leaves_bills_on_paper_that_were_by_e_mail_once(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with serve_with_backend("sqlite", sandboxes, tmp_path) as (page_server, _, billing):
        ledger = page_server.sandbox.container.operators[OPERATOR].ledger
        holder = await billing.get_subscriber(ANA)
        row = Registration(ANA, ANA, holder.id, holder.account)
        await ledger.commit(
            ChangeSet("earlier", OPERATOR, holder.id, page_server.sandbox.clock(), registration=row)
        )
        link = await page_server.request_email_link(EMAIL)
        await page_server.new_visitor().submit(f"{CONFIRM}?lang=en", link=link)
        destination = await billing.get_media(holder.account)
    assert destination == BillDestination("paper", EMAIL)
