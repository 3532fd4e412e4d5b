"""Following a payment: ask the provider, believe what matches, book once, or give it back."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flows.domain.actions import OperatorPorts
from flows.domain.failures import NotEligible, NotFound, PaymentOpen, Refused
from flows.domain.payment_records import (
    CALL_CARD,
    BillPayment,
    BookingOutcome,
    PaymentChange,
    PaymentIntent,
    PaymentReport,
    PaymentState,
)
from flows.domain.records import DeferredStep, OutboundMessage
from flows.payments.checks import DECIDED, NO_MONEY_SEEN, REFUND_REFUSED, STILL_PENDING, WAITING, find_mismatch
from flows.payments.payable import CARD_OBSTACLE, PaymentPorts, payment_ports
from flows.payments.payer_notices import PayerNotices
from flows.payments.payment_messages import FAILURE_TEXTS
from flows.payments.tasks import BOOK, CHECK, REFUND, audit_step, build_task, poll_wait_seconds
from menus.machine.menu import Menu

log = logging.getLogger("dialtree.payments")
PAGE_GRACE = timedelta(hours=1)
"""How long after its page has closed a payment without an answer is still waited for."""
LATE_WATCH = timedelta(hours=24)
"""How long a payment that failed or expired is still asked about: a late success wins."""
CARD_WAIT = timedelta(hours=1)
"""How long the result of a card in a call is waited for: calls are shorter. Then a person looks."""
LOGGED_CHARACTERS = 12
"""Of an intent's id, which `dialtree payments` accepts in place of it; the whole opens its page."""
BUSY_SECONDS = 2.0
"""Wait while another payment of the same bill is being booked."""


@dataclass(frozen=True, slots=True)
class PaymentFollower:
    """Moves the payments of one operator forward; every step may be repeated and may be cut off anywhere."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, task: DeferredStep) -> None:
        """Run a task from the outbox; PaymentOpen or Unavailable when it must run again."""
        intent = await self._ports.intents.find_intent(task.operator, task.session.decode())
        if intent is None:
            return
        steps: Mapping[str, Callable[[PaymentIntent], Awaitable[None]]] = {
            CHECK: self.check_intent,
            BOOK: self.book_intent,
            REFUND: self.refund_intent,
        }
        await steps[task.step](intent)

    async def check_intent(self, intent: PaymentIntent) -> None:
        """Ask the provider about a payment and apply what it says; PaymentOpen while it is not decided."""
        if intent.state in DECIDED:
            return
        now, age = self.ports.now(), self.ports.now() - intent.created_at
        if intent.provider == CALL_CARD:
            await self._check_card(intent, age)
            return
        report = await self._read_report(intent)
        if report is None or report.state == "open":
            await self._end_wait(intent, now, is_known=report is not None)
            raise PaymentOpen(after_seconds=poll_wait_seconds(age))
        await self.apply_report(intent, report)
        if report.state != "paid" and age < LATE_WATCH:
            raise PaymentOpen(after_seconds=poll_wait_seconds(age))

    async def _check_card(self, intent: PaymentIntent, age: timedelta) -> None:
        """Wait for the result of a card in a call, which nobody can be asked for; then a person looks."""
        if intent.state not in WAITING:
            return
        if age < CARD_WAIT:
            raise PaymentOpen(after_seconds=(CARD_WAIT - age).total_seconds())
        await self._leave_to_people(intent, WAITING, "unheard")

    async def apply_report(self, intent: PaymentIntent, report: PaymentReport) -> None:
        """Make the step that a report leads to; a success wins over everything said before."""
        if report.state == "paid":
            await self._apply_success(intent, report)
        elif report.state == "failed":
            await self._apply_failure(intent, report)
        elif report.state == "expired":
            await self._advance(intent, WAITING, "expired")

    async def book_intent(self, intent: PaymentIntent) -> None:
        """Book a paid intent at billing, once; what a bill does not ask for any more is given back."""
        if intent.state not in ("succeeded", "booking"):
            return
        is_first_try = intent.state == "succeeded"
        if is_first_try and not await self._advance(intent, ("succeeded",), "booking"):
            raise PaymentOpen(after_seconds=BUSY_SECONDS)
        outcome = await self._book_at_billing(intent, is_first_try=is_first_try)
        if outcome != "excess":
            await self._finish_booking(intent)
        elif is_first_try:
            refund = build_task(REFUND, intent, self.ports.now())
            notices = await self._notices.build_notices(intent, "double")
            if await self._advance(intent, ("booking",), "refunding", (refund, *notices)):
                log.warning(
                    "payments.paid_twice",
                    extra={"operator": intent.operator, "payment": intent.id[:LOGGED_CHARACTERS]},
                )
        else:
            await self._leave_to_people(intent, ("booking",), "booking")

    async def refund_intent(self, intent: PaymentIntent) -> None:
        """Give back what the provider says was paid, by the means it came, once.

        It is told once the provider says that the money went back; until then PaymentOpen.
        """
        if intent.state != "refunding":
            return
        try:
            if intent.provider == CALL_CARD:
                raise NotEligible(CARD_OBSTACLE)
            provider = self._ports.provider_of(intent)
            report = await provider.ask(intent)
            state = await provider.refund(intent, report.amount, f"{intent.id}-r")
        except Refused as refused:
            await self._note_refusal(intent, refused)
            raise PaymentOpen(after_seconds=LATE_WATCH.total_seconds()) from refused
        if state == "open":
            raise PaymentOpen(after_seconds=poll_wait_seconds(self.ports.now() - intent.changed_at))
        notices = await self._notices.build_notices(replace(intent, amount=report.amount), "refunded")
        reason = "made" if intent.reason == REFUND_REFUSED else ""
        await self._advance(intent, ("refunding",), "refunded", notices, reason=reason)

    async def _note_refusal(self, intent: PaymentIntent, refused: Refused) -> None:
        """Log that the provider gives nothing back, and note it on the payment for `dialtree payments list`."""
        log.error("payments.refund_refused", extra=self._log_extra(intent, type(refused).__name__))
        if intent.reason != REFUND_REFUSED:
            await self._advance(intent, ("refunding",), "refunding", reason=REFUND_REFUSED)

    @property
    def _ports(self) -> PaymentPorts:
        return payment_ports(self.ports)

    @property
    def _notices(self) -> PayerNotices:
        return PayerNotices(self.menu, self.ports)

    async def _read_report(self, intent: PaymentIntent) -> PaymentReport | None:
        """Return what the provider says; None for a payment it does not know yet.

        A refusal to tell says nothing about the money: PaymentOpen, so that the provider is asked again.
        """
        try:
            return await self._ports.provider_of(intent).ask(intent)
        except NotFound:
            return None
        except Refused as refused:
            log.error("payments.check_refused", extra=self._log_extra(intent, type(refused).__name__))
            raise PaymentOpen(
                after_seconds=poll_wait_seconds(self.ports.now() - intent.created_at)
            ) from refused

    async def _end_wait(self, intent: PaymentIntent, now: datetime, *, is_known: bool) -> None:
        """Expire a payment whose page is long over, or that never reached the provider.

        A request on a wallet's phone may be approved until the wallet says that it ended: people are told.
        """
        ends_at = (intent.page_expires_at or intent.created_at) + PAGE_GRACE
        if intent.state not in WAITING or now < ends_at:
            return
        if is_known and self._ports.is_wallet(intent):
            await self._tell_silence(intent)
            return
        await self._ports.provider_of(intent).close(intent)
        await self._advance(intent, WAITING, "expired")

    async def _apply_failure(self, intent: PaymentIntent, report: PaymentReport) -> None:
        """Note that no money moved, and tell the payer why where the provider says so."""
        messages = await self._notices.build_notices(intent, FAILURE_TEXTS.get(report.failure, "failed"))
        await self._advance(intent, WAITING, "failed", messages, reason=report.failure)

    async def _tell_silence(self, intent: PaymentIntent) -> None:
        """Tell the payer and people once that a wallet gives no final answer; the payment stays pending."""
        if intent.reason == STILL_PENDING:
            return
        log.error("payments.wallet_silent", extra=self._log_extra(intent, STILL_PENDING))
        message = await self._notices.build_notices(intent, "unknown")
        await self._advance(intent, WAITING, "pending", message, reason=STILL_PENDING)

    async def _apply_success(self, intent: PaymentIntent, report: PaymentReport) -> None:
        if fault := find_mismatch(intent, report):
            await self._leave_to_people(intent, NO_MONEY_SEEN, fault)
            return
        task = build_task(BOOK, intent, self.ports.now())
        await self._advance(intent, NO_MONEY_SEEN, "succeeded", (task,), reference=report.reference)

    async def _book_at_billing(self, intent: PaymentIntent, *, is_first_try: bool) -> BookingOutcome:
        """Book, or find what an earlier try has booked; `excess` when another payment was booked instead."""
        payment = build_bill_payment(intent, self.ports.now())
        try:
            if await self._is_paid_by_another(intent):
                return "already" if await self._ports.booking.find_booking(payment) else "excess"
            return await self._ports.booking.book_payment(payment)
        except Refused as refused:
            log.error("payments.booking_refused", extra=self._log_extra(intent, type(refused).__name__))
            await self._advance(
                intent, ("booking",), "booking", await self._notices.build_notices(intent, "unknown")
            )
            raise PaymentOpen from refused

    async def _is_paid_by_another(self, intent: PaymentIntent) -> bool:
        """Return whether another payment of the bill was booked since this one was agreed to."""
        others = await self._ports.intents.list_bill_intents(intent.operator, intent.account, intent.bill_id)
        return any(
            each.id != intent.id and each.state == "booked" and each.changed_at >= intent.created_at
            for each in others
        )

    async def _finish_booking(self, intent: PaymentIntent) -> None:
        if await self._advance(intent, ("booking",), "booked", await self._notices.build_receipt(intent)):
            log.info(
                "payments.booked", extra={"operator": intent.operator, "payment": intent.id[:LOGGED_CHARACTERS]}
            )

    async def _leave_to_people(
        self, intent: PaymentIntent, expected: tuple[PaymentState, ...], reason: str
    ) -> None:
        """Set an intent aside until a person decides, and tell the payer not to pay again; both once."""
        if intent.state == "unknown":
            return
        notices = await self._notices.build_notices(intent, "unknown")
        earlier = tuple({*expected} - {"unknown"})
        if await self._advance(intent, earlier, "unknown", notices, reason=reason):
            log.error("payments.mismatch", extra=self._log_extra(intent, reason))

    async def _advance(
        self,
        intent: PaymentIntent,
        expected: tuple[PaymentState, ...],
        state: PaymentState,
        items: tuple[OutboundMessage | DeferredStep, ...] = (),
        *,
        reason: str = "",
        reference: str = "",
    ) -> bool:
        now = self.ports.now()
        change = PaymentChange(intent.id, expected, state, now, reference=reference, reason=reason)
        return await self._ports.intents.advance(change, items, (audit_step(intent, f"payment.{state}", now),))

    def _log_extra(self, intent: PaymentIntent, failure: str) -> Mapping[str, str]:
        payment = intent.id[:LOGGED_CHARACTERS]
        return {"operator": intent.operator, "payment": payment, "failure": failure}


def build_bill_payment(intent: PaymentIntent, now: datetime) -> BillPayment:
    """Return what billing is to book of an intent, under its id."""
    return BillPayment(
        key=intent.id,
        account=intent.account,
        bill_id=intent.bill_id,
        amount=intent.amount,
        currency=intent.currency,
        received_at=now,
        reference=intent.reference,
        provider=intent.provider,
    )
