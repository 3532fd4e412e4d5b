"""Payments at the fake BSS servers: TMF676 `payment` and Kill Bill's invoice payments.

As the real ones they book whatever is posted: a key posted twice is booked twice.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from aiohttp import web

from gateway.demo.bss import fault_modes
from gateway.demo.bss.data import BssRecords, BssRow, json_number
from gateway.demo.bss.killbill_resources import stable_uuid

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REFUSED_PAYMENT = "refused_payment"
"""Fault: no payment is booked."""
TMF_METHODS = {"card": "tokenizedCard", "transfer": "bankTransfer", "direct_debit": "directDebit"}


def tmf_payment_routes(
    records: BssRecords, path: str, require_token: Callable[[Handler], Handler]
) -> list[web.RouteDef]:
    """Return the routes of TMF676 `payment`."""

    async def list_payments(request: web.Request) -> web.StreamResponse:
        key = request.query.get("correlatorId", "")
        start, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 100))
        account, is_unfiltered = request.query.get("account.id", ""), "no_filter" in records.faults
        rows = [
            _tmf_payment(each)
            for each in records.all_payments()
            if (key in ("", each["key"]) and account in ("", each["account"])) or is_unfiltered
        ]
        return fault_modes.page_response(records, fault_modes.listed_rows(records, rows), start, limit)

    async def get_payment(request: web.Request) -> web.StreamResponse:
        found = [each for each in records.all_payments() if each["id"] == request.match_info["id"]]
        return web.json_response(_tmf_payment(found[0])) if found else web.Response(status=404)

    async def create_payment(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        bill = records.find_bill(str(body["paymentItem"][0]["item"]["id"]))
        if bill is None or bill["account"] != body["account"]["id"]:
            return web.json_response({"code": "422", "reason": "no such bill"}, status=422)
        amount = Decimal(str(body["totalAmount"]["value"]))
        return _book(records, bill, amount, str(body["correlatorId"]), _tmf_payment)

    return [
        web.get(f"{path}/payment", require_token(list_payments)),
        web.post(f"{path}/payment", require_token(create_payment)),
        web.get(f"{path}/payment/{{id}}", require_token(get_payment)),
    ]


def killbill_payment_routes(
    records: BssRecords,
    require_credentials: Callable[[Handler], Handler],
    find_bill: Callable[[web.Request], BssRow | None],
) -> list[web.RouteDef]:
    """Return the routes of an invoice's payments."""

    async def list_payments(request: web.Request) -> web.StreamResponse:
        bill = find_bill(request)
        if bill is None:
            return web.Response(status=404)
        return web.json_response(
            [killbill_payment(each) for each in records.payments if each["bill"] == bill["number"]]
        )

    async def create_payment(request: web.Request) -> web.StreamResponse:
        bill, body = find_bill(request), await request.json()
        if bill is None:
            return web.Response(status=404)
        if request.query.get("externalPayment") != "true":
            return web.json_response({"message": "the account has no payment method"}, status=400)
        if bill["remaining"] <= 0:
            return web.Response(status=204)
        return _book(
            records, bill, Decimal(str(body["purchasedAmount"])), body["paymentExternalKey"], killbill_payment
        )

    path = "/1.0/kb/invoices/{invoice}/payments"
    return [
        web.get(path, require_credentials(list_payments)),
        web.post(path, require_credentials(create_payment)),
    ]


def _book(
    records: BssRecords, bill: BssRow, amount: Decimal, key: str, to_json: Callable[[BssRow], BssRow]
) -> web.Response:
    """Book a payment on a bill, as the records' faults have it."""
    if REFUSED_PAYMENT in records.faults:
        return web.json_response({"message": "the period is closed"}, status=422)
    payment: BssRow = {
        "at": datetime.combine(records.rows.operator.today, time(9), UTC),
        "provider": "card",
        "key": key,
        "bill": bill["number"],
        "account": bill["account"],
        "amount": amount,
        "unit": records.rows.currency,
        "id": f"P-{len(records.payments) + len(records.late_bookings) + 1}",
    }

    def book() -> None:
        records.payments.append(payment)
        bill["remaining"] -= amount

    return fault_modes.booking_response(records, book, to_json(payment))


def _tmf_payment(payment: BssRow) -> BssRow:
    amount = {"unit": payment["unit"], "value": json_number(payment["amount"])}
    return {
        "id": payment["id"],
        "href": f"/tmf-api/payment/v4/payment/{payment['id']}",
        "correlatorId": payment["key"],
        "status": "done",
        "paymentDate": payment["at"].isoformat(),
        "account": {"id": payment["account"]},
        "paymentMethod": {"name": payment["provider"], "@type": TMF_METHODS[payment["provider"]]},
        "totalAmount": amount,
        "amount": amount,
        "paymentItem": [{"item": {"id": payment["bill"], "@referredType": "CustomerBill"}, "amount": amount}],
    }


def killbill_payment(payment: BssRow) -> dict[str, Any]:
    """Return an invoice payment of Kill Bill."""
    return {
        "accountId": stable_uuid("account", payment["account"]),
        "targetInvoiceId": stable_uuid("invoice", payment["bill"]),
        "paymentId": stable_uuid("payment", payment["key"]),
        "refundedAmount": 0.0,
        "chargedBackAmount": 0.0,
        "paymentExternalKey": payment["key"],
        "purchasedAmount": json_number(payment["amount"]),
        "currency": payment["unit"],
        "transactions": [
            {
                "transactionType": "PURCHASE",
                "status": "SUCCESS",
                "effectiveDate": payment["at"].isoformat(),
                "amount": json_number(payment["amount"]),
            }
        ],
    }
