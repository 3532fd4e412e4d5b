"""Fake TM Forum server: TMF678 (v4 or v5 dialect), TMF666 and a part of TMF637."""

import base64
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from gateway.demo.bss import fault_modes
from gateway.demo.bss import tmf_consumption as consumption
from gateway.demo.bss import tmf_resources as resources
from gateway.demo.bss.added_charges import tmf_charge_routes
from gateway.demo.bss.booked_payments import tmf_payment_routes
from gateway.demo.bss.data import BssRecords, BssRow

BILLS_PATH = "/tmf-api/customerBillManagement"
ACCOUNTS_PATH = "/tmf-api/accountManagement/v4"
PRODUCTS_PATH = "/tmf-api/productInventory/v4"
PAYMENTS_PATH = "/tmf-api/payment/v4"
USAGES_PATH = "/tmf-api/usageManagement/v4"
COMPARISONS = (".gte", ".gt", ".lte", ".lt")
BILL_STATES = ("new", "onHold", "validated", "sent", "partiallyPaid", "settled")
TmfHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class TmfBss:
    """A TM Forum BSS. With `client_id` and `client_secret` set, requests need a token."""

    records: BssRecords
    dialect: str = "v4"
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    tokens: set[str] = field(default_factory=set, repr=False)
    listeners: dict[str, BssRow] = field(default_factory=dict)
    on_demand_bills: dict[str, BssRow] = field(default_factory=dict)
    patched_states: dict[str, str] = field(default_factory=dict)
    """Bill states set by PATCH, by bill."""

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        bills = f"{BILLS_PATH}/{self.dialect}"
        collections: dict[str, Callable[[], Iterable[BssRow]]] = {
            f"{bills}/customerBill": self.list_bills,
            f"{bills}/appliedCustomerBillingRate": self.list_rates,
            f"{bills}/customerBillOnDemand": self.on_demand_bills.values,
            f"{ACCOUNTS_PATH}/billingAccount": self.list_accounts,
            f"{PRODUCTS_PATH}/product": self.list_products,
        }
        routes = [
            web.post("/token", self._issue_token),
            web.patch(f"{bills}/customerBill/{{id}}", self._require_token(self._patch_bill)),
            web.get(f"{bills}/customerBill/{{id}}/document", self._require_token(self._get_document)),
            web.patch(f"{ACCOUNTS_PATH}/billingAccount/{{id}}", self._require_token(self._patch_account)),
            web.post(f"{bills}/customerBillOnDemand", self._require_token(self._create_on_demand)),
            web.post(f"{bills}/hub", self._require_token(self._subscribe)),
            web.delete(f"{bills}/hub/{{id}}", self._require_token(self._unsubscribe)),
        ]
        routes += consumption.consumption_routes(self.records, self._require_token)
        routes += tmf_payment_routes(self.records, PAYMENTS_PATH, self._require_token)
        routes += tmf_charge_routes(self.records, USAGES_PATH, self._require_token)
        for path, rows in collections.items():
            routes.append(web.get(path, self._require_token(self._list_handler(rows))))
            routes.append(web.get(f"{path}/{{id}}", self._require_token(self._item_handler(rows))))
        return self.records.create_app(routes)

    def list_bills(self) -> list[BssRow]:
        """Return every customerBill."""
        return [
            resources.customer_bill(self.records, row, self.dialect, self.patched_states)
            for row in self.records.bills_of()
        ]

    def list_rates(self) -> list[BssRow]:
        """Return every appliedCustomerBillingRate."""
        billed = [
            resources.billed_rate(self.records, place, row, self.dialect)
            for place, row in self.records.lines_of()
        ]
        return billed + [
            resources.unbilled_rate(self.records, *each, self.dialect) for each in self.records.list_entries()
        ]

    def list_accounts(self) -> list[BssRow]:
        """Return every billingAccount."""
        return [resources.billing_account(self.records, person) for person in self.records.rows.people]

    def list_products(self) -> list[BssRow]:
        """Return every product; a product is a line."""
        people = self.records.rows.people
        every = [*fault_modes.former_owners(self.records, people), *people]
        return [resources.line_product(self.records, person) for person in every] + [
            consumption.option_product(self.records, person) for person in people if person["kind"] == "mobile"
        ]

    async def announce_bill(self, bill_id: str, event: str = "customerBillCreateEvent") -> list[int]:
        """Post a bill event to every registered listener and return the statuses they answered."""
        bill = next(each for each in self.list_bills() if each["id"] == bill_id)
        payload = resources.bill_event(event, bill, self.dialect)
        async with ClientSession() as session:
            return [
                await _post_event(session, f"{hub['callback']}/{event}", payload)
                for hub in self.listeners.values()
            ]

    def _require_token(self, handler: TmfHandler) -> TmfHandler:
        """Require a bearer token where client credentials are set."""

        async def authenticated(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.client_id and token not in self.tokens:
                return _error_response(401, "who are you?")
            return await handler(request)

        return authenticated

    async def _issue_token(self, request: web.Request) -> web.StreamResponse:
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        form = await request.post()
        if (
            request.headers.get("Authorization") != f"Basic {expected}"
            or form.get("grant_type") != "client_credentials"
        ):
            return _error_response(401, "who are you?")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        lifetime = None if "null_expiry" in self.records.faults else 300
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _list_handler(self, rows: Callable[[], Iterable[BssRow]]) -> TmfHandler:
        async def listing(request: web.Request) -> web.StreamResponse:
            query = dict(request.query)
            fields = query.pop("fields", "")
            start, limit = int(query.pop("offset", 0)), int(query.pop("limit", 100))
            faults, sort_key = self.records.faults, query.pop("sort", "")
            matching = [row for row in rows() if "no_filter" in faults or _matches_query(row, query)]
            ordered = matching if "no_sort" in faults else _sort_rows(matching, sort_key)
            listed = [resources.select_fields(row, fields, self.dialect, listed=True) for row in ordered]
            return fault_modes.page_response(self.records, listed, start, limit)

        return listing

    def _item_handler(self, rows: Callable[[], Iterable[BssRow]]) -> TmfHandler:
        async def one(request: web.Request) -> web.StreamResponse:
            row = _find_by_id(rows(), request)
            if row is None:
                return _error_response(404, "not found")
            fields = request.query.get("fields", "")
            headers = {"ETag": resources.version_of(row)} if row["@type"] == "BillingAccount" else None
            return web.json_response(
                resources.select_fields(row, fields, self.dialect, listed=False), headers=headers
            )

        return one

    async def _patch_bill(self, request: web.Request) -> web.StreamResponse:
        bill, body = _find_by_id(self.list_bills(), request), await request.json()
        if bill is None:
            return _error_response(404, "not found")
        if body.get("state") not in BILL_STATES:
            return _error_response(400, "only the state may change")
        self.patched_states[bill["id"]] = body["state"]
        return web.json_response(_find_by_id(self.list_bills(), request))

    async def _get_document(self, request: web.Request) -> web.StreamResponse:
        return fault_modes.pdf_response(self.records.find_document(request.match_info["id"]))

    async def _patch_account(self, request: web.Request) -> web.StreamResponse:
        person, body = self.records.find_person(request.match_info["id"]), await request.json()
        if person is None:
            return _error_response(404, "not found")
        seen = request.headers.get("If-Match")
        if seen is not None and seen != resources.account_version(self.records, person):
            return _error_response(412, "the account has changed since")
        values = resources.account_columns(body)
        after = resources.billing_account(self.records, {**person, **values})
        return fault_modes.change_response(request, self.records, person, values, web.json_response(after))

    async def _create_on_demand(self, request: web.Request) -> web.StreamResponse:
        body, identity = await request.json(), f"OD-{len(self.on_demand_bills) + 1}"
        href = f"{BILLS_PATH}/{self.dialect}/customerBillOnDemand/{identity}"
        self.on_demand_bills[identity] = {**body, "id": identity, "href": href, "state": "inProgress"}
        return web.json_response(self.on_demand_bills[identity], status=201)

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        body, identity = await request.json(), secrets.token_hex(8)
        if not str(body.get("callback", "")).startswith("http"):
            return _error_response(400, "a callback is an address")
        self.listeners[identity] = {**body, "id": identity}
        return web.json_response(self.listeners[identity], status=201)

    async def _unsubscribe(self, request: web.Request) -> web.StreamResponse:
        listener = self.listeners.pop(request.match_info["id"], None)
        return web.Response(status=204) if listener else _error_response(404, "not found")


async def _post_event(session: ClientSession, url: str, event: BssRow) -> int:
    async with session.post(url, json=event) as response:
        return response.status


def _error_response(status: int, reason: str) -> web.Response:
    return web.json_response({"code": str(status), "reason": reason}, status=status)


def _find_by_id(rows: Iterable[BssRow], request: web.Request) -> BssRow | None:
    return next((each for each in rows if each["id"] == request.match_info["id"]), None)


def _sort_rows(rows: list[BssRow], sort_key: str) -> list[BssRow]:
    """Sort by one field; a leading `-` means descending."""
    return (
        sorted(rows, key=lambda row: str(row.get(sort_key.lstrip("-"))), reverse=sort_key.startswith("-"))
        if sort_key
        else rows
    )


def _matches_query(row: BssRow, query: dict[str, str]) -> bool:
    """Return whether a row matches all filters, given by dotted names with optional comparisons."""
    return all(_matches_filter(row, name, wanted) for name, wanted in query.items())


def _matches_filter(row: BssRow, name: str, wanted: str) -> bool:
    ending = next((each for each in COMPARISONS if name.endswith(each)), "")
    value: Any = row
    for part in name.removesuffix(ending).split("."):
        value = value.get(part) if isinstance(value, dict) else None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    results = {
        ".gte": text >= wanted,
        ".gt": text > wanted,
        ".lte": text <= wanted,
        ".lt": text < wanted,
        "": text == wanted,
    }
    return results[ending]
