"""Reminder planning: the reminders the schedule has for a day, of bills and of instalments."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.promise_records import Instalment, PaymentPromise
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, DeferredStep, Subscriber
from flows.payments.payable import is_settled
from flows.payments.reminder_schedule import DueReminder, ReminderKind, find_due_reminder
from menus.machine.menu import Menu

BILL_STEPS: dict[ReminderKind, str] = {
    "before": "reminder.before",
    "due": "reminder.due",
    "overdue": "reminder.overdue",
}
INSTALMENT_STEPS: dict[ReminderKind, str] = {
    "before": "instalment.before",
    "due": "instalment.due",
    "overdue": "instalment.overdue",
}
REMINDER_STEPS = frozenset((*BILL_STEPS.values(), *INSTALMENT_STEPS.values()))
"""Names of the reminders among the outbox's deferred steps; `NAME_notice` is the text."""
REMINDER_LIFETIME = timedelta(days=3)
"""A reminder that billing could not be asked about for so long is dropped."""


@dataclass(frozen=True, slots=True)
class RemindedBill:
    """What a planned reminder is about, and the line it was planned for."""

    account: str = field(repr=False)
    bill_id: str
    subscription: str
    line: str = field(repr=False)
    """Number (E.164) of the line."""
    promise_id: str = ""
    """The promise whose instalment it is about; empty for the bill."""
    part: int = 0
    """Number of the instalment, from 1."""

    def encode(self) -> bytes:
        """Serialise to the payload of the deferred step."""
        whose = [self.account, self.bill_id, self.subscription, self.line]
        return json.dumps([*whose, self.promise_id, self.part] if self.part else whose).encode()


def parse_reminded_bill(payload: bytes) -> RemindedBill:
    """Parse the payload of a reminder; ValueError when it names no bill."""
    try:
        account, bill_id, subscription, line, *promised = json.loads(payload)
        promise_id, part = promised or ("", 0)
        whose = (str(account), str(bill_id), str(subscription), str(line))
        return RemindedBill(*whose, promise_id=str(promise_id), part=int(part))
    except (TypeError, RecursionError) as error:
        raise ValueError("the reminder names no bill") from error


@dataclass(frozen=True, slots=True)
class ReminderPlanner:
    """Plans the reminders of one operator."""

    menu: Menu = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)

    def plan_reminder(self, bill: Bill, holder: Subscriber, now: datetime) -> DeferredStep | None:
        """Return the reminder that the schedule has for this bill today; None for none, and for a paid bill."""
        reminder = self._find_reminder(bill.due, now)
        if not reminder or is_settled(bill):
            return None
        reminded = RemindedBill(bill.account, bill.id, holder.id, holder.msisdn)
        what = f"{self._hash(holder, holder.id)}/reminder/{self._hash(holder, bill.id)}"
        key = f"{what}/{reminder.kind}-{reminder.days}"
        return self._build_step(key, holder, BILL_STEPS[reminder.kind], reminded, now)

    def find_instalments(
        self, promise: PaymentPromise, now: datetime
    ) -> Iterator[tuple[Instalment, DueReminder]]:
        """Yield the instalments that the schedule has a reminder of today, whether they are paid or not."""
        for each in promise.list_instalments(currency_unit(self.menu)):
            if reminder := self._find_reminder(each.due, now):
                yield each, reminder

    def plan_instalment(
        self,
        promise: PaymentPromise,
        instalment: Instalment,
        reminder: DueReminder,
        holder: Subscriber,
        now: datetime,
    ) -> DeferredStep:
        """Return the reminder of an instalment to the holder of the promise's account."""
        reminded = RemindedBill(
            promise.account, promise.bill_id, holder.id, holder.msisdn, promise.id, instalment.number
        )
        what = f"{self._hash(holder, holder.id)}/instalment/{self._hash(holder, promise.id)}"
        key = f"{what}/{instalment.number}-{reminder.kind}-{reminder.days}"
        return self._build_step(key, holder, INSTALMENT_STEPS[reminder.kind], reminded, now)

    def _find_reminder(self, due: date, now: datetime) -> DueReminder | None:
        rules = self.menu.config.rules.reminders
        return find_due_reminder(rules, due, local_time(self.menu, now).date()) if rules else None

    def _build_step(
        self, key: str, holder: Subscriber, step: str, reminded: RemindedBill, now: datetime
    ) -> DeferredStep:
        """Build the deferred step; its key begins with the subscription's hash, by which `erase` finds it."""
        return DeferredStep(key, holder.operator, step, reminded.encode(), now + REMINDER_LIFETIME)

    def _hash(self, holder: Subscriber, value: str) -> str:
        return self.pseudonyms.keyed_hash(holder.operator, value)


def currency_unit(menu: Menu) -> Decimal:
    """Return the smallest amount of the operator's currency."""
    return Decimal(1).scaleb(-menu.config.currency.decimals)


def local_time(menu: Menu, now: datetime) -> datetime:
    """Return an instant in the operator's time zone."""
    return now.astimezone(ZoneInfo(menu.config.time_zone))
