"""Eligible: who may use the service by the operator's rules, asked before anything private is done."""

from datetime import date

from flows.domain.actions import Ask, Outcome
from flows.domain.records import Subscriber
from menus.model.facts import Text, Word


def barred(ask: Ask) -> Outcome | None:
    """Why the rules leave this subscriber out, in their order; None when they do not.

    Business customers first (T2, M2), then newcomers (M6); whether a bill is published yet is asked
    by what shows it (B1).
    """
    person, rules = ask.subscriber, ask.menu.form.rules
    if person is None:
        return None
    if person.segment == "business" and rules.business in ("refuse", "agency"):
        return _business(ask)
    waits = rules.newcomer_wait and next_month(person.since) > ask.today
    return Outcome("newcomer", {"available": next_month(person.since)}) if waits else None


def next_month(day: date) -> date:
    """The first day of the month after."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, 1)


def nearest(ask: Ask, person: Subscriber) -> Word | Text:
    """The agency for this number: the one whose numbers begin most like it."""
    agencies = ask.menu.form.agencies
    found = max((start for start in agencies if person.msisdn.startswith(start)), key=len, default="")
    return Word(agencies[found]) if found else Text("")


def _business(ask: Ask) -> Outcome:
    if ask.menu.form.rules.business == "refuse":
        return Outcome("refused")
    return Outcome("agency", {"agency": nearest(ask, ask.known())})
