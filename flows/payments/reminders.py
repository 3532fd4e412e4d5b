"""Payment reminders: decided again when they are sent, as a bill may be paid or promised meanwhile.

A reminder has no link, only the operator's code: texts that ask for money and carry a link are a fraud's.
"""

import logging
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import cast

from flows.domain.actions import OperatorPorts
from flows.domain.failures import QuietHours, Refused
from flows.domain.promise_records import PaymentPromise, PromiseBilling
from flows.domain.records import Bill, ChangeSet, DeferredStep, OutboundMessage, Subscriber
from flows.payments.direct_debits import collects_bill, find_debit, mandate_facts
from flows.payments.payable import find_under_way, read_current_bill, takes_payments
from flows.payments.reminder_decision import ReminderCase, reason_to_drop_bill, reason_to_drop_instalment
from flows.payments.reminder_planning import (
    REMINDER_LIFETIME,
    RemindedBill,
    currency_unit,
    local_time,
    parse_reminded_bill,
)
from flows.payments.reminder_schedule import ReminderKind, next_sending_time
from flows.services.bill_notices import MessageRoute, notice_routes
from flows.services.eligibility import is_refused_business, must_wait
from menus.machine.menu import Menu
from menus.model.facts import Count, Facts, Money, Month, PhoneNumber
from menus.packfile.reminder_rules import RemindersForm
from menus.text.gsm import prepare_text, to_wire_text

log = logging.getLogger("dialtree.payments")
DEBIT_NOTICE = "reminder.debit"
"""Name of what is sent once in place of reminders where billing is about to collect the bill."""
LONGEST_PROMISE = timedelta(days=366)
"""How far back promises are looked for."""


@dataclass(frozen=True, slots=True)
class ReminderSender:
    """Sends planned reminders of one operator, unless there is nothing to remind of any more."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, step: DeferredStep) -> None:
        """Send a reminder or drop it; QuietHours when it is not the time, Unavailable while billing is down."""
        rules = self.menu.config.rules.reminders
        if rules is None:
            return
        self._require_sending_time(rules)
        reminded = parse_reminded_bill(step.session)
        try:
            holder = await self.ports.billing.get_subscriber(reminded.line)
            case = await self._read_case(step, reminded)
        except Refused:
            self._log_drop(step, "gone")
            return
        if reason := await self._reason_to_drop(reminded, holder, case):
            self._log_drop(step, reason)
            return
        await self._send_reminder(step, reminded, holder, case)

    @property
    def _today(self) -> date:
        return local_time(self.menu, self.ports.now()).date()

    def _require_sending_time(self, rules: RemindersForm) -> None:
        now = local_time(self.menu, self.ports.now())
        wait = next_sending_time(rules, now) - now
        if wait:
            raise QuietHours(after_seconds=wait.total_seconds())

    async def _read_case(self, step: DeferredStep, reminded: RemindedBill) -> ReminderCase:
        """Read the bill and its promise from billing itself."""
        bill = await read_current_bill(self.ports.billing, reminded.account, reminded.bill_id)
        kind = cast(ReminderKind, step.step.rpartition(".")[2])
        return ReminderCase(kind, bill, await self._find_promise(bill), self._today)

    async def _find_promise(self, bill: Bill) -> PaymentPromise | None:
        """Return the newest promise to pay the bill; None for none, and for one that was ended at billing."""
        billing, store = self.ports.billing, self.ports.promises
        if store is None:
            return None
        since = self.ports.now() - LONGEST_PROMISE
        made = await store.list_promises(self.menu.name, bill.account, since)
        newest = next((each for each in made if each.bill_id == bill.id), None)
        if newest is None or not newest.is_open(self._today):
            return newest
        if "promises" not in billing.capabilities or not isinstance(billing, PromiseBilling):
            return newest
        return newest if await billing.has_promise(newest) else None

    async def _reason_to_drop(self, reminded: RemindedBill, holder: Subscriber, case: ReminderCase) -> str:
        """Return why nothing is sent: `owner`, `rule`, `paying`, or what the bill itself says; else empty."""
        rules = self.menu.config.rules
        if holder.id != reminded.subscription:
            return "owner"
        if is_refused_business(holder, rules) or must_wait(holder, rules, case.today):
            return "rule"
        if reminded.part:
            unit = currency_unit(self.menu)
            reason = reason_to_drop_instalment(case, reminded.promise_id, reminded.part, unit)
        else:
            reason = reason_to_drop_bill(case)
        if reason:
            return reason
        return "paying" if await self._is_being_paid(case.bill) else ""

    async def _send_reminder(
        self, step: DeferredStep, reminded: RemindedBill, holder: Subscriber, case: ReminderCase
    ) -> None:
        """Commit the reminder, or in its place once what billing is about to collect."""
        mandate = await find_debit(self.ports.billing, reminded.account)
        if mandate is None or not collects_bill(mandate, case.bill.due, case.today):
            await self._commit_messages(step, holder, case.bill, self._instalment_facts(reminded, case))
        elif mandate.collects_on is None:
            self._log_drop(step, "debit")
        else:
            announced = replace(step, step=DEBIT_NOTICE, key=f"{step.key.rpartition('/')[0]}/debit")
            await self._commit_messages(announced, holder, case.bill, mandate_facts(mandate))

    def _instalment_facts(self, reminded: RemindedBill, case: ReminderCase) -> Facts:
        """Return the facts of the instalment; none of a whole bill's reminder."""
        if case.promise is None or not reminded.part:
            return {}
        part = case.promise.list_instalments(currency_unit(self.menu))[reminded.part - 1]
        return {
            "part_number": Count(part.number),
            "delay_parts": Count(case.promise.parts),
            "part_amount": Money(part.amount_left(case.bill.remaining)),
            "part_on": part.due,
        }

    async def _is_being_paid(self, bill: Bill) -> bool:
        if not takes_payments(self.ports) or self.ports.intents is None:
            return False
        intents = await self.ports.intents.list_bill_intents(self.menu.name, bill.account, bill.id)
        return find_under_way(intents) is not None

    async def _commit_messages(self, step: DeferredStep, holder: Subscriber, bill: Bill, more: Facts) -> None:
        """Commit the text named as the step, once per key; `more` are facts besides the bill's."""
        facts: Facts = {
            "month": Month.from_date(bill.issued),
            "line": PhoneNumber(holder.msisdn),
            "remaining": Money(bill.remaining),
            "due": bill.due,
            **more,
        }
        preference = await self.ports.ledger.get_preference(step.operator, holder.id)
        language = self.menu.supported_language(preference.language or holder.language)
        messages = tuple(
            self._build_message(step, facts, route, to, language)
            for route, to in notice_routes(holder, preference)
        )
        change = ChangeSet(step.key, step.operator, holder.id, self.ports.now(), messages=messages)
        await self.ports.ledger.commit(change)

    def _build_message(
        self, step: DeferredStep, facts: Facts, route: MessageRoute, to: str, language: str
    ) -> OutboundMessage:
        body = self.menu.fill_text(f"{step.step}_notice", language, route, facts)
        is_sms = route == "sms"
        subject = "" if is_sms else self.menu.fill_text("reminder.mail_subject", language, "email", facts)
        return OutboundMessage(
            key=f"{step.key}/{route}",
            operator=step.operator,
            to=to,
            route=route,
            kind="notice",
            body=to_wire_text(prepare_text(body) if is_sms else body),
            language=self.menu.language_pack(language, route).language,
            subject=to_wire_text(subject),
            expires_at=self.ports.now() + REMINDER_LIFETIME,
            is_unprompted=True,
        )

    def _log_drop(self, step: DeferredStep, reason: str) -> None:
        log.info("payments.reminder_dropped", extra={"operator": step.operator, "reason": reason})
