"""Eligibility rules: which subscribers an operator lets use the service."""

from datetime import date

from flows.domain.actions import ActionRequest, Outcome
from flows.domain.records import Subscriber
from menus.model.facts import Text, TextRef
from menus.packfile.schema import RulesForm


def ineligibility_outcome(request: ActionRequest) -> Outcome | None:
    """Return the outcome that explains why the subscriber is not eligible; None when eligible.

    It is checked before every private action: business customers first (T2, M2), then newcomers (M6).
    Whether a bill is published yet is checked where bills are shown (B1).
    """
    subscriber, rules = request.subscriber, request.menu.config.rules
    if subscriber is None:
        return None
    if is_refused_business(subscriber, rules):
        return _business_outcome(request)
    if must_wait(subscriber, rules, request.today):
        return Outcome("newcomer", {"available": first_of_next_month(subscriber.since)})
    return None


def is_refused_business(subscriber: Subscriber, rules: RulesForm) -> bool:
    """Return whether the operator refuses this line because it is a business's (T2, M2)."""
    return subscriber.segment == "business" and rules.business in ("refuse", "agency")


def must_wait(subscriber: Subscriber, rules: RulesForm, today: date) -> bool:
    """Return whether a newcomer has no bills here yet (M6)."""
    return rules.newcomer_wait and first_of_next_month(subscriber.since) > today


def first_of_next_month(day: date) -> date:
    """Return the first day of the following month."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, 1)


def nearest_agency(request: ActionRequest, subscriber: Subscriber) -> TextRef | Text:
    """Return the agency for a subscriber's number, by longest prefix match; empty when none matches."""
    agencies = request.menu.config.agencies
    prefix = max((start for start in agencies if subscriber.msisdn.startswith(start)), key=len, default="")
    return TextRef(agencies[prefix]) if prefix else Text("")


def _business_outcome(request: ActionRequest) -> Outcome:
    if request.menu.config.rules.business == "refuse":
        return Outcome("refused")
    return Outcome("agency", {"agency": nearest_agency(request, request.require_subscriber())})
