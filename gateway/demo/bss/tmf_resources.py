"""Maps the demo's rows to TM Forum resources, ids and hrefs included."""

from datetime import datetime, time
from decimal import Decimal
from typing import Any

from gateway.demo.bss.data import Book, Row, plain

RATE_TYPES = {
    "subscriptions": "recurringCharge",
    "options": "recurringCharge",
    "prorata": "recurringCharge",
    "communications": "usageCharge",
}
ALWAYS = ("id", "href", "@type")
V5_LISTED = (*ALWAYS, "billingAccount")
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


def bill(book: Book, row: Row, dialect: str, states: dict[str, str]) -> Row:
    """Return a customerBill."""
    name, rate = row["number"], book.rows.shop.tax_percent
    url = f"/tmf-api/customerBillManagement/{dialect}/customerBill/{name}"
    resource: Row = {
        "id": name,
        "href": url,
        "billNo": name,
        "billDate": book.instant(row["issued"]),
        "category": "credit note" if row["total"] < 0 else "normal",
        "lastUpdate": book.instant(row["issued"]),
        "paymentDueDate": book.instant(row["due"]),
        "runType": "onCycle",
        "amountDue": _money(book, row["total"]),
        "remainingAmount": _money(book, row["remaining"]),
        "taxIncludedAmount": _money(book, row["total"]),
        "taxExcludedAmount": _money(book, row["total"] - row["tax"]),
        "taxItem": [{"taxCategory": "VAT", "taxRate": plain(rate), "taxAmount": _money(book, row["tax"])}],
        "billDocument": _documents(book, name, f"{url}/document"),
        "billingAccount": _account_ref(row["account"]),
        "state": states.get(name) or _state(row),
        "@type": "CustomerBill",
    }
    return _typed(resource) if dialect == "v5" else resource


def rate(book: Book, place: int, row: Row, dialect: str) -> Row:
    """Return an appliedCustomerBillingRate on a bill: one of its lines."""
    bills, days = f"/tmf-api/customerBillManagement/{dialect}", book.part(row)
    kind = RATE_TYPES.get(row["rubric"], "oneTimeCharge")
    words = {"rubric": row["rubric"], "user": row["user"], "centre": row["centre"]}
    fields = {
        "name": row["rubric"],
        "isBilled": True,
        "bill": {"id": row["bill"], "href": f"{bills}/customerBill/{row['bill']}"},
    }
    if days:
        first, last = map(book.instant, days)
        fields["periodCoverage"] = {"startDateTime": first, "endDateTime": last}
    return _rate(book, f"R{place}", dialect, kind, {**row, "words": words}, fields)


def unbilled(book: Book, place: int, row: Row, dialect: str) -> Row:
    """Return an appliedCustomerBillingRate not billed yet: usage or a purchase."""
    used = row["what"] == "usage"
    words = {
        "rubric": "communications" if used else "third_party",
        "kind": row["kind"],
        "quantity": str(row["quantity"]),
    }
    at = datetime.combine(row["at"], time(minute=place % 60), book.rows.zone)
    fields = {
        "name": row["kind"],
        "isBilled": False,
        "date": at.isoformat(),
        "billingAccount": _account_ref(row["account"]),
    }
    kind = "usageCharge" if used else "oneTimeCharge"
    return _rate(book, f"U{place}", dialect, kind, {**row, "words": words}, fields)


def _rate(book: Book, name: str, dialect: str, kind: str, row: Row, more: Row) -> Row:
    resource: Row = {
        "id": name,
        "href": f"/tmf-api/customerBillManagement/{dialect}/appliedCustomerBillingRate/{name}",
        "description": row["label"],
        "type" if dialect == "v4" else "appliedBillingRateType": kind,
        "taxIncludedAmount": _money(book, row["amount"]),
        "characteristic": [{"name": each, "value": value} for each, value in row["words"].items() if value],
        "@type": "AppliedCustomerBillingRate",
        **more,
    }
    return _typed(resource) if dialect == "v5" else resource


def account(book: Book, person: Row) -> Row:
    """Return a TMF666 billingAccount."""
    href = f"/tmf-api/accountManagement/v4/billingAccount/{person['account']}"
    since = {"startDateTime": book.instant(person["since"])}
    characteristic = {
        "emailAddress": person["email"],
        "contactType": "validated" if person["email_validated"] else "unconfirmed",
    }
    media = [{"mediumType": "email", "characteristic": characteristic}] if person["email"] else []
    return {
        "id": person["account"],
        "href": href,
        "name": person["name"],
        "state": "Active",
        "relatedParty": [_party(person)],
        "billStructure": {
            "presentationMedia": [{"id": person["media"], "name": person["media"], "isRef": False}]
        },
        "contact": [{"contactType": "billing", "validFor": since, "contactMedium": media}],
        "@type": "BillingAccount",
    }


def product(book: Book, person: Row) -> Row:
    """Return a TMF637 product: a line, with its number as public identifier."""
    return {
        "id": person["id"],
        "href": f"/tmf-api/productInventory/v4/product/{person['id']}",
        "publicIdentifier": person["msisdn"],
        "status": "active",
        "startDate": book.instant(person["since"]),
        "billingAccount": _account_ref(person["account"]),
        "relatedParty": [_party(person)],
        "productCharacteristic": [
            {"name": "kind", "value": person["kind"]},
            {"name": "language", "value": person["language"]},
            *([{"name": "siret", "value": person["siret"]}] if person["siret"] else []),
        ],
        "@type": "Product",
    }


def event(name: str, found: Row, dialect: str) -> Row:
    """Return a bill event; it holds nothing beside the bill."""
    kind = name[0].upper() + name[1:]
    return {
        "eventId": f"{kind}-{found['id']}-{found['state']}",
        "eventTime": found["lastUpdate"],
        "eventType": kind,
        "event": {"customerBill": found},
        **({"@type": kind} if dialect == "v5" else {}),
    }


def chosen(row: Row, fields: str, dialect: str, *, listed: bool) -> Row:
    """Return the fields asked for; a v5 list of bills always has the same few."""
    if listed and dialect == "v5" and row["@type"] == "CustomerBill":
        return {name: row[name] for name in V5_LISTED}
    wanted = {*fields.split(","), *ALWAYS} if fields else row.keys()
    return {name: value for name, value in row.items() if name in wanted}


def _documents(book: Book, name: str, place: str) -> list[Row]:
    """Return the reference to a bill's document, if there is one."""
    document = book.document(name)
    if document is None:
        return []
    size = {"amount": len(document["data"]), "units": "bytes"}
    kind = {"mimeType": "application/pdf", "attachmentType": document["format"]}
    return [{"id": f"{name}.pdf", "href": place, "url": place, "name": f"{name}.pdf", **kind, "size": size}]


def _money(book: Book, amount: Decimal) -> dict[str, Any]:
    """Return an amount as Money, documented as positive: the bill's category carries the sign."""
    return {"unit": book.rows.currency, "value": plain(abs(amount))}


def _state(row: Row) -> str:
    if row["remaining"] == 0:
        return "settled"
    return "partiallyPaid" if row["remaining"] < row["total"] else "sent"


def _account_ref(account: str) -> dict[str, str]:
    return {"id": account, "href": f"/tmf-api/accountManagement/v4/billingAccount/{account}"}


def _party(person: Row) -> dict[str, str]:
    kind = "Organization" if person["segment"] == "business" else "Individual"
    return {"id": f"P-{person['account']}", "name": person["name"], "role": "customer", "@referredType": kind}


def _typed(found: Row) -> Row:
    """Add the `@type` that v5 requires to every nested object."""
    for name, kind in V5_TYPES.items():
        for each in found.get(name, []) if isinstance(found.get(name), list) else [found.get(name)]:
            if each is not None:
                each["@type"] = kind
    return found
