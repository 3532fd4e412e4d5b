"""TM Forum account activity: TMF676 payments, TMF677 consumption, TMF637 products."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from flows.domain.account_activity import (
    Allowance,
    AllowanceKind,
    BookedPayment,
    SubscribedService,
    payment_method,
)
from storage.billing._client.allowance_words import allowance_kind, parse_quantity, round_quantity
from storage.billing._client.answer_fields import (
    ZERO,
    as_object,
    clean_text,
    identifier_text,
    objects_in,
    parse_day,
)
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.ownership import collect_numbers, end_day, number_digits, start_day
from storage.billing._client.paging import BssResource
from storage.billing._tmf_account_mapping import msisdn_of
from storage.billing._tmf_payments import REFUSED_STATUSES, payment_status

UNBOOKED_STATUSES = ("pending", "initial", "acknowledged", "inprogress")
"""Beginnings of the statuses of payments that are not booked yet."""
NO_LIMIT = Decimal(-1)
"""What remains, at some BSS, of an allowance without a limit."""
RETURNED_STATUSES = frozenset({"refunded", "reversed", "returned", "chargedback", "chargeback"})
"""Statuses of payments that were booked and are undone."""


def parse_payments(
    resources: Sequence[BssResource], account: str, currency: CurrencyRule, zone: tzinfo
) -> list[BookedPayment]:
    """Return the payments of this account that are booked, newest first.

    InvalidRecord for one whose amount or day cannot be used: a history without it would be wrong.
    """
    own = [each for each in resources if identifier_text(as_object(each.get("account")).get("id")) == account]
    found = [_parse_payment(each, currency, zone) for each in own if _is_booked(each)]
    return sorted(found, key=lambda each: (each.paid_on, each.key), reverse=True)


def _is_booked(resource: BssResource) -> bool:
    status = payment_status(resource)
    is_undone = status in REFUSED_STATUSES or status in RETURNED_STATUSES
    return not is_undone and not status.startswith(UNBOOKED_STATUSES)


def _parse_payment(resource: BssResource, currency: CurrencyRule, zone: tzinfo) -> BookedPayment:
    name = "totalAmount" if resource.get("totalAmount") is not None else "amount"
    money = resource.get(name)
    value, unit = (money.get("value"), money.get("unit")) if isinstance(money, dict) else (money, "")
    method = as_object(resource.get("paymentMethod"))
    item = next(iter(objects_in(resource.get("paymentItem"))), {})
    return BookedPayment(
        parse_day(resource.get("paymentDate") or resource.get("statusDate"), zone, "paymentDate"),
        currency.parse_money(value, unit, name),
        payment_method(clean_text(method.get("@type")) or clean_text(method.get("name"))),
        identifier_text(as_object(item.get("item")).get("id")),
        identifier_text(resource.get("correlatorId")),
    )


def parse_allowances(body: object, msisdn: str, zone: tzinfo) -> list[Allowance]:
    """Return the allowances of a consumption report whose buckets name this number; others are not used."""
    reports = [*objects_in(body), *objects_in([body])]
    buckets = [each for report in reports for each in objects_in(report.get("bucket"))]
    own = [each for each in buckets if _numbers_of(each) == {number_digits(msisdn)}]
    found = [_parse_bucket(each, zone) for each in own]
    return sorted((each for each in found if each), key=lambda each: each.kind)


def _numbers_of(bucket: BssResource) -> frozenset[str]:
    products = [*objects_in(bucket.get("product")), *objects_in([bucket.get("product")])]
    return collect_numbers(*(each.get("publicIdentifier") for each in products))


def _parse_bucket(bucket: BssResource, zone: tzinfo) -> Allowance | None:
    """Return a bucket as an allowance; None when its kind or what was used cannot be told.

    Beyond the limit less than nothing remains; a limit below 0 is a BSS's sign for none.
    """
    kind = allowance_kind(f"{clean_text(bucket.get('usageType'))} {clean_text(bucket.get('name'))}")
    used = _used_quantity(kind, bucket) if kind else None
    if kind is None or used is None:
        return None
    balance = as_object(next(iter(objects_in(bucket.get("bucketBalance"))), None))
    left = parse_quantity(kind, balance.get("remainingValue"), clean_text(balance.get("unit")))
    is_limited = left is not None and left != NO_LIMIT and used + left >= ZERO
    return Allowance(
        kind,
        round_quantity(used),
        round_quantity(used + left) if left is not None and is_limited else None,
        end_day(as_object(balance.get("validFor")).get("endDateTime"), zone),
        is_unlimited="unlimited" in clean_text(balance.get("remainingValueName")).lower(),
    )


def _used_quantity(kind: AllowanceKind, bucket: BssResource) -> Decimal | None:
    """Return what a bucket's counter of type `used` says; None when there is none, or less than nothing."""
    for each in objects_in(bucket.get("bucketCounter")):
        if clean_text(each.get("counterType")).lower() == "used":
            used = parse_quantity(kind, each.get("value"), clean_text(each.get("unit")))
            return None if used is None or used < ZERO else used
    return None


def parse_services(products: Sequence[BssResource], zone: tzinfo) -> list[SubscribedService]:
    """Return the services of products, which are the account's own and current; nameless ones are left out."""
    found = [
        SubscribedService(_product_name(each), msisdn_of(each), start_day(each.get("startDate"), zone))
        for each in products
    ]
    return [each for each in found if each.name]


def _product_name(product: Mapping[str, Any]) -> str:
    return clean_text(product.get("name")) or clean_text(as_object(product.get("productOffering")).get("name"))
