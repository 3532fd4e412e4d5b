"""Fake TM Forum server: TMF678 (v4 or v5 dialect), TMF666 and a part of TMF637."""

import base64
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from gateway.demo.bss import tmf_resources as resources
from gateway.demo.bss.data import Book, Row

BILLS = "/tmf-api/customerBillManagement"
ACCOUNTS = "/tmf-api/accountManagement/v4"
PRODUCTS = "/tmf-api/productInventory/v4"
OPERATORS = (".gte", ".gt", ".lte", ".lt")
STATES = ("new", "onHold", "validated", "sent", "partiallyPaid", "settled")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class TmfBss:
    """A TM Forum BSS. With `client_id` and `client_secret` set, requests need a token."""

    book: Book
    dialect: str = "v4"
    client: str = ""
    secret: str = field(default="", repr=False)
    tokens: set[str] = field(default_factory=set, repr=False)
    hubs: dict[str, Row] = field(default_factory=dict)
    demands: dict[str, Row] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """Bill states set by PATCH, by bill."""

    def app(self) -> web.Application:
        """Build the application to serve."""
        bills = f"{BILLS}/{self.dialect}"
        collections: dict[str, Callable[[], Iterable[Row]]] = {
            f"{bills}/customerBill": self.bills,
            f"{bills}/appliedCustomerBillingRate": self.rates,
            f"{bills}/customerBillOnDemand": self.demands.values,
            f"{ACCOUNTS}/billingAccount": self.accounts,
            f"{PRODUCTS}/product": self.products,
        }
        routes = [
            web.post("/token", self._token),
            web.patch(f"{bills}/customerBill/{{id}}", self._known(self._patch_bill)),
            web.get(f"{bills}/customerBill/{{id}}/document", self._known(self._document)),
            web.patch(f"{ACCOUNTS}/billingAccount/{{id}}", self._known(self._patch_account)),
            web.post(f"{bills}/customerBillOnDemand", self._known(self._demand)),
            web.post(f"{bills}/hub", self._known(self._subscribe)),
            web.delete(f"{bills}/hub/{{id}}", self._known(self._unsubscribe)),
        ]
        for path, rows in collections.items():
            routes.append(web.get(path, self._known(self._listing(rows))))
            routes.append(web.get(f"{path}/{{id}}", self._known(self._one(rows))))
        return self.book.app(routes)

    def bills(self) -> list[Row]:
        """Return every customerBill."""
        return [resources.bill(self.book, row, self.dialect, self.states) for row in self.book.bills()]

    def rates(self) -> list[Row]:
        """Return every appliedCustomerBillingRate."""
        billed = [resources.rate(self.book, place, row, self.dialect) for place, row in self.book.lines()]
        return billed + [resources.unbilled(self.book, *each, self.dialect) for each in self.book.entries()]

    def accounts(self) -> list[Row]:
        """Return every billingAccount."""
        return [resources.account(self.book, person) for person in self.book.rows.people]

    def products(self) -> list[Row]:
        """Return every product; a product is a line."""
        return [resources.product(self.book, person) for person in self.book.rows.people]

    async def announce(self, bill_id: str, event: str = "customerBillCreateEvent") -> list[int]:
        """Post a bill event to every registered listener and return the statuses they answered."""
        bill = next(each for each in self.bills() if each["id"] == bill_id)
        payload = resources.event(event, bill, self.dialect)
        async with ClientSession() as session:
            return [await _posted(session, f"{hub['callback']}/{event}", payload) for hub in self.hubs.values()]

    def _known(self, handler: Handler) -> Handler:
        """Require a bearer token where client credentials are set."""

        async def authenticated(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.client and token not in self.tokens:
                return _refused(401, "who are you?")
            return await handler(request)

        return authenticated

    async def _token(self, request: web.Request) -> web.StreamResponse:
        expected = base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
        form = await request.post()
        if (
            request.headers.get("Authorization") != f"Basic {expected}"
            or form.get("grant_type") != "client_credentials"
        ):
            return _refused(401, "who are you?")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 300})

    def _listing(self, rows: Callable[[], Iterable[Row]]) -> Handler:
        async def listing(request: web.Request) -> web.StreamResponse:
            query = dict(request.query)
            fields = query.pop("fields", "")
            start, limit = int(query.pop("offset", 0)), int(query.pop("limit", 100))
            matching = _sorted([row for row in rows() if _fits(row, query)], query.get("sort", ""))
            page = [
                resources.chosen(row, fields, self.dialect, listed=True)
                for row in matching[start : start + limit]
            ]
            counts = {"X-Total-Count": str(len(matching)), "X-Result-Count": str(len(page))}
            return web.json_response(page, headers=counts)

        return listing

    def _one(self, rows: Callable[[], Iterable[Row]]) -> Handler:
        async def one(request: web.Request) -> web.StreamResponse:
            row = _by_id(rows(), request)
            if row is None:
                return _refused(404, "not found")
            fields = request.query.get("fields", "")
            return web.json_response(resources.chosen(row, fields, self.dialect, listed=False))

        return one

    async def _patch_bill(self, request: web.Request) -> web.StreamResponse:
        bill, body = _by_id(self.bills(), request), await request.json()
        if bill is None:
            return _refused(404, "not found")
        if body.get("state") not in STATES:
            return _refused(400, "only the state may change")
        self.states[bill["id"]] = body["state"]
        return web.json_response(_by_id(self.bills(), request))

    async def _document(self, request: web.Request) -> web.StreamResponse:
        document = self.book.document(request.match_info["id"])
        if document is None:
            return _refused(404, "not found")
        return web.Response(body=document["data"], content_type="application/pdf")

    async def _patch_account(self, request: web.Request) -> web.StreamResponse:
        person, body = self.book.account(request.match_info["id"]), await request.json()
        if person is None:
            return _refused(404, "not found")
        media = body.get("billStructure", {}).get("presentationMedia", [])
        person["media"] = "email" if any(each["name"] == "email" for each in media) else "paper"
        return web.json_response(resources.account(self.book, person))

    async def _demand(self, request: web.Request) -> web.StreamResponse:
        body, identity = await request.json(), f"OD-{len(self.demands) + 1}"
        href = f"{BILLS}/{self.dialect}/customerBillOnDemand/{identity}"
        self.demands[identity] = {**body, "id": identity, "href": href, "state": "inProgress"}
        return web.json_response(self.demands[identity], status=201)

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        body, identity = await request.json(), secrets.token_hex(8)
        if not str(body.get("callback", "")).startswith("http"):
            return _refused(400, "a callback is an address")
        self.hubs[identity] = {**body, "id": identity}
        return web.json_response(self.hubs[identity], status=201)

    async def _unsubscribe(self, request: web.Request) -> web.StreamResponse:
        listener = self.hubs.pop(request.match_info["id"], None)
        return web.Response(status=204) if listener else _refused(404, "not found")


async def _posted(session: ClientSession, url: str, told: Row) -> int:
    async with session.post(url, json=told) as response:
        return response.status


def _refused(status: int, reason: str) -> web.Response:
    return web.json_response({"code": str(status), "reason": reason}, status=status)


def _by_id(rows: Iterable[Row], request: web.Request) -> Row | None:
    return next((each for each in rows if each["id"] == request.match_info["id"]), None)


def _sorted(rows: list[Row], by: str) -> list[Row]:
    """Sort by one field; a leading `-` means descending."""
    return (
        sorted(rows, key=lambda row: str(row.get(by.lstrip("-"))), reverse=by.startswith("-")) if by else rows
    )


def _fits(row: Row, query: dict[str, str]) -> bool:
    """Return whether a row matches all filters, given by dotted names with optional comparisons."""
    return all(_holds(row, name, wanted) for name, wanted in query.items() if name != "sort")


def _holds(row: Row, name: str, wanted: str) -> bool:
    ending = next((each for each in OPERATORS if name.endswith(each)), "")
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
