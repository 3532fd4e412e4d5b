"""Payment reminders: planned from the bill's due date, decided again when they are sent.

A reminder has no link, only the operator's code: texts that ask for money and carry a link are a fraud's.
"""

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.failures import QuietHours, Refused
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, ChangeSet, DeferredStep, OutboundMessage, Subscriber
from flows.payments.direct_debits import collects_bill, find_debit, mandate_facts
from flows.payments.payable import find_under_way, read_current_bill, takes_payments
from flows.payments.reminder_schedule import DueReminder, ReminderKind, find_due_reminder, next_sending_time
from flows.services.bill_notices import MessageRoute, notice_routes
from flows.services.eligibility import is_refused_business, must_wait
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money, Month, PhoneNumber
from menus.packfile.reminder_rules import RemindersForm
from menus.text.gsm import prepare_text, to_wire_text

log = logging.getLogger("dialtree.payments")
STEP_OF_KIND: dict[ReminderKind, str] = {
    "before": "reminder.before",
    "due": "reminder.due",
    "overdue": "reminder.overdue",
}
REMINDER_STEPS = frozenset(STEP_OF_KIND.values())
"""Names of the reminders among the outbox's deferred steps."""
DEBIT_NOTICE = "reminder.debit"
"""Name of what is sent once in place of reminders where billing is about to collect the bill."""
LONGEST_PROMISE = timedelta(days=366)
"""How far back promises are looked for."""
REMINDER_LIFETIME = timedelta(days=3)
"""A reminder that billing could not be asked about for so long is dropped."""


@dataclass(frozen=True, slots=True)
class RemindedBill:
    """The bill a planned reminder is about, and the line it was planned for."""

    account: str = field(repr=False)
    bill_id: str
    subscription: str
    line: str = field(repr=False)
    """Number (E.164) of the line."""

    def encode(self) -> bytes:
        """Serialise to the payload of the deferred step."""
        return json.dumps([self.account, self.bill_id, self.subscription, self.line]).encode()


def parse_reminded_bill(payload: bytes) -> RemindedBill:
    """Parse the payload of a reminder; ValueError when it names no bill."""
    try:
        return RemindedBill(*map(str, json.loads(payload)))
    except (TypeError, RecursionError) as error:
        raise ValueError("the reminder names no bill") from error


@dataclass(frozen=True, slots=True)
class ReminderPlanner:
    """Plans the reminders of one operator's bills."""

    menu: Menu = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)

    def plan_reminder(self, bill: Bill, holder: Subscriber, now: datetime) -> DeferredStep | None:
        """Return the reminder that the schedule has for this bill today; None for none, and for a paid bill."""
        rules, today = self.menu.config.rules.reminders, local_time(self.menu, now).date()
        reminder = rules and find_due_reminder(rules, bill.due, today)
        if not reminder or bill.remaining <= 0 or bill.state in ("cancelled", "credit"):
            return None
        payload = RemindedBill(bill.account, bill.id, holder.id, holder.msisdn).encode()
        key, step = self._reminder_key(bill, holder, reminder), STEP_OF_KIND[reminder.kind]
        return DeferredStep(key, holder.operator, step, payload, now + REMINDER_LIFETIME)

    def _reminder_key(self, bill: Bill, holder: Subscriber, reminder: DueReminder) -> str:
        """Return the idempotency key: the subscription's hash first, by which `erase` finds messages."""
        hashes = [self.pseudonyms.keyed_hash(holder.operator, each) for each in (holder.id, bill.id)]
        return f"{hashes[0]}/reminder/{hashes[1]}/{reminder.kind}-{reminder.days}"


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
            bill = await read_current_bill(self.ports.billing, reminded.account, reminded.bill_id)
        except Refused:
            self._log_drop(step, "gone")
            return
        if reason := await self._reason_to_drop(step, reminded, holder, bill):
            self._log_drop(step, reason)
            return
        mandate = await find_debit(self.ports.billing, reminded.account)
        if mandate is None or not collects_bill(mandate, bill.due, self._today):
            await self._commit_messages(step, holder, bill, {})
        elif mandate.collects_on is None:
            self._log_drop(step, "debit")
        else:
            announced = replace(step, step=DEBIT_NOTICE, key=f"{step.key.rpartition('/')[0]}/debit")
            await self._commit_messages(announced, holder, bill, mandate_facts(mandate))

    @property
    def _today(self) -> date:
        return local_time(self.menu, self.ports.now()).date()

    def _require_sending_time(self, rules: RemindersForm) -> None:
        now = local_time(self.menu, self.ports.now())
        wait = next_sending_time(rules, now) - now
        if wait:
            raise QuietHours(after_seconds=wait.total_seconds())

    async def _reason_to_drop(
        self, step: DeferredStep, reminded: RemindedBill, holder: Subscriber, bill: Bill
    ) -> str:
        """Return why nothing is sent: `owner`, `rule`, `paid`, `late`, `promised`, `paying`; else empty."""
        rules, today = self.menu.config.rules, self._today
        if holder.id != reminded.subscription:
            return "owner"
        if is_refused_business(holder, rules) or must_wait(holder, rules, today):
            return "rule"
        if bill.remaining <= 0 or bill.state in ("cancelled", "credit"):
            return "paid"
        if step.step != STEP_OF_KIND["overdue"] and today > bill.due:
            return "late"
        if await self._is_promised(bill):
            return "promised"
        return "paying" if await self._is_being_paid(bill) else ""

    async def _is_promised(self, bill: Bill) -> bool:
        """Return whether the subscriber has promised to pay the bill, and still has time for it."""
        if self.ports.promises is None:
            return False
        since = self.ports.now() - LONGEST_PROMISE
        made = await self.ports.promises.list_promises(self.menu.name, bill.account, since)
        return any(each.bill_id == bill.id and each.is_open(self._today) for each in made)

    async def _is_being_paid(self, bill: Bill) -> bool:
        if not takes_payments(self.ports) or self.ports.intents is None:
            return False
        intents = await self.ports.intents.list_bill_intents(self.menu.name, bill.account, bill.id)
        return find_under_way(intents) is not None

    async def _commit_messages(
        self, step: DeferredStep, holder: Subscriber, bill: Bill, mandate: Facts
    ) -> None:
        """Commit the text named as the step, once per key; `mandate` are facts of the direct debit, if any."""
        facts: Facts = {
            "month": Month.from_date(bill.issued),
            "line": PhoneNumber(holder.msisdn),
            "remaining": Money(bill.remaining),
            "due": bill.due,
            **mandate,
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
        )

    def _log_drop(self, step: DeferredStep, reason: str) -> None:
        log.info("payments.reminder_dropped", extra={"operator": step.operator, "reason": reason})


def local_time(menu: Menu, now: datetime) -> datetime:
    """Return an instant in the operator's time zone."""
    return now.astimezone(ZoneInfo(menu.config.time_zone))
