"""Kill Bill account activity: invoice payments, usage, dry-run invoices, subscriptions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from flows.domain.account_activity import (
    Allowance,
    AllowanceKind,
    BookedPayment,
    DirectDebit,
    SubscribedService,
)
from flows.domain.failures import NotFound
from storage.billing._client.allowance_words import allowance_kind, parse_quantity, round_quantity
from storage.billing._client.answer_fields import (
    as_object,
    clean_text,
    field_error,
    identifier_text,
    objects_in,
    parse_day,
    require_identifier,
)
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.mandate_digits import account_digits
from storage.billing._client.ownership import OwnershipClaim, end_day, start_day
from storage.billing._client.paging import BssResource
from storage.billing._killbill_mapping import base_subscription

DRY_RUN_BODY = {"dryRunType": "UPCOMING_INVOICE"}
"""Asks for the invoice that would come next; nothing is written."""
BOOKED = "SUCCESS"
LAST_DIGITS = "last4"
"""Property of a payment method with the last digits of its bank account."""
ENDED_STATES = ("CANCELLED", "EXPIRED")


def parse_payments(
    resources: object, account: str, currency: CurrencyRule, zone: tzinfo
) -> list[BookedPayment]:
    """Return the account's payments less what was refunded or charged back, newest first.

    A payment without a successful purchase, or of which nothing is left, is not listed.
    """
    own = [each for each in objects_in(resources) if identifier_text(each.get("accountId")) == account]
    found = [_parse_payment(each, currency, zone) for each in own]
    listed = [each for each in found if each and each.amount > 0]
    return sorted(listed, key=lambda each: (each.paid_on, each.key), reverse=True)


def _parse_payment(resource: BssResource, currency: CurrencyRule, zone: tzinfo) -> BookedPayment | None:
    purchases = [each for each in objects_in(resource.get("transactions")) if _is_purchase(each)]
    if not purchases:
        return None
    unit, paid = resource.get("currency"), resource.get("purchasedAmount")
    returned = [
        currency.parse_money(resource.get(name) or Decimal(0), unit, name)
        for name in ("refundedAmount", "chargedBackAmount")
    ]
    day = purchases[0].get("effectiveDate") or purchases[0].get("processedDate")
    return BookedPayment(
        parse_day(day, zone, "effectiveDate"),
        currency.parse_money(paid, unit, "purchasedAmount") - sum(returned, Decimal(0)),
        "other",
        identifier_text(resource.get("targetInvoiceId")),
        identifier_text(resource.get("paymentExternalKey")),
    )


def _is_purchase(transaction: Mapping[str, Any]) -> bool:
    return transaction.get("transactionType") == "PURCHASE" and transaction.get("status") == BOOKED


def parse_services(
    claims: Sequence[OwnershipClaim[BssResource]], account: str, today: date, zone: tzinfo
) -> list[SubscribedService]:
    """Return the running subscriptions, base plan first, of the account's current bundles."""
    bundles = [each.record for each in claims if each.accounts == {account} and each.is_current(today)]
    return [
        SubscribedService(
            clean_text(each.get("productName")),
            clean_text(bundle.get("externalKey")),
            start_day(each.get("startDate"), zone),
        )
        for bundle in bundles
        for each in objects_in(bundle.get("subscriptions"))
        if clean_text(each.get("productName")) and _is_running(each, today, zone)
    ]


def _is_running(subscription: Mapping[str, Any], today: date, zone: tzinfo) -> bool:
    ends = end_day(subscription.get("cancelledDate"), zone)
    return subscription.get("state") not in ENDED_STATES and (ends is None or today < ends)


def parse_debit(resources: object, account: str, plugins: Collection[str]) -> DirectDebit | None:
    """Return the default payment method of this account as a mandate; None when another plugin has it.

    Its external key is the reference; Kill Bill does not tell when the plugin collects.
    """
    for each in objects_in(resources):
        is_own = identifier_text(each.get("accountId")) == account and each.get("isDefault") is True
        reference = identifier_text(each.get("externalKey"))
        if is_own and reference and clean_text(each.get("pluginName")) in plugins:
            properties = list(objects_in(as_object(each.get("pluginInfo")).get("properties")))
            ends = (account_digits(one.get("value")) for one in properties if one.get("key") == LAST_DIGITS)
            return DirectDebit(reference, next(ends, ""))
    return None


def subscription_id(bundle: BssResource) -> str:
    """Return the id of the running base subscription of a bundle; NotFound when there is none."""
    line = base_subscription(bundle)
    if line is None:
        raise NotFound
    return require_identifier(line.get("subscriptionId"), "subscriptionId")


def parse_usage(answer: object) -> list[Allowance]:
    """Return the rolled-up units of a subscription, one of each kind; units of other kinds are left out.

    A unit may be named after its size: `gigabytes` are counted in megabytes. InvalidRecord for an amount that
    cannot be used, as the sum would be wrong.
    """
    sums: dict[AllowanceKind, Decimal] = {}
    for each in objects_in(as_object(answer).get("rolledUpUnits")):
        unit = clean_text(each.get("unitType"))
        kind = allowance_kind(unit)
        if kind is not None:
            quantity = parse_quantity(kind, each.get("amount"), unit)
            if quantity is None:
                raise field_error("rolledUpUnits")
            sums[kind] = sums.get(kind, Decimal(0)) + quantity
    return [Allowance(kind, round_quantity(sums[kind])) for kind in sorted(sums)]
