"""Command `dialtree payments`: list, show, ask, refund, resolve, compare a day."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal

from flows.domain.actions import OperatorPorts
from flows.domain.failures import PaymentOpen
from flows.domain.payment_records import PaymentChange, PaymentIntent, PaymentResolution, PaymentState
from flows.payments.following import PaymentFollower
from flows.payments.payable import payment_ports, takes_payments
from flows.payments.reconciliation import compare_day, list_resolutions
from flows.payments.resolution import PaymentResolver, find_obstacle
from flows.payments.tasks import REFUND, audit_step, build_task
from gateway.cli.common import is_served, read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.table_output import print_table
from gateway.observability.payment_metrics import write_difference_metrics
from gateway.wiring.container import Container
from menus.text.input_parsing import parse_amount
from menus.text.masking import mask_recipient

PAYMENT_HEADERS = ("payment", "created", "bill", "amount", "state", "reason")
SEARCHED = timedelta(days=400)
"""Age of the payments that are found by the beginning of their id."""
MIN_PREFIX = 8
MAX_SEARCHED = 1_000_000
MAX_STAFF, MAX_NOTE = 64, 255
"""Characters, as the columns have them."""


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_container(read_settings(demo_world=args.demo), lambda built: run_action(built, args))


async def run_action(container: Container, args: Namespace) -> int:
    """Run the chosen action and return its exit status: 0 when it did what was asked."""
    if not is_served(container, args.operator):
        return 2
    ports = container.operators[args.operator]
    if args.what in NEEDS_PROVIDER and not takes_payments(ports):
        print_error(f"{args.operator} has no payment provider; see docs/paying.md")
        return 2
    if args.what in DAY_ACTIONS:
        return await DAY_ACTIONS[args.what](container, ports, args)
    intent = await _find_payment(ports, args)
    return 1 if intent is None else await PAYMENT_ACTIONS[args.what](container, ports, intent, args)


async def _list_payments(container: Container, ports: OperatorPorts, args: Namespace) -> int:
    states = (args.state,) if args.state else ()
    found = await _recent_intents(ports, args.operator, timedelta(days=args.days), args.limit, states)
    print_table(PAYMENT_HEADERS, map(_payment_cells, found), "{:<12}  {:<16}  {:<18}  {:>10}  {:<10} {}")
    print(f"{len(found)} payments")
    return 0


def _payment_cells(intent: PaymentIntent) -> tuple[object, ...]:
    created = f"{intent.created_at:%Y-%m-%d %H:%M}"
    return intent.id[:12], created, intent.bill_number, intent.amount, intent.state, intent.reason


async def _check_day(container: Container, ports: OperatorPorts, args: Namespace) -> int:
    day: date = args.day or container.clock().date() - timedelta(days=1)
    differences = await compare_day(ports, args.operator, day)
    for each in differences:
        print(f"{each.kind:<16} {each.payment[:24]:<24} {each.state}")
    by_hand = await list_resolutions(ports, args.operator, day)
    for state in sorted({each.state for each in by_hand}):
        amounts = [each.amount for each in by_hand if each.state == state]
        print(f"by hand: {len(amounts)} {state}, {sum(amounts, Decimal(0))}")
    print(f"{day}: {len(differences)} differences")
    if args.metrics:
        write_difference_metrics(args.metrics, args.operator, differences, container.clock())
    return 1 if differences else 0


async def _show_payment(
    container: Container, ports: OperatorPorts, intent: PaymentIntent, args: Namespace
) -> int:
    fields = {name: getattr(intent, name) for name in PaymentIntent.__slots__ if name != "page_url"}
    fields |= {name: mask_recipient(fields[name]) for name in ("line", "payer")}
    found = await ports.intents.find_resolution(args.operator, intent.id) if ports.intents else None
    fields |= {f"by hand: {name}": value for name, value in (asdict(found) if found else {}).items()}
    print_table(("field", "value"), [(name, str(value)) for name, value in fields.items()], "{:<16} {}")
    return 0


async def _ask_provider(
    container: Container, ports: OperatorPorts, intent: PaymentIntent, args: Namespace
) -> int:
    follower = PaymentFollower(container.menu_versions.current_menu(args.operator), ports)
    with suppress(PaymentOpen):
        await (follower.refund_intent if intent.state == "refunding" else follower.check_intent)(intent)
    after = await payment_ports(ports).intents.find_intent(args.operator, intent.id)
    print(f"{intent.id[:12]}: {intent.state} -> {after.state if after else intent.state}")
    return 0


async def _refund_payment(
    container: Container, ports: OperatorPorts, intent: PaymentIntent, args: Namespace
) -> int:
    if intent.state != "unknown":
        print_error(f"{intent.id[:12]} is {intent.state}: only a payment that is unknown is given back here")
        return 1
    if obstacle := payment_ports(ports).refund_obstacle(intent):
        print_error(f"{intent.id[:12]} cannot be given back here: {obstacle}")
        return 1
    if not args.yes:
        print_error(f"{intent.id[:12]} would be given back; say so with --yes")
        return 1
    now = container.clock()
    change = PaymentChange(intent.id, ("unknown",), "refunding", now)
    task, entry = build_task(REFUND, intent, now), audit_step(intent, "payment.refund_ordered", now)
    done = await payment_ports(ports).intents.advance(change, (task,), (entry,))
    if not done:
        print_error(f"{intent.id[:12]} has changed meanwhile: look again")
        return 1
    print(f"{intent.id[:12]} is being given back")
    return 0


async def _resolve_payment(
    container: Container, ports: OperatorPorts, intent: PaymentIntent, args: Namespace
) -> int:
    menu = container.menu_versions.current_menu(args.operator)
    resolution = _read_resolution(args, menu.config.currency.decimals)
    if resolution is None:
        return 1
    resolver, name = PaymentResolver(menu, ports), intent.id[:12]
    if await resolver.is_recorded(intent, resolution):
        print(f"{name}: the same was recorded before")
        return 0
    if obstacle := find_obstacle(intent, resolution):
        print_error(f"{name}: {obstacle}")
        return 1
    what = f"{resolution.state} {resolution.amount} of {intent.amount} {intent.currency}, {intent.bill_number}"
    if not args.yes:
        print_error(f"{name} would be recorded as {what}; say so with --yes")
        return 1
    if not await resolver.record(intent, resolution, tells_payer=args.tells_payer):
        print_error(f"{name} has changed meanwhile: look again")
        return 1
    print(f"{name} is recorded as {what}")
    return 0


def _read_resolution(args: Namespace, decimals: int) -> PaymentResolution | None:
    """Return what is to be recorded; None, and a line that says why, for values that cannot be."""
    amount = parse_amount(args.amount, decimals)
    staff, note = args.staff.strip(), args.note.strip()
    if amount is None:
        print_error(f"{args.amount} is no amount with up to {decimals} decimals")
    elif not 0 < len(staff) <= MAX_STAFF or not 0 < len(note) <= MAX_NOTE:
        print_error(f"give --by up to {MAX_STAFF} and --note up to {MAX_NOTE} characters")
    else:
        return PaymentResolution(args.state, amount, staff, note)
    return None


async def _recent_intents(
    ports: OperatorPorts, operator: str, age: timedelta, limit: int, states: tuple[PaymentState, ...] = ()
) -> Sequence[PaymentIntent]:
    """Return the payments of an age at most, the newest first; none for an operator that takes none."""
    if ports.intents is None:
        return []
    return await ports.intents.list_intents(operator, states, ports.now() - age, limit)


async def _find_payment(ports: OperatorPorts, args: Namespace) -> PaymentIntent | None:
    """Return the payment whose id begins so; None, and a line that says why, unless there is exactly one."""
    prefix: str = args.payment
    recent = await _recent_intents(ports, args.operator, SEARCHED, MAX_SEARCHED)
    matching = [each for each in recent if len(prefix) >= MIN_PREFIX and each.id.startswith(prefix)]
    if len(matching) != 1:
        print_error(f"{len(matching)} payments begin with {prefix!r}; give {MIN_PREFIX} characters of one")
        return None
    return matching[0]


NEEDS_PROVIDER = frozenset({"ask", "refund", "resolve", "check"})
DAY_ACTIONS: Mapping[str, Callable[[Container, OperatorPorts, Namespace], Awaitable[int]]] = {
    "list": _list_payments,
    "check": _check_day,
}
"""Actions on the payments of some days."""
PAYMENT_ACTIONS: Mapping[
    str, Callable[[Container, OperatorPorts, PaymentIntent, Namespace], Awaitable[int]]
] = {
    "show": _show_payment,
    "ask": _ask_provider,
    "refund": _refund_payment,
    "resolve": _resolve_payment,
}
"""Actions on one payment."""
