"""Eligibility rules: which subscribers an operator lets use the service."""

from datetime import date

from flows.domain.actions import Ask, Outcome
from flows.domain.records import Subscriber
from menus.model.facts import Text, Word


def barred(ask: Ask) -> Outcome | None:
    """Return the outcome that explains why the subscriber is not eligible; None when eligible.

    It is checked before every private action: business customers first (T2, M2), then newcomers (M6).
    Whether a bill is published yet is checked where bills are shown (B1).
    """
    subscriber, rules = ask.subscriber, ask.menu.form.rules
    if subscriber is None:
        return None
    if subscriber.segment == "business" and rules.business in ("refuse", "agency"):
        return _business(ask)
    must_wait = rules.newcomer_wait and next_month(subscriber.since) > ask.today
    return Outcome("newcomer", {"available": next_month(subscriber.since)}) if must_wait else None


def next_month(day: date) -> date:
    """Return the first day of the following month."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, 1)


def nearest(ask: Ask, person: Subscriber) -> Word | Text:
    """Return the agency for a subscriber's number, by longest prefix match; empty when none matches."""
    agencies = ask.menu.form.agencies
    prefix = max((start for start in agencies if person.msisdn.startswith(start)), key=len, default="")
    return Word(agencies[prefix]) if prefix else Text("")


def _business(ask: Ask) -> Outcome:
    if ask.menu.form.rules.business == "refuse":
        return Outcome("refused")
    return Outcome("agency", {"agency": nearest(ask, ask.known())})
