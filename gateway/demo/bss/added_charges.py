"""Charges of merchants at the fake BSS servers: TMF635 `usage`, Kill Bill's charges and credits.

As the real ones they book whatever is posted: a key posted twice is charged twice.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from aiohttp import web

from gateway.demo.bss import fault_modes
from gateway.demo.bss.booked_payments import Handler
from gateway.demo.bss.data import BssRecords, BssRow, json_number
from gateway.demo.bss.killbill_resources import stable_uuid

REFUSES_CHARGES = "refuses_charges"
USAGE_STATUSES = ("received", "rated")
"""Statuses a client may give a usage."""


def tmf_charge_routes(
    records: BssRecords, path: str, require_token: Callable[[Handler], Handler]
) -> list[web.RouteDef]:
    """Return the routes of TMF635 `usage`."""

    async def list_usages(request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("usageCharacteristic.value", "")
        start, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 100))
        is_unfiltered = "no_filter" in records.faults
        rows = [each for each in records.charges if is_unfiltered or wanted in ("", *_characteristics(each))]
        return fault_modes.page_response(records, fault_modes.listed_rows(records, rows), start, limit)

    async def get_usage(request: web.Request) -> web.StreamResponse:
        usage = next((each for each in records.charges if each["id"] == request.match_info["id"]), None)
        if usage is None:
            return _tmf_error(404, "no such usage")
        return web.json_response(usage)

    async def create_usage(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        place = len(records.charges) + len(records.late_bookings) + 1
        usage = {**body, "id": f"USG-{place}", "href": f"{path}/usage/USG-{place}"}
        if records.find_person(body["relatedParty"][0]["id"]) is None or body["status"] not in USAGE_STATUSES:
            return _tmf_error(422, "no such account, or not a status of a new usage")
        if body["ratedProductUsage"][0]["taxIncludedRatingAmount"]["unit"] != records.rows.currency:
            return _tmf_error(400, "another currency")
        return _book(records, lambda: _rate_usage(records, usage), usage)

    return [
        web.get(f"{path}/usage", require_token(list_usages)),
        web.post(f"{path}/usage", require_token(create_usage)),
        web.get(f"{path}/usage/{{id}}", require_token(get_usage)),
    ]


def killbill_charge_routes(
    records: BssRecords, require_credentials: Callable[[Handler], Handler]
) -> list[web.RouteDef]:
    """Return the routes of external charges and credits; both go on draft invoices."""

    async def create_charges(request: web.Request) -> web.StreamResponse:
        items = [{**each, "accountId": request.match_info["account"]} for each in await request.json()]
        return _add_items(records, items, "EXTERNAL_CHARGE")

    async def create_credits(request: web.Request) -> web.StreamResponse:
        return _add_items(records, await request.json(), "CREDIT_ADJ")

    return [
        web.post("/1.0/kb/invoices/charges/{account}", require_credentials(create_charges)),
        web.post("/1.0/kb/credits", require_credentials(create_credits)),
    ]


def draft_invoice(records: BssRecords, draft: BssRow, *, with_items: bool) -> BssRow:
    """Return an invoice of charges as Kill Bill has it: a draft until the row's `status` says otherwise."""
    total = sum((Decimal(str(each["amount"])) for each in draft["items"]), Decimal(0))
    today = records.rows.operator.today.isoformat()
    return {
        "invoiceId": draft["id"],
        "invoiceNumber": str(9000 + records.drafts.index(draft)),
        "accountId": draft["account"],
        "invoiceDate": today,
        "targetDate": today,
        "currency": records.rows.currency,
        "status": draft["status"],
        "amount": json_number(total) if with_items else 0.0,
        "balance": json_number(total) if with_items else 0.0,
        "items": draft["items"] if with_items else [],
        "isParentInvoice": False,
    }


def _add_items(records: BssRecords, items: list[BssRow], kind: str) -> web.Response:
    """Check items as Kill Bill does, and put them on the draft they name or on a new one."""
    unit = records.rows.currency
    accounts = {stable_uuid("account", each["account"]) for each in records.rows.people}
    if any(each["accountId"] not in accounts for each in items):
        return web.json_response({"message": "no such account"}, status=404)
    if any(each["amount"] < 0 or each.get("currency", unit) != unit for each in items):
        return web.json_response({"message": "the amount is negative, or in another currency"}, status=400)
    open_drafts = {each["id"] for each in records.drafts if each["status"] == "DRAFT"}
    if any(each.get("invoiceId") not in (None, *open_drafts) for each in items):
        return web.json_response({"message": "the invoice is committed already"}, status=400)
    new_draft = stable_uuid("draft", str(len(records.drafts)))
    added = [_stored_item(each, kind, new_draft) for each in items]
    return _book(records, lambda: _put_on_drafts(records, added), added)


def _stored_item(item: BssRow, kind: str, new_draft: str) -> BssRow:
    """Return an item as it is stored: credits are negative."""
    amount = -item["amount"] if kind == "CREDIT_ADJ" else item["amount"]
    return {**item, "invoiceId": item.get("invoiceId") or new_draft, "itemType": kind, "amount": amount}


def _put_on_drafts(records: BssRecords, items: list[BssRow]) -> None:
    for item in items:
        draft = next((each for each in records.drafts if each["id"] == item["invoiceId"]), None)
        if draft is None:
            draft = {"id": item["invoiceId"], "account": item["accountId"], "status": "DRAFT", "items": []}
            records.drafts.append(draft)
        draft["items"].append(item)
        records.charges.append(item)


def _rate_usage(records: BssRecords, usage: BssRow) -> None:
    """Store a usage and list it among the purchases that are on no bill yet."""
    words = {each["name"]: each["value"] for each in usage["usageCharacteristic"]}
    records.charges.append(usage)
    records.rows.entries.append(
        {
            "account": usage["relatedParty"][0]["id"],
            "what": "purchases",
            "at": date.fromisoformat(usage["usageDate"][:10]),
            "kind": words["kind"],
            "amount": Decimal(str(usage["ratedProductUsage"][0]["taxIncludedRatingAmount"]["value"])),
            "label": usage["description"],
            "quantity": 1,
            "user": "",
            "centre": "",
        }
    )


def _book(records: BssRecords, book: Callable[[], None], answer: Any) -> web.Response:
    """Book a charge and answer, as the records' faults have it."""
    if REFUSES_CHARGES in records.faults:
        return web.json_response({"message": "the account is closed"}, status=422)
    return fault_modes.booking_response(records, book, answer)


def _characteristics(usage: BssRow) -> list[str]:
    return [each["value"] for each in usage["usageCharacteristic"]]


def _tmf_error(status: int, reason: str) -> web.Response:
    return web.json_response({"code": str(status), "reason": reason}, status=status)
