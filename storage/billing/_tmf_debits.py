"""TM Forum direct debits: the mandate is TMF666 `defaultPaymentMethod`, its day is in `paymentPlan`."""

from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any

from flows.domain.account_activity import DirectDebit
from storage.billing._client.answer_fields import as_object, clean_text, identifier_text, objects_in
from storage.billing._client.mandate_digits import account_digits
from storage.billing._client.ownership import start_day
from storage.billing._tmf_options import TmForumOptions

ENDED_PLANS = frozenset({"inactive", "cancelled", "canceled", "terminated", "completed", "rejected"})


def parse_debit(
    account: Mapping[str, Any], options: TmForumOptions, today: date, zone: tzinfo
) -> DirectDebit | None:
    """Return the mandate of a billing account; None when its default payment method is another one.

    The reference is the method's id, the bank account's last digits are those in its name.
    """
    method = as_object(account.get("defaultPaymentMethod"))
    kind = clean_text(method.get("@referredType")) or clean_text(method.get("@type"))
    reference = identifier_text(method.get("id"))
    if kind.lower() not in {each.lower() for each in options.debit_types} or not reference:
        return None
    return DirectDebit(
        reference, account_digits(method.get("name")), _next_collection(account, options, today, zone)
    )


def _next_collection(
    account: Mapping[str, Any], options: TmForumOptions, today: date, zone: tzinfo
) -> date | None:
    """Return the earliest day from today on of the plans that collect; None when there is none."""
    days = [
        start_day(as_object(plan.get("validFor")).get("startDateTime"), zone)
        for plan in objects_in(account.get("paymentPlan"))
        if clean_text(plan.get("planType")) == options.debit_plan
        and clean_text(plan.get("status")).lower() not in ENDED_PLANS
    ]
    return min((day for day in days if day and day >= today), default=None)
