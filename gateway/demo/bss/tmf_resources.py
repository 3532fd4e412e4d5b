"""Maps the demo's rows to TM Forum resources, ids and hrefs included."""

import json
import zlib
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from flows.domain.rubrics import rubric_heading
from gateway.demo.bss.data import BssRecords, BssRow, json_number
from gateway.demo.bss.fault_modes import embed_document, spoil_bill, spoil_remaining

RATE_TYPES = {
    "subscriptions": "recurringCharge",
    "options": "recurringCharge",
    "prorata": "recurringCharge",
    "communications": "usageCharge",
}
AMOUNT_FIELDS = ("amountDue", "remainingAmount", "taxIncludedAmount", "taxExcludedAmount")
MANDATORY_FIELDS = ("id", "href", "@type")
V5_LIST_FIELDS = (*MANDATORY_FIELDS, "billingAccount")
"""Fields of a bill in a v5 list, whatever fields are asked for (as in the published example)."""
V5_TYPES = {
    "billingAccount": "BillingAccountRef",
    "billDocument": "Attachment",
    "periodCoverage": "TimePeriod",
    "taxItem": "TaxItem",
    "bill": "BillRef",
    "characteristic": "StringCharacteristic",
}
"""The `@type` that v5 requires on every nested object, by field."""


def customer_bill(records: BssRecords, row: BssRow, dialect: str, states: dict[str, str]) -> BssRow:
    """Return a customerBill."""
    name, rate = row["number"], records.rows.operator.tax_percent
    url = f"/tmf-api/customerBillManagement/{dialect}/customerBill/{name}"
    resource: BssRow = {
        "id": name,
        "href": url,
        "billNo": name,
        "billDate": records.day_start(row["issued"]),
        "category": "credit note" if row["total"] < 0 else "normal",
        "lastUpdate": records.day_start(row["issued"]),
        "paymentDueDate": records.day_start(row["due"]),
        "runType": "onCycle",
        "amountDue": _money_json(records, row["total"]),
        "remainingAmount": _money_json(records, spoil_remaining(records, row)),
        "taxIncludedAmount": _money_json(records, row["total"]),
        "taxExcludedAmount": _money_json(records, row["total"] - row["tax"]),
        "taxItem": [
            {"taxCategory": "VAT", "taxRate": json_number(rate), "taxAmount": _money_json(records, row["tax"])}
        ],
        "billDocument": _bill_documents(records, name, f"{url}/document"),
        "billingAccount": _account_ref(row["account"]),
        "state": states.get(name) or _bill_state(row),
        "@type": "CustomerBill",
    }
    resource = spoil_bill(records, row, resource, AMOUNT_FIELDS)
    return _add_types(resource) if dialect == "v5" else resource


def billed_rate(records: BssRecords, index: int, row: BssRow, dialect: str) -> BssRow:
    """Return an appliedCustomerBillingRate on a bill: one of its lines."""
    bills, days = f"/tmf-api/customerBillManagement/{dialect}", records.covered_days(row)
    kind = RATE_TYPES.get(rubric_heading(row["rubric"]), "oneTimeCharge")
    words = {"rubric": row["rubric"], "user": row["user"], "centre": row["centre"]}
    fields = {
        "name": row["rubric"],
        "isBilled": True,
        "bill": {"id": row["bill"], "href": f"{bills}/customerBill/{row['bill']}"},
    }
    if days:
        first, last = map(records.day_start, days)
        fields["periodCoverage"] = {"startDateTime": first, "endDateTime": last}
    return _applied_rate(records, f"R{index}", dialect, kind, {**row, "words": words}, fields)


def unbilled_rate(records: BssRecords, index: int, row: BssRow, dialect: str) -> BssRow:
    """Return an appliedCustomerBillingRate not billed yet: usage or a purchase."""
    used = row["what"] == "usage"
    words = {
        "rubric": "communications" if used else "third_party",
        "kind": row["kind"],
        "quantity": str(row["quantity"]),
        "user": row["user"],
        "centre": row["centre"],
    }
    at = datetime.combine(row["at"], time(minute=index % 60), records.rows.zone)
    fields = {
        "name": row["kind"],
        "isBilled": False,
        "date": at.isoformat(),
        "billingAccount": _account_ref(row["account"]),
    }
    kind = "usageCharge" if used else "oneTimeCredit" if row["amount"] < 0 else "oneTimeCharge"
    return _applied_rate(records, f"U{index}", dialect, kind, {**row, "words": words}, fields)


def _applied_rate(
    records: BssRecords, name: str, dialect: str, kind: str, row: BssRow, extra_fields: BssRow
) -> BssRow:
    resource: BssRow = {
        "id": name,
        "href": f"/tmf-api/customerBillManagement/{dialect}/appliedCustomerBillingRate/{name}",
        "description": row["label"],
        "type" if dialect == "v4" else "appliedBillingRateType": kind,
        "taxIncludedAmount": _money_json(records, row["amount"]),
        "characteristic": [{"name": each, "value": value} for each, value in row["words"].items() if value],
        "@type": "AppliedCustomerBillingRate",
        **extra_fields,
    }
    return _add_types(resource) if dialect == "v5" else resource


def billing_account(records: BssRecords, person: BssRow) -> BssRow:
    """Return a TMF666 billingAccount."""
    href = f"/tmf-api/accountManagement/v4/billingAccount/{person['account']}"
    since = {"startDateTime": records.day_start(person["since"])}
    characteristic = {
        "emailAddress": person["email"],
        "contactType": "validated" if person["email_validated"] else "unconfirmed",
    }
    media = [{"mediumType": "email", "characteristic": characteristic}] if person["email"] else []
    if person["address"]:
        media.append({"mediumType": "postalAddress", "characteristic": {"street1": person["address"]}})
    account: BssRow = {
        "id": person["account"],
        "href": href,
        "name": person["name"],
        "state": "Active",
        "relatedParty": [_related_party(person)],
        "billStructure": {
            "presentationMedia": [{"id": person["media"], "name": person["media"], "isRef": False}]
        },
        "contact": [{"contactType": "billing", "validFor": since, "contactMedium": media}],
        **_direct_debit(records, person["account"]),
        "@type": "BillingAccount",
    }
    return _promised(person, account)


def _direct_debit(records: BssRecords, account: str) -> BssRow:
    """Return the account's mandate with the day it collects; nothing without a mandate."""
    for row in (each for each in records.rows.debits if each["account"] == account):
        name = f"RO49 **** **** {row['account_end']}"
        method = {"id": row["reference"], "name": name, "@referredType": "bankAccountDebit"}
        plan = {
            "planType": "directDebit",
            "status": "active",
            "numberOfPayments": 1,
            "priority": 1,
            "totalAmount": _money_json(records, Decimal(0)),
            "paymentMethod": method,
            "validFor": {"startDateTime": records.day_start(row["collects_on"])},
        }
        return {"defaultPaymentMethod": method, "paymentPlan": [plan] if row["collects_on"] else []}
    return {}


def _promised(person: BssRow, account: BssRow) -> BssRow:
    """Return the account with its payment plans as they were last patched."""
    return {**account, "paymentPlan": person["plans"]} if person.get("plans") else account


def account_columns(patch: BssRow) -> BssRow:
    """Return the columns of a person that a patch of the billing account changes: whole arrays."""
    values: BssRow = {}
    if "billStructure" in patch:
        media = patch["billStructure"].get("presentationMedia", [])
        values["media"] = "email" if any(each["name"] == "email" for each in media) else "paper"
    if "paymentPlan" in patch:
        values["plans"] = patch["paymentPlan"]
    if "contact" in patch:
        parts: BssRow = {}
        for medium in (each for contact in patch["contact"] for each in contact.get("contactMedium", [])):
            parts |= medium["characteristic"]
        values |= {"email": parts.get("emailAddress", ""), "address": parts.get("street1", "")}
        values["email_validated"] = parts.get("contactType") == "validated"
    return values


def version_of(account: BssRow) -> str:
    """Return the version of a billingAccount, as its ETag has it."""
    return f'"{zlib.crc32(json.dumps(account, sort_keys=True).encode()):08x}"'


def account_version(records: BssRecords, person: BssRow) -> str:
    """Return the version of a person's billingAccount as it is now."""
    return version_of(billing_account(records, person))


def line_product(records: BssRecords, person: BssRow) -> BssRow:
    """Return a TMF637 product: a line, with its number as public identifier."""
    return {
        "id": person["id"],
        "href": f"/tmf-api/productInventory/v4/product/{person['id']}",
        "publicIdentifier": person["msisdn"],
        "name": next((each["name"] for each in records.rows.services if each["user"] == person["msisdn"]), ""),
        "status": "terminated" if person.get("ended") else "active",
        "startDate": records.day_start(person["since"]),
        "billingAccount": _account_ref(person["account"]),
        "relatedParty": [_related_party(person)],
        "productCharacteristic": [
            {"name": "kind", "value": person["kind"]},
            {"name": "language", "value": person["language"]},
            *([{"name": "siret", "value": person["siret"]}] if person["siret"] else []),
            *_sim_change(person),
        ],
        "@type": "Product",
    }


def _sim_change(person: BssRow) -> list[BssRow]:
    """Return the characteristic that says when the SIM was changed; none if it never was."""
    changed_at = person.get("sim_changed_at")
    return [{"name": "simChangedAt", "value": changed_at.isoformat()}] if changed_at else []


def bill_event(name: str, resource: BssRow, dialect: str) -> BssRow:
    """Return a bill event; it holds nothing beside the bill."""
    kind = name[0].upper() + name[1:]
    return {
        "eventId": f"{kind}-{resource['id']}-{resource['state']}",
        "eventTime": resource["lastUpdate"],
        "eventType": kind,
        "event": {"customerBill": resource},
        **({"@type": kind} if dialect == "v5" else {}),
    }


def select_fields(row: BssRow, fields: str, dialect: str, *, listed: bool) -> BssRow:
    """Return the fields asked for; a v5 list of bills always has the same few."""
    if listed and dialect == "v5" and row["@type"] == "CustomerBill":
        return {name: row[name] for name in V5_LIST_FIELDS}
    wanted = {*fields.split(","), *MANDATORY_FIELDS} if fields else row.keys()
    return {name: value for name, value in row.items() if name in wanted}


def _bill_documents(records: BssRecords, name: str, url: str) -> list[BssRow]:
    """Return the reference to a bill's document, if there is one."""
    document = records.find_document(name)
    if document is None:
        return []
    size = {"amount": len(document["data"]), "units": "bytes"}
    kind = {"mimeType": "application/pdf", "attachmentType": document["format"]}
    reference = {"id": f"{name}.pdf", "href": url, "url": url, "name": f"{name}.pdf", **kind, "size": size}
    return [embed_document(records, document["data"], reference)]


def _money_json(records: BssRecords, amount: Decimal) -> dict[str, Any]:
    """Return an amount as Money, documented as positive: the bill's category carries the sign."""
    return {"unit": records.rows.currency, "value": json_number(abs(amount))}


def _bill_state(row: BssRow) -> str:
    if row["remaining"] == 0:
        return "settled"
    return "partiallyPaid" if row["remaining"] < row["total"] else "sent"


def _account_ref(account: str) -> dict[str, str]:
    return {"id": account, "href": f"/tmf-api/accountManagement/v4/billingAccount/{account}"}


def _related_party(person: BssRow) -> dict[str, str]:
    kind = "Organization" if person["segment"] == "business" else "Individual"
    return {"id": f"P-{person['account']}", "name": person["name"], "role": "customer", "@referredType": kind}


def _add_types(resource: BssRow) -> BssRow:
    """Add the `@type` that v5 requires to every nested object."""
    for name, kind in V5_TYPES.items():
        for each in resource.get(name, []) if isinstance(resource.get(name), list) else [resource.get(name)]:
            if each is not None:
                each["@type"] = kind
    return resource
