"""Deferred work of the outbox: steps of a menu that run later, tasks of payments and purchases."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.actions import Action, OperatorPorts
from flows.domain.payment_records import WALLET_PUSH
from flows.domain.records import DeferredStep
from flows.engine import deferred_steps
from flows.engine.menu_versions import MenuVersions
from flows.engine.subscriber_cache import SubscriberCache
from flows.payments.following import PaymentFollower
from flows.payments.reminder_planning import REMINDER_STEPS
from flows.payments.reminders import ReminderSender
from flows.payments.tasks import BOOKING_TASKS, TASKS
from flows.payments.wallet_push import WalletPush
from flows.purchases.charge_tasks import PURCHASE_TASKS
from flows.purchases.hand_over import ChargeHandOver
from flows.purchases.notifications import NOTIFY
from flows.purchases.recap import RECAP, PurchaseRecap
from gateway.purchases.sink_notifier import SinkNotifier
from gateway.settings import Settings

BOOKING_STEPS = BOOKING_TASKS | PURCHASE_TASKS
"""Names of the steps that post to billing: after a lost lease they wait for what the lost worker posted."""


@dataclass(frozen=True, slots=True)
class DeferredWork:
    """Runs the steps of the outbox."""

    menu_versions: MenuVersions = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    caches: Mapping[str, SubscriberCache] = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)
    sinks: SinkNotifier = field(repr=False)

    def run_step(self, step: DeferredStep) -> Awaitable[None]:
        """Run a step: a task of a payment or a purchase, a reminder, a notification, or a step of a menu."""
        ports, menu = self.operators[step.operator], self.menu_versions.current_menu(step.operator)
        if step.step in TASKS:
            return PaymentFollower(menu, ports).run_task(step)
        if step.step == WALLET_PUSH:
            return WalletPush(menu, ports).run_task(step)
        if step.step in REMINDER_STEPS:
            return ReminderSender(menu, ports).run_task(step)
        if step.step in PURCHASE_TASKS:
            return ChargeHandOver(menu, ports).run_task(step)
        if step.step == RECAP:
            return PurchaseRecap(menu, ports).run_task(step)
        if step.step == NOTIFY:
            return self.sinks.run_task(step)
        cache = self.caches[step.operator]
        return deferred_steps.run_deferred_step(step, self.menu_versions, ports, cache, self.actions)


def build_sink_notifier(settings: Settings, now: Callable[[], datetime]) -> SinkNotifier:
    """Build what posts notifications to the merchants of all operators."""
    tables = {name: section.purchases for name, section in settings.operators.items()}
    return SinkNotifier({name: table.merchants for name, table in tables.items() if table}, now)
