"""Account activity on the bill page: payments, spend, usage, meter, services (F14, R16, B22)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from flows.domain.actions import ActionRequest, Outcome
from flows.domain.failures import Failure, Refused
from flows.domain.records import AuditEntry, Subscriber
from flows.selfcare import meter, payment_history, services, usage
from gateway.pages.action_request import build_action_request
from gateway.pages.page_request import PageRequest
from menus.machine.menu import Menu
from menus.machine.transitions_table import HOME, outgoing_edges
from menus.model.facts import Count, Fact, Facts, Rows, TextRef

TIMEOUT_SECONDS = 2.5
"""Time billing has for one section; the others and the bill are shown without it."""
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ActivitySection:
    """A table of the page, or the sentence that says why it has no rows."""

    title: str
    rows: tuple[Pair, ...] = field(default=(), repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    """One section: the screen of the menus that shows it, its title, what answers it and how that is shown."""

    screen: str
    title: str
    ask: Callable[[ActionRequest], Awaitable[Outcome]]
    show: Callable[[PageRequest, Outcome], Iterator[Pair]]
    empty: str
    """The text for an answer without rows."""
    limit: str = ""
    """How many rows are asked for."""


async def build_activity(request: PageRequest, subscriber: Subscriber) -> list[ActivitySection]:
    """Return what this operator's menus show of an account besides bills, read from billing at once.

    What its billing system does not know is left out; what does not answer in time says so.
    """
    offered = _screens_in_menu(request.menu)
    asked = [each for each in QUESTIONS if each.screen in offered]
    found = await asyncio.gather(*(_build_section(request, subscriber, each) for each in asked))
    sections = [each for each in found if each]
    if sections:
        entry = AuditEntry(request.operator, subscriber.msisdn, "web.activity", request.now, "web")
        request.ports.ledger.record_audit_entry(entry)
    return sections


def _screens_in_menu(menu: Menu) -> set[str]:
    """Return the screens that keys lead to from the first one: the page shows no more than the phone."""
    found, waiting = {HOME}, [HOME]
    while waiting:
        targets = {target for _, _, target in outgoing_edges(menu.nodes[waiting.pop()])} & menu.nodes.keys()
        waiting += targets - found
        found |= targets
    return found


async def _build_section(
    request: PageRequest, subscriber: Subscriber, question: _Question
) -> ActivitySection | None:
    title = request.plain_text(question.title)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            outcome = await question.ask(build_action_request(request, subscriber, question.limit))
    except Refused:
        return None
    except (Failure, TimeoutError):
        return ActivitySection(title, note=request.plain_text("page.activity_down"))
    rows = tuple(question.show(request, outcome)) if outcome.name == "ok" else ()
    return ActivitySection(title, rows, "" if rows else request.plain_text(question.empty))


def _payment_rows(request: PageRequest, outcome: Outcome) -> Iterator[Pair]:
    for paid_on, amount, how in _rows(outcome, "payments"):
        yield f"{request.format_fact(paid_on)}, {_words(request, how)}", request.format_fact(amount)


def _unbilled_rows(request: PageRequest, outcome: Outcome) -> Iterator[Pair]:
    for rubric, charge in _rows(outcome, "charged"):
        yield _words(request, rubric), request.format_fact(charge)
    spent = outcome.facts["spent"]
    if not isinstance(spent, Rows):
        yield request.plain_text("page.unbilled_sum"), request.format_fact(spent)


def _usage_rows(request: PageRequest, outcome: Outcome) -> Iterator[Pair]:
    for when, what, quantity, unit in _rows(outcome, "usage"):
        amount = f"{request.format_fact(quantity)} {_words(request, unit)}".rstrip()
        yield f"{request.format_fact(when)} {_words(request, what)}", amount


def _meter_rows(request: PageRequest, outcome: Outcome) -> Iterator[Pair]:
    for text, used, left in _rows(outcome, "allowances"):
        if isinstance(text, TextRef) and isinstance(used, Count) and isinstance(left, Count):
            kind = text.name.removeprefix("meter.").partition("_")[0]
            amounts: Facts = {"used": used, "left": left}
            yield request.plain_text(f"usage.{kind}"), request.plain_text(text.name, amounts)


def _service_rows(request: PageRequest, outcome: Outcome) -> Iterator[Pair]:
    for number, (name,) in enumerate(_rows(outcome, "services"), 1):
        yield request.format_fact(Count(number)), request.format_fact(name)


def _rows(outcome: Outcome, name: str) -> Sequence[tuple[Fact, ...]]:
    found = outcome.facts[name]
    return found.rows if isinstance(found, Rows) else ()


def _words(request: PageRequest, fact: Fact) -> str:
    return request.plain_text(fact.name) if isinstance(fact, TextRef) else request.format_fact(fact)


QUESTIONS = (
    _Question(
        "spending.payments",
        "page.payments_title",
        payment_history.list_payments,
        _payment_rows,
        "spending.unpaid",
        "12",
    ),
    _Question(
        "spending.unbilled",
        "page.unbilled_title",
        payment_history.show_unbilled,
        _unbilled_rows,
        "spending.nothing",
    ),
    _Question("meter.show", "page.meter_title", meter.show_meter, _meter_rows, "meter.none"),
    _Question("services.list", "page.services_title", services.list_services, _service_rows, "services.none"),
    _Question("usage.five", "page.usage_title", usage.list_usage, _usage_rows, "usage.none", "50"),
)
