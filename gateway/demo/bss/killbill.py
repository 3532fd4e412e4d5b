"""Fake Kill Bill server: tenants, bundles, accounts, invoices, custom fields."""

import base64
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

from gateway.demo.bss.data import Book, Row, plain

ITEM_TYPES = {"subscriptions": "RECURRING", "options": "RECURRING", "communications": "USAGE"}
NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
LOCALES = {"ro": "ro_RO", "en": "en_GB", "fr": "fr_FR", "ar": "ar_TN"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def identity(kind: str, name: str) -> str:
    """Return a UUID that is the same for each kind and name."""
    return str(uuid.uuid5(NAMES, f"{kind}/{name}"))


@dataclass(slots=True)
class KillBillBss:
    """A Kill Bill server with one tenant."""

    book: Book
    api_key: str = "demo"
    api_secret: str = field(default="demo-secret", repr=False)
    user: str = "admin"
    password: str = field(default="password", repr=False)

    def app(self) -> web.Application:
        """Build the application to serve."""
        account = "/1.0/kb/accounts/{account}"
        return self.book.app(
            [
                web.get("/1.0/kb/bundles", self._known(self._bundles)),
                web.get(account, self._known(self._account)),
                web.get(f"{account}/bundles", self._known(self._own_bundles)),
                web.get(f"{account}/invoices", self._known(self._invoices)),
                web.get(f"{account}/customFields", self._known(self._fields)),
                web.post(f"{account}/customFields", self._known(self._set_field)),
                web.put(f"{account}/customFields", self._known(self._set_field)),
                web.get("/1.0/kb/invoices/pagination", self._known(self._all_invoices)),
                web.get("/1.0/kb/invoices/{invoice}", self._known(self._invoice)),
                web.get("/1.0/kb/invoices/{invoice}/html", self._known(self._rendered)),
            ]
        )

    def _known(self, handler: Handler) -> Handler:
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

        async def authenticated(request: web.Request) -> web.StreamResponse:
            keys = [request.headers.get(f"X-Killbill-Api{part}") for part in ("Key", "Secret")]
            if request.headers.get("Authorization") != basic or keys != [self.api_key, self.api_secret]:
                return web.Response(status=401)
            if request.method != "GET" and not request.headers.get("X-Killbill-CreatedBy"):
                return web.json_response({"message": "createdBy is missing"}, status=400)
            return await handler(request)

        return authenticated

    def _person(self, request: web.Request) -> Row | None:
        wanted = request.match_info["account"]
        people = self.book.rows.people
        return next((each for each in people if identity("account", each["account"]) == wanted), None)

    async def _bundles(self, request: web.Request) -> web.StreamResponse:
        """Return bundles by external key, the line's number; an empty list for an unknown one."""
        wanted = request.query.get("externalKey", "")
        return web.json_response([_bundle(each) for each in self.book.rows.people if each["msisdn"] == wanted])

    async def _own_bundles(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if person is None:
            return web.Response(status=404)
        lines = [
            line for row in self.book.bills(person["account"]) for _, line in self.book.lines(row["number"])
        ]
        others = sorted({line["user"] for line in lines} - {person["msisdn"]})
        return web.json_response([_bundle({**person, "msisdn": each}) for each in [person["msisdn"], *others]])

    async def _account(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        return web.json_response(_account(person, self.book.rows.currency))

    async def _invoices(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if person is None:
            return web.json_response([])
        with_items = request.query.get("includeInvoiceComponents") == "true"
        with_void = request.query.get("includeVoidedInvoices") == "true"
        rows = [each for each in self.book.bills(person["account"]) if with_void or not each.get("cancelled")]
        return web.json_response([self._told(row, whole=with_items) for row in rows])

    async def _all_invoices(self, request: web.Request) -> web.StreamResponse:
        start, most = int(request.query.get("offset", 0)), int(request.query.get("limit", 100))
        rows = list(self.book.bills())
        headers = {"X-Killbill-Pagination-TotalNbRecords": str(len(rows))}
        return web.json_response(
            [self._told(row, whole=True) for row in rows[start : start + most]], headers=headers
        )

    def _row(self, request: web.Request) -> Row | None:
        wanted = request.match_info["invoice"]
        return next((each for each in self.book.bills() if identity("invoice", each["number"]) == wanted), None)

    async def _invoice(self, request: web.Request) -> web.StreamResponse:
        row = self._row(request)
        if row is None:
            return web.json_response({"message": "no such invoice"}, status=404)
        return web.json_response(self._told(row, whole=True))

    async def _rendered(self, request: web.Request) -> web.StreamResponse:
        """Return the invoice rendered by the tenant's template."""
        row = self._row(request)
        if row is None:
            return web.json_response({"message": "no such invoice"}, status=404)
        summary = f"{row['issued']}: {row['total']} {self.book.rows.currency}"
        return web.Response(
            text=f"<html><body><h1>{row['number']}</h1><p>{summary}</p></body></html>", content_type="text/html"
        )

    async def _fields(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        values = {"presentationMedia": person["media"] if person["media"] == "email" else ""}
        values |= {"emailValidated": "true" if person["email_validated"] else "", "siret": person["siret"]}
        return web.json_response([_field(person, name, value) for name, value in values.items() if value])

    async def _set_field(self, request: web.Request) -> web.StreamResponse:
        """Add (POST, returns what was added) or change (PUT, returns nothing) custom fields."""
        person, fields = self._person(request), await request.json()
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        for each in fields:
            person["media"] = each["value"]
        if request.method == "PUT":
            return web.Response(status=204)
        added = [_field(person, each["name"], each["value"]) for each in fields]
        return web.json_response(added, status=201)

    def _told(self, row: Row, *, whole: bool) -> Row:
        """Return an invoice; Kill Bill numbers them, and includes items only on request."""
        number = 1 + self.book.rows.bills.index(row)
        return {
            "invoiceId": identity("invoice", row["number"]),
            "invoiceNumber": str(number),
            "accountId": identity("account", row["account"]),
            "invoiceDate": row["issued"].isoformat(),
            "targetDate": row["issued"].isoformat(),
            "currency": self.book.rows.currency,
            "status": "VOID" if row.get("cancelled") else "COMMITTED",
            "amount": plain(row["total"]),
            "balance": plain(row["remaining"]),
            "creditAdj": 0.0,
            "refundAdj": 0.0,
            "items": self._items(row) if whole else [],
            "isParentInvoice": False,
        }

    def _items(self, row: Row) -> list[Row]:
        """Return each line without its tax, then the tax of each line."""
        lines = [line for _, line in self.book.lines(row["number"])]
        taxes = shares(row["tax"], [line["amount"] for line in lines], self.book.rows.shop.unit)
        nets = [line["amount"] - tax for line, tax in zip(lines, taxes, strict=True)]
        items = [
            _item(self.book, row, place, *each) for place, each in enumerate(zip(lines, nets, strict=True))
        ]
        return [*items, *(_tax(item, tax) for item, tax in zip(items, taxes, strict=True))]


def shares(whole: Decimal, parts: list[Decimal], unit: Decimal) -> list[Decimal]:
    """Divide `whole` in proportion to the parts, rounded to `unit` so that the sum is exact."""
    total, assigned = sum(parts, Decimal(0)), Decimal(0)
    results = []
    for part in parts[:-1]:
        results.append((whole * part / total).quantize(unit))
        assigned += results[-1]
    return [*results, whole - assigned] if parts else []


def _item(book: Book, row: Row, place: int, line: Row, net: Decimal) -> Row:
    days = book.part(line)
    return {
        "invoiceItemId": identity("item", f"{row['number']}/{place}"),
        "invoiceId": identity("invoice", row["number"]),
        "accountId": identity("account", row["account"]),
        "bundleId": identity("bundle", line["user"]),
        "itemType": ITEM_TYPES.get(line["rubric"], "EXTERNAL_CHARGE"),
        "planName": line["rubric"],
        "description": line["label"] or line["rubric"],
        "startDate": days[0].isoformat() if days else None,
        "endDate": days[1].isoformat() if days else None,
        "amount": plain(net),
        "currency": book.rows.currency,
    }


def _tax(item: Row, tax: Decimal) -> Row:
    return {
        "invoiceItemId": identity("tax", item["invoiceItemId"]),
        "linkedInvoiceItemId": item["invoiceItemId"],
        "invoiceId": item["invoiceId"],
        "accountId": item["accountId"],
        "itemType": "TAX",
        "amount": plain(tax),
        "currency": item["currency"],
    }


def _bundle(person: Row) -> Row:
    bundle, account = identity("bundle", person["msisdn"]), identity("account", person["account"])
    line: dict[str, Any] = {
        "accountId": account,
        "bundleId": bundle,
        "bundleExternalKey": person["msisdn"],
        "subscriptionId": identity("subscription", person["msisdn"]),
        "productName": person["kind"],
        "planName": f"{person['kind']}-monthly",
        "priceList": "DEFAULT",
        "productCategory": "BASE",
        "billingPeriod": "MONTHLY",
        "phaseType": "EVERGREEN",
        "startDate": f"{person['since'].isoformat()}T00:00:00.000Z",
        "state": "ACTIVE",
    }
    return {
        "bundleId": bundle,
        "accountId": account,
        "externalKey": person["msisdn"],
        "subscriptions": [line],
    }


def _account(person: Row, currency: str) -> Row:
    return {
        "accountId": identity("account", person["account"]),
        "externalKey": person["account"],
        "name": person["name"],
        "company": person["name"] if person["segment"] == "business" else None,
        "email": person["email"] or None,
        "locale": LOCALES.get(person["language"], "en_GB"),
        "currency": currency,
    }


def _field(person: Row, name: str, value: str) -> Row:
    return {
        "customFieldId": identity("field", f"{person['account']}/{name}"),
        "objectId": identity("account", person["account"]),
        "objectType": "ACCOUNT",
        "name": name,
        "value": value,
    }
