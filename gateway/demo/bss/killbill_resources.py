"""Maps the demo's rows to Kill Bill's resources: bundles, accounts, invoice items, custom fields."""

import uuid
from decimal import Decimal
from typing import Any

from flows.domain.rubrics import rubric_heading
from gateway.demo.bss.data import BssRecords, BssRow, json_number
from storage.billing._sql_activity import entry_rubric

ITEM_TYPES = {"subscriptions": "RECURRING", "options": "RECURRING", "communications": "USAGE"}
USAGE_UNITS = {"call": "minutes", "data": "megabytes", "text": "text-messages"}
DEBIT_PLUGIN = "killbill-gocardless"
"""Plugin of the payment methods that are mandates."""
LOCALES = {"ro": "ro_RO", "en": "en_GB", "fr": "fr_FR", "ar": "ar_TN"}


def stable_uuid(kind: str, name: str) -> str:
    """Return a UUID that is the same for each kind and name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}"))


def invoice_item(records: BssRecords, row: BssRow, place: int, line: BssRow, net: Decimal) -> BssRow:
    """Return an item of an invoice: one of its lines without its tax."""
    days = records.covered_days(line)
    return {
        "invoiceItemId": stable_uuid("item", f"{row['number']}/{place}"),
        "invoiceId": stable_uuid("invoice", row["number"]),
        "accountId": stable_uuid("account", row["account"]),
        "bundleId": stable_uuid("bundle", line["user"]),
        "itemType": ITEM_TYPES.get(rubric_heading(line["rubric"]), "EXTERNAL_CHARGE"),
        "planName": line["rubric"],
        "description": line["label"] or line["rubric"],
        "startDate": days[0].isoformat() if days else None,
        "endDate": days[1].isoformat() if days else None,
        "amount": json_number(net),
        "currency": records.rows.currency,
    }


def tax_item(item: BssRow, tax: Decimal) -> BssRow:
    """Return the item with the tax of another."""
    return {
        "invoiceItemId": stable_uuid("tax", item["invoiceItemId"]),
        "linkedInvoiceItemId": item["invoiceItemId"],
        "invoiceId": item["invoiceId"],
        "accountId": item["accountId"],
        "itemType": "TAX",
        "amount": json_number(tax),
        "currency": item["currency"],
    }


def upcoming_invoice(records: BssRecords, account: str, entries: list[BssRow], added: list[BssRow]) -> BssRow:
    """Return the invoice of usage, purchases and the draft's items that would come next, without a number."""
    currency = records.rows.currency
    items = [
        {
            "accountId": account,
            "itemType": "USAGE" if each["what"] == "usage" else "EXTERNAL_CHARGE",
            "planName": entry_rubric(each["what"], each["kind"]),
            "description": each["label"],
            "amount": json_number(each["amount"]),
            "currency": currency,
        }
        for each in entries
    ]
    total = sum(each["amount"] for each in [*items, *added])
    draft = {"invoiceId": added[0]["invoiceId"]} if added else {}
    return {**draft, "accountId": account, "currency": currency, "amount": total, "items": [*items, *added]}


def bundle_resource(person: BssRow) -> BssRow:
    """Return the bundle of a line with its base subscription."""
    bundle, account = stable_uuid("bundle", person["msisdn"]), stable_uuid("account", person["account"])
    line: dict[str, Any] = {
        "accountId": account,
        "bundleId": bundle,
        "bundleExternalKey": person["msisdn"],
        "subscriptionId": stable_uuid("subscription", person["msisdn"]),
        "productName": person["kind"],
        "planName": f"{person['kind']}-monthly",
        "priceList": "DEFAULT",
        "productCategory": "BASE",
        "billingPeriod": "MONTHLY",
        "phaseType": "EVERGREEN",
        "startDate": f"{person['since'].isoformat()}T00:00:00.000Z",
        "state": "EXPIRED" if person.get("ended") else "ACTIVE",
    }
    return {
        "bundleId": bundle,
        "accountId": account,
        "externalKey": person["msisdn"],
        "subscriptions": [line, _option_of(line)],
    }


def _option_of(line: BssRow) -> BssRow:
    """Return an add-on of a base subscription."""
    name = {"subscriptionId": stable_uuid("option", line["subscriptionId"]), "productName": "voicemail-plus"}
    return {**line, **name, "planName": "voicemail-plus-monthly", "productCategory": "ADD_ON"}


def account_resource(person: BssRow, currency: str) -> BssRow:
    """Return an account."""
    return {
        "accountId": stable_uuid("account", person["account"]),
        "externalKey": person["account"],
        "name": person["name"],
        "company": person["name"] if person["segment"] == "business" else None,
        "email": person["email"] or None,
        "address1": person.get("address1", person["address"]) or None,
        "address2": person.get("address2") or None,
        "locale": LOCALES.get(person["language"], "en_GB"),
        "currency": currency,
    }


def payment_method(debit: BssRow, *, with_plugin_info: bool) -> BssRow:
    """Return a mandate as a payment method of a direct debit plugin."""
    digits = [{"key": "last4", "value": debit["account_end"], "isUpdatable": False}]
    return {
        "paymentMethodId": stable_uuid("method", debit["reference"]),
        "externalKey": debit["reference"],
        "accountId": stable_uuid("account", debit["account"]),
        "isDefault": True,
        "pluginName": DEBIT_PLUGIN,
        "pluginInfo": {"properties": digits} if with_plugin_info else None,
    }


def custom_field(person: BssRow, name: str, value: str) -> BssRow:
    """Return a custom field of an account."""
    return {
        "customFieldId": stable_uuid("field", f"{person['account']}/{name}"),
        "objectId": stable_uuid("account", person["account"]),
        "objectType": "ACCOUNT",
        "name": name,
        "value": value,
    }
