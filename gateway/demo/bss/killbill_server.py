"""Fake Kill Bill server: tenants, bundles, accounts, invoices, custom fields."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.demo.bss import fault_modes
from gateway.demo.bss import killbill_resources as resources
from gateway.demo.bss.added_charges import draft_invoice, killbill_charge_routes
from gateway.demo.bss.booked_payments import killbill_payment, killbill_payment_routes
from gateway.demo.bss.data import BssRecords, BssRow, json_number, split_proportionally
from gateway.demo.bss.killbill_resources import custom_field, stable_uuid

FIELD_COLUMNS = {"presentationMedia": "media", "emailValidated": "email_validated"}
"""Columns of a person by the account's custom field."""
MAX_CHARS = {"email": 128, "address1": 100, "address2": 100, "city": 50, "postalCode": 16}
"""Characters the account's columns hold."""
ADDRESS_LINES = ("address1", "address2")
KillBillHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class KillBillBss:
    """A Kill Bill server with one tenant."""

    records: BssRecords
    api_key: str = "demo"
    api_secret: str = field(default="demo-secret", repr=False)
    user: str = "admin"
    password: str = field(default="password", repr=False)

    def create_app(self) -> web.Application:
        """Build the application to serve."""
        account = "/1.0/kb/accounts/{account}"
        return self.records.create_app(
            [
                web.get("/1.0/kb/bundles", self._require_credentials(self._find_bundles)),
                web.get(account, self._require_credentials(self._get_account)),
                web.put(account, self._require_credentials(self._change_account)),
                web.get(f"{account}/bundles", self._require_credentials(self._account_bundles)),
                web.get(f"{account}/invoices", self._require_credentials(self._list_invoices)),
                web.get(f"{account}/customFields", self._require_credentials(self._list_fields)),
                web.post(f"{account}/customFields", self._require_credentials(self._set_field)),
                web.put(f"{account}/customFields", self._require_credentials(self._set_field)),
                web.get(f"{account}/invoicePayments", self._require_credentials(self._list_payments)),
                web.get(f"{account}/paymentMethods", self._require_credentials(self._list_methods)),
                web.get("/1.0/kb/usages/{subscription}", self._require_credentials(self._roll_up_usage)),
                web.post("/1.0/kb/invoices/dryRun", self._require_credentials(self._dry_run)),
                web.get("/1.0/kb/invoices/pagination", self._require_credentials(self._paginate_invoices)),
                web.get("/1.0/kb/invoices/{invoice}", self._require_credentials(self._get_invoice)),
                web.get("/1.0/kb/invoices/{invoice}/html", self._require_credentials(self._get_invoice_html)),
                web.get("/plugins/invoice-pdf/{invoice}", self._require_credentials(self._get_invoice_pdf)),
                *killbill_charge_routes(self.records, self._require_credentials),
                *killbill_payment_routes(self.records, self._require_credentials, self._find_bill),
            ]
        )

    def _require_credentials(self, handler: KillBillHandler) -> KillBillHandler:
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

        async def authenticated(request: web.Request) -> web.StreamResponse:
            keys = [request.headers.get(f"X-Killbill-Api{part}") for part in ("Key", "Secret")]
            if request.headers.get("Authorization") != basic or keys != [self.api_key, self.api_secret]:
                return web.Response(status=401)
            if request.method != "GET" and not request.headers.get("X-Killbill-CreatedBy"):
                return web.json_response({"message": "createdBy is missing"}, status=400)
            return await handler(request)

        return authenticated

    def _find_person(self, request: web.Request) -> BssRow | None:
        wanted = request.match_info["account"]
        people = self.records.rows.people
        return next((each for each in people if stable_uuid("account", each["account"]) == wanted), None)

    async def _find_bundles(self, request: web.Request) -> web.StreamResponse:
        """Return bundles by external key, the line's number; an empty list for an unknown one."""
        wanted = request.query.get("externalKey", "")
        unfiltered = "no_filter" in self.records.faults
        people = [each for each in self.records.rows.people if unfiltered or each["msisdn"] == wanted]
        every = [*fault_modes.former_owners(self.records, people), *people]
        return web.json_response([resources.bundle_resource(each) for each in every])

    async def _account_bundles(self, request: web.Request) -> web.StreamResponse:
        person = self._find_person(request)
        if person is None:
            return web.Response(status=404)
        lines = [
            line
            for row in self.records.bills_of(person["account"])
            for _, line in self.records.lines_of(row["number"])
        ]
        others = sorted({line["user"] for line in lines} - {person["msisdn"]})
        former = [{**person, "msisdn": "+40740999999", "ended": True}] if self.records.faults else []
        strangers = self.records.rows.people if "no_filter" in self.records.faults else []
        own = [{**person, "msisdn": each} for each in [person["msisdn"], *others]]
        return web.json_response([resources.bundle_resource(each) for each in [*former, *strangers, *own]])

    async def _get_account(self, request: web.Request) -> web.StreamResponse:
        person = self._find_person(request)
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        return web.json_response(resources.account_resource(person, self.records.rows.currency))

    async def _list_invoices(self, request: web.Request) -> web.StreamResponse:
        person = self._find_person(request)
        if person is None:
            return web.json_response([])
        with_items = request.query.get("includeInvoiceComponents") == "true"
        rows = [
            each
            for each in self.records.bills_of("" if "no_filter" in self.records.faults else person["account"])
            if request.query.get("includeVoidedInvoices") == "true" or not each.get("cancelled")
        ]
        drafts = [
            draft_invoice(self.records, each, with_items=with_items)
            for each in self.records.drafts
            if "no_filter" in self.records.faults or each["account"] == request.match_info["account"]
            if each["status"] != "VOID" or request.query.get("includeVoidedInvoices") == "true"
        ]
        listed = [self._invoice_json(row, with_items=with_items) for row in rows] + drafts
        if "shallow_lists" in self.records.faults:
            listed = [{**each, "items": [], "amount": 0.0, "balance": 0.0} for each in listed]
        return web.json_response(listed)

    async def _list_payments(self, request: web.Request) -> web.StreamResponse:
        """Return the payments of an account's invoices."""
        person, records = self._find_person(request), self.records
        listed = [
            killbill_payment(each)
            for each in records.all_payments()
            if "no_filter" in records.faults or (person and each["account"] == person["account"])
        ]
        return web.json_response(listed)

    async def _list_methods(self, request: web.Request) -> web.StreamResponse:
        """Return payment methods; what a plugin knows of them only where it is asked for."""
        with_plugin_info = request.query.get("withPluginInfo") == "true"
        person, is_unfiltered = self._find_person(request), "no_filter" in self.records.faults
        rows = self.records.rows.debits
        own = [each for each in rows if is_unfiltered or (person and each["account"] == person["account"])]
        return web.json_response(
            [resources.payment_method(each, with_plugin_info=with_plugin_info) for each in own]
        )

    async def _roll_up_usage(self, request: web.Request) -> web.StreamResponse:
        """Return what a subscription used, rolled up by unit."""
        wanted = request.match_info["subscription"]
        own = [
            row for row in self.records.rows.allowances if stable_uuid("subscription", row["user"]) == wanted
        ]
        units = [{"unitType": resources.USAGE_UNITS[row["kind"]], "amount": row["used"]} for row in own]
        return web.json_response({"subscriptionId": wanted, "rolledUpUnits": units})

    async def _dry_run(self, request: web.Request) -> web.StreamResponse:
        """Return the invoice that would come next, 404 when there would be none."""
        wanted, body = request.query.get("accountId", ""), await request.json()
        if body.get("dryRunType") != "UPCOMING_INVOICE":
            return web.json_response({"message": "a target date is missing"}, status=400)
        entries = [
            row
            for _, row in self.records.list_entries()
            if stable_uuid("account", row["account"]) == wanted and row["amount"]
        ]
        drafts = [
            each for each in self.records.drafts if each["account"] == wanted and each["status"] == "DRAFT"
        ]
        added = drafts[0]["items"] if drafts else []
        if not entries and not added:
            return web.json_response({"message": "nothing to invoice"}, status=404)
        return web.json_response(resources.upcoming_invoice(self.records, wanted, entries, added))

    async def _paginate_invoices(self, request: web.Request) -> web.StreamResponse:
        """Return a page of shallow invoices: without items, and with amounts of 0, as Kill Bill has them."""
        start, most = int(request.query.get("offset", 0)), int(request.query.get("limit", 100))
        rows = [
            {**self._invoice_json(row, with_items=False), "amount": 0.0, "balance": 0.0}
            for row in self.records.bills_of()
        ]
        response = fault_modes.page_response(self.records, rows, start, most)
        total = response.headers.pop("X-Total-Count", None)
        if total:
            response.headers["X-Killbill-Pagination-TotalNbRecords"] = total
        return response

    def _find_bill(self, request: web.Request) -> BssRow | None:
        wanted = request.match_info["invoice"]
        return next(
            (each for each in self.records.bills_of() if stable_uuid("invoice", each["number"]) == wanted),
            None,
        )

    async def _get_invoice(self, request: web.Request) -> web.StreamResponse:
        row, wanted = self._find_bill(request), request.match_info["invoice"]
        draft = next((each for each in self.records.drafts if each["id"] == wanted), None)
        if draft is not None:
            return web.json_response(draft_invoice(self.records, draft, with_items=True))
        if row is None:
            return web.json_response({"message": "no such invoice"}, status=404)
        return web.json_response(self._invoice_json(row, with_items=True))

    async def _get_invoice_html(self, request: web.Request) -> web.StreamResponse:
        """Return the invoice rendered by the tenant's template."""
        row = self._find_bill(request)
        if row is None:
            return web.json_response({"message": "no such invoice"}, status=404)
        summary = f"{row['issued']}: {row['total']} {self.records.rows.currency}"
        return web.Response(
            text=f"<html><body><h1>{row['number']}</h1><p>{summary}</p></body></html>", content_type="text/html"
        )

    async def _get_invoice_pdf(self, request: web.Request) -> web.StreamResponse:
        """Return the invoice as a plugin renders it."""
        document = self.records.find_document((self._find_bill(request) or {"number": ""})["number"])
        return fault_modes.pdf_response(document)

    async def _list_fields(self, request: web.Request) -> web.StreamResponse:
        person = self._find_person(request)
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        values = {"presentationMedia": person["media"] if person["media"] == "email" else ""}
        values |= {"emailValidated": "true" if person["email_validated"] else "", "siret": person["siret"]}
        return web.json_response([custom_field(person, name, value) for name, value in values.items() if value])

    async def _set_field(self, request: web.Request) -> web.StreamResponse:
        """Add (POST, returns what was added) or change (PUT, returns nothing) custom fields."""
        person, fields = self._find_person(request), await request.json()
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        values = {FIELD_COLUMNS[each["name"]]: each["value"] for each in fields}
        if "email_validated" in values:
            values["email_validated"] = values["email_validated"] == "true"
        added = [custom_field(person, each["name"], each["value"]) for each in fields]
        done = web.Response(status=204) if request.method == "PUT" else web.json_response(added, status=201)
        return fault_modes.change_response(request, self.records, person, values, done)

    async def _change_account(self, request: web.Request) -> web.StreamResponse:
        """Change the fields of an account that are named; 400 for a value its column cannot hold."""
        person, body = self._find_person(request), await request.json()
        if person is None:
            return web.json_response({"message": "no such account"}, status=404)
        if any(len(body.get(name) or "") > most for name, most in MAX_CHARS.items()):
            return web.json_response({"message": "Invalid account data supplied"}, status=400)
        values = {name: body[name] for name in ("email", *ADDRESS_LINES) if body.get(name) is not None}
        if "address1" in values:
            values["address"] = ", ".join(filter(None, map(values.get, ADDRESS_LINES)))
        return fault_modes.change_response(request, self.records, person, values, web.Response(status=204))

    def _invoice_json(self, row: BssRow, *, with_items: bool) -> BssRow:
        """Return an invoice; Kill Bill numbers them, and includes items only on request."""
        invoice = {
            "invoiceId": stable_uuid("invoice", row["number"]),
            "invoiceNumber": str(1 + self.records.rows.bills.index(row)),
            "accountId": stable_uuid("account", row["account"]),
            "invoiceDate": row["issued"].isoformat(),
            "targetDate": row["issued"].isoformat(),
            "currency": self.records.rows.currency,
            "status": "VOID" if row.get("cancelled") else "COMMITTED",
            "amount": json_number(row["total"]),
            "balance": json_number(fault_modes.spoil_remaining(self.records, row)),
            "creditAdj": 0.0,
            "refundAdj": 0.0,
            "items": self._invoice_items(row) if with_items else [],
            "isParentInvoice": False,
        }
        return fault_modes.spoil_bill(self.records, row, invoice, ("amount", "balance"))

    def _invoice_items(self, row: BssRow) -> list[BssRow]:
        """Return each line without its tax, then the tax of each line."""
        lines = [line for _, line in self.records.lines_of(row["number"])]
        taxes = split_proportionally(
            row["tax"], [line["amount"] for line in lines], self.records.rows.operator.unit
        )
        nets = [line["amount"] - tax for line, tax in zip(lines, taxes, strict=True)]
        items = [
            resources.invoice_item(self.records, row, place, *each)
            for place, each in enumerate(zip(lines, nets, strict=True))
        ]
        return [
            *items,
            *(resources.tax_item(item, tax) for item, tax in zip(items, taxes, strict=True)),
        ]
