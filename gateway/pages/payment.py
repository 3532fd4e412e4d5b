"""Pages: pay a bill behind a link sent by SMS, and the page payers come back to (M14, F8)."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp import web

from flows.domain.failures import Failure, NotFound
from flows.domain.payment_records import PaymentIntent
from flows.domain.records import Bill, LinkPurpose, MagicLink, Secret
from flows.payments.checks import WAITING
from flows.payments.direct_debits import collects_bill, find_debit, mandate_facts
from flows.payments.following import PaymentFollower
from flows.payments.opening import PaymentOpening
from flows.payments.payable import find_under_way, is_settled, payment_ports, takes_payments
from flows.payments.payment_link import LinkedBill, parse_payment_link
from gateway.pages import magic_links, responses
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Facts, Money, Month, PhoneNumber, Text

log = logging.getLogger("dialtree.pages")
CHECK_SECONDS = 3.0
"""How long a payer who comes back waits for the provider's word before seeing what is known."""
LINK_PURPOSE: LinkPurpose = "pay"
SEALED_BILL_FIELD = "slip"
"""The field that stands for the link's token and the amount shown, encrypted for this visitor."""


@dataclass(frozen=True, slots=True)
class PayPage:
    """`/{operator}/pay`: the bill of a link, its amount from billing, a button to the provider's page."""

    token_sealer: TokenSealer = field(repr=False)

    async def view(self, request: PageRequest) -> web.Response:
        """Show the page the link leads to."""
        return self.show_form(request, "", 200)

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.show_link_form(request, "page.pay_title", "page.go_on", text, status)

    async def submit(self, request: PageRequest) -> web.Response:
        """Answer a token with the bill, or the button with the provider's page."""
        sealed = request.form_fields.get(SEALED_BILL_FIELD, "")
        words = self.token_sealer.unseal_words(sealed, _seal_label(request)) if sealed else None
        token = Secret(words[0]) if words else magic_links.posted_token(request)
        link = await magic_links.find_link(request, token, LINK_PURPOSE)
        linked = _parse_link(link)
        if link is None or linked is None or not takes_payments(request.ports):
            return magic_links.link_expired_page(request)
        request = magic_links.in_language_of(request, link)
        try:
            bill = await payment_ports(request.ports).booking.read_live_bill(linked.account, linked.bill_id)
        except NotFound:
            return magic_links.link_expired_page(request)
        return await self._answer(request, link, linked, bill, words)

    async def _answer(
        self, request: PageRequest, link: MagicLink, linked: LinkedBill, bill: Bill, words: list[str] | None
    ) -> web.Response:
        intents = await payment_ports(request.ports).intents.list_bill_intents(
            request.operator, bill.account, bill.id
        )
        under_way = find_under_way(intents)
        ports = payment_ports(request.ports)
        if under_way and (under_way.state != "pending" or not ports.has_page(under_way)):
            return _result_page(request, under_way)
        if is_settled(bill):
            booked = next((each for each in intents if each.state == "booked"), None)
            return _result_page(request, booked) if booked else _settled_page(request, bill)
        is_switch = magic_links.is_language_switch(request)
        if words is None or is_switch or words[1] != str(bill.remaining):
            error = "" if words is None or is_switch else "page.pay_changed"
            debit = await _debit_text(request, bill)
            return self._bill_page(request, link, linked, bill, error, debit)
        return await self._go_to_provider(request, link, linked, bill)

    async def _go_to_provider(
        self, request: PageRequest, link: MagicLink, linked: LinkedBill, bill: Bill
    ) -> web.Response:
        currency = request.menu.config.currency.code
        opening = PaymentOpening(request.ports, request.operator, currency)
        intent = await opening.start_payment(linked, link.subscription, bill)
        if not intent.page_url:
            return _result_page(request, intent)
        log.info("pages.payment_started", extra={"operator": request.operator})
        return responses.see_other(intent.page_url)

    def _bill_page(
        self, request: PageRequest, link: MagicLink, linked: LinkedBill, bill: Bill, error: str, debit: str
    ) -> web.Response:
        """Show the bill's month, masked line and amount, what will be debited, and where the button leads."""
        origin = payment_ports(request.ports).provider.page_origin
        rows = _bill_rows(request, linked.line, bill)
        words = (link.token.value, str(bill.remaining))
        hidden = {SEALED_BILL_FIELD: self.token_sealer.seal_words(words, _seal_label(request))}
        values = {
            "error": error,
            "rows": rows,
            "debit_text": debit,
            "host_text": request.plain_text("page.pay_host", {"host": Text(urlsplit(origin).netloc)}),
            "button": "page.pay_button",
            "hidden": hidden,
        }
        response = magic_links.linked_page(request, "payment.html", "page.pay_title", values, hidden)
        return responses.allow_form_target(response, origin)


@dataclass(frozen=True, slots=True)
class PaidPage:
    """`/{operator}/paid`: what is known of a payment here; the provider's redirect proves nothing."""

    async def view(self, request: PageRequest) -> web.Response:
        """Show the payment's state; one that is open is asked about first."""
        intent = await self._find_intent(request)
        if intent is None:
            return magic_links.link_expired_page(request)
        return _result_page(request, intent)

    async def submit(self, request: PageRequest) -> web.Response:
        """Show the payment's state."""
        return await self.view(request)

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show an error text."""
        return responses.html_page(request, "success.html", "page.paid_title", {"success": text}, status)

    async def _find_intent(self, request: PageRequest) -> PaymentIntent | None:
        intents = request.ports.intents
        if not request.payment_id or intents is None:
            return None
        intent = await intents.find_intent(request.operator, request.payment_id)
        if intent is None or intent.state not in WAITING or not takes_payments(request.ports):
            return intent
        with suppress(Failure, TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await PaymentFollower(request.menu, request.ports).check_intent(intent)
        return await intents.find_intent(request.operator, request.payment_id)


RESULT_TEXTS = {
    "confirmed": "page.paid_open",
    "pending": "page.paid_open",
    "succeeded": "page.paid_open",
    "booking": "page.paid_open",
    "booked": "page.paid_booked",
    "failed": "page.paid_failed",
    "expired": "page.paid_failed",
    "unknown": "page.paid_unknown",
    "refunding": "page.paid_refunded",
    "refunded": "page.paid_refunded",
}
"""The page's text by the payment's state; only what is booked is called paid."""
OPEN_TEXT, MAX_REFRESHES, REFRESH_SECONDS = "page.paid_open", 5, 3


def _result_page(request: PageRequest, intent: PaymentIntent) -> web.Response:
    """Show a payment's state; while it is open the page asks again a few times."""
    text = RESULT_TEXTS[intent.state]
    rows = [
        (request.plain_text("page.period"), request.format_fact(Month.from_date(intent.issued))),
        (request.plain_text("page.amount"), request.format_fact(Money(intent.amount))),
    ]
    if intent.line:
        rows.insert(0, (request.plain_text("page.line"), request.format_fact(PhoneNumber(intent.line))))
    if intent.state == "booked":
        rows.append((request.plain_text("page.pay_receipt"), intent.receipt))
    page = replace(request, languages=(request.language,))
    values = {"result": request.plain_text(text), "rows": rows}
    response = responses.html_page(page, "payment_result.html", "page.paid_title", values)
    if text == OPEN_TEXT and request.refresh_count < MAX_REFRESHES:
        url = f"paid?payment={intent.id}&lang={request.language}&again={request.refresh_count + 1}"
        response.headers["Refresh"] = f"{REFRESH_SECONDS}; url={url}"
    return response


async def _debit_text(request: PageRequest, bill: Bill) -> str:
    """Return that billing will collect the bill, and when; empty where it will not, or does not answer."""
    today = request.now.astimezone(ZoneInfo(request.menu.config.time_zone)).date()
    try:
        mandate = await find_debit(request.ports.billing, bill.account)
    except Failure:
        return ""
    if mandate is None or not collects_bill(mandate, bill.due, today):
        return ""
    facts: Facts = {"month": Month.from_date(bill.issued), "remaining": Money(bill.remaining)}
    return request.plain_text("pay.debit", {**facts, **mandate_facts(mandate)})


def _settled_page(request: PageRequest, bill: Bill) -> web.Response:
    facts: Facts = {"month": Month.from_date(bill.issued)}
    values = {"result": request.plain_text("page.pay_settled", facts), "rows": ()}
    return responses.html_page(request, "payment_result.html", "page.pay_title", values)


def _bill_rows(request: PageRequest, line: str, bill: Bill) -> list[tuple[str, str]]:
    return [
        (request.plain_text("page.line"), request.format_fact(PhoneNumber(line))),
        (request.plain_text("page.period"), request.format_fact(Month.from_date(bill.issued))),
        (request.plain_text("page.remaining"), request.format_fact(Money(bill.remaining))),
        (request.plain_text("page.due"), request.format_fact(bill.due)),
    ]


def _parse_link(link: MagicLink | None) -> LinkedBill | None:
    """Return the bill of a link; None for a link that is unknown or damaged."""
    try:
        return parse_payment_link(link.value) if link else None
    except ValueError:
        return None


def _seal_label(request: PageRequest) -> str:
    """Return a seal label of this page and visitor."""
    return f"slip {request.path} {request.form_token}"
