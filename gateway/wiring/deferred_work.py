"""Deferred work of the outbox: steps of a menu that run later, tasks of payments and purchases."""

from collections.abc import Awaitable, Mapping

from flows.domain.actions import Action, OperatorPorts
from flows.domain.payment_records import WALLET_PUSH
from flows.domain.records import DeferredStep
from flows.engine import deferred_steps
from flows.engine.menu_versions import MenuVersions
from flows.engine.subscriber_cache import SubscriberCache
from flows.payments.following import PaymentFollower
from flows.payments.reminder_planning import REMINDER_STEPS
from flows.payments.reminders import ReminderSender
from flows.payments.tasks import TASKS
from flows.payments.wallet_push import WalletPush
from flows.purchases.charge_tasks import PURCHASE_TASKS
from flows.purchases.hand_over import ChargeHandOver
from flows.purchases.recap import RECAP, PurchaseRecap


def run_deferred_work(
    step: DeferredStep,
    menu_versions: MenuVersions,
    operators: Mapping[str, OperatorPorts],
    caches: Mapping[str, SubscriberCache],
    actions: Mapping[str, Action],
) -> Awaitable[None]:
    """Run a step of the outbox: a task of a payment or a purchase, a reminder, or a step of a menu."""
    ports = operators[step.operator]
    if step.step in TASKS:
        return PaymentFollower(menu_versions.current_menu(step.operator), ports).run_task(step)
    if step.step == WALLET_PUSH:
        return WalletPush(menu_versions.current_menu(step.operator), ports).run_task(step)
    if step.step in REMINDER_STEPS:
        return ReminderSender(menu_versions.current_menu(step.operator), ports).run_task(step)
    if step.step in PURCHASE_TASKS:
        return ChargeHandOver(menu_versions.current_menu(step.operator), ports).run_task(step)
    if step.step == RECAP:
        return PurchaseRecap(menu_versions.current_menu(step.operator), ports).run_task(step)
    cache = caches[step.operator]
    return deferred_steps.run_deferred_step(step, menu_versions, ports, cache, actions)
