"""Kill Bill over its REST interface: bundles are lines, invoices are bills, a custom field says how they come.

Sources: the project's API reference (account, bundle, invoice, custom field). A bundle's external key is
the line's number; amounts are JSON numbers in the account's currency; an invoice has no due date of its
own, so it is the invoice date plus `due_days`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

from aiohttp import encode_basic_auth

from flows.failures import NotFound, NotPublished
from flows.records import (
    Bill,
    BillLine,
    BillState,
    Capability,
    Document,
    Entries,
    Entry,
    Kind,
    Media,
    Secret,
    Subscriber,
)
from storage.billing import Site
from storage.billing._fields import amount, day, name, table, tables, text, told, wrong
from storage.billing._http import CONNECT_SECONDS, TIMEOUT_SECONDS, Http, Line, segment
from storage.billing._kept import FRESH_SECONDS, Kept
from storage.billing._options import read
from storage.billing.sql import state_of

CREATED_BY = "dialtree"
"""Whom Kill Bill's audit names for what we change."""
TAX = "TAX"
RUBRICS: Mapping[str, str] = {
    "RECURRING": "subscriptions",
    "USAGE": "communications",
    "FIXED": "one_off",
    "EXTERNAL_CHARGE": "one_off",
}
"""Rubric by item type; adjustments, repairs and credits are `one_off` too."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Options:
    """The table `bss` of an operator whose billing is `killbill+https://host`."""

    api_key: Secret = field(repr=False)
    """The tenant's key."""
    api_secret: Secret = field(repr=False)
    user: str = "admin"
    password: Secret = field(default=Secret(""), repr=False)
    due_days: int = 14
    """From the invoice date to the day it must be paid."""
    media_field: str = "presentationMedia"
    """The account's custom field that holds `paper` or `email`; without one it is paper."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The line's kind by product name; `mobile` for any other."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by product, plan or usage name, or by item type."""
    timeout_seconds: float = TIMEOUT_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    cache_seconds: float = FRESH_SECONDS
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = field(default="", repr=False)


class KillBill:
    """The `Billing` port over Kill Bill; an account is Kill Bill's accountId."""

    capabilities: Collection[Capability] = ()

    def __init__(self, http: Http, site: Site, options: Options) -> None:
        self._http, self._site, self._options = http, site, options

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number: the bundle with that external key, then its account."""
        found = (await self._http.get("1.0/kb/bundles", {"externalKey": msisdn})).body
        bundle = next(tables(found), table(found))
        if not bundle:
            raise NotFound
        account = name(bundle.get("accountId"), "accountId")
        holder = table((await self._http.get(f"1.0/kb/accounts/{segment(account)}")).body)
        fields = {each["name"]: each["value"] for each in await self._fields(account)}
        return self._subscriber(msisdn, account, bundle, holder, fields)

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Committed invoices, newest first, and those made void; drafts are not published."""
        query = {"includeVoidedInvoices": "true", "includeInvoiceComponents": "true"}
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/invoices", query)).body
        if not isinstance(found, list):
            raise wrong("invoices")
        shown = [each for each in tables(found) if _published(each) and told(each.get("accountId")) == account]
        bills = [self._bill(each) for each in shown]
        issued = sorted(
            (bill for bill in bills if bill.issued <= self._site.today()), key=_newest, reverse=True
        )
        return issued[offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's, NotPublished while a draft."""
        return self._bill(await self._invoice(account, bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The invoice's items, each with its tax; NotFound for any other account's bill."""
        items = list(tables((await self._invoice(account, bill_id)).get("items")))
        taxes: dict[str, Decimal] = {}
        for each in items:
            if each.get("itemType") == TAX:
                linked = told(each.get("linkedInvoiceItemId"))
                taxes[linked] = taxes.get(linked, Decimal(0)) + amount(each.get("amount"), "amount")
        lines = [self._line(each, taxes) for each in items if each.get("itemType") != TAX]
        rest = sum(taxes.values(), Decimal(0))
        return [*lines, BillLine("one_off", "", rest)] if rest else lines

    async def media(self, account: str) -> Media:
        """How bills reach this account today: its custom field."""
        return _media(await self._fields(account), self._options.media_field)

    async def set_media(self, account: str, media: Media) -> bool:
        """Set the account's custom field; False when it was so already."""
        fields, wanted = await self._fields(account), self._options.media_field
        if _media(fields, wanted) == media:
            return False
        path = f"1.0/kb/accounts/{segment(account)}/customFields"
        known = next((each for each in fields if each["name"] == wanted), None)
        if known:
            await self._http.send("PUT", path, [{"customFieldId": known["id"], "value": media}])
        else:
            await self._http.send("POST", path, [{"objectType": "ACCOUNT", "name": wanted, "value": media}])
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Nothing of the kind is read here."""
        raise NotFound

    async def document(self, account: str, bill_id: str) -> Document:
        """Nothing of the kind is read here."""
        raise NotFound

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()

    async def _fields(self, account: str) -> list[dict[str, str]]:
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/customFields")).body
        return [
            {
                "id": told(each.get("customFieldId")),
                "name": text(each.get("name")),
                "value": text(each.get("value")),
            }
            for each in tables(found)
        ]

    async def _invoice(self, account: str, bill_id: str) -> Mapping[str, Any]:
        found = table((await self._http.get(f"1.0/kb/invoices/{segment(bill_id)}")).body)
        if told(found.get("accountId")) != account or found.get("invoiceId") != bill_id:
            raise NotFound
        if (
            not _published(found)
            or day(found.get("invoiceDate"), self._site.zone, "invoiceDate") > self._site.today()
        ):
            raise NotPublished
        return found

    def _bill(self, found: Mapping[str, Any]) -> Bill:
        identity = name(found.get("invoiceId"), "invoiceId")
        issued = day(found.get("invoiceDate"), self._site.zone, "invoiceDate")
        due = issued + timedelta(days=self._options.due_days)
        total, void = amount(found.get("amount"), "amount"), found.get("status") == "VOID"
        remaining = Decimal(0) if void else amount(found.get("balance"), "balance")
        taxes = [each for each in tables(found.get("items")) if each.get("itemType") == TAX]
        return Bill(
            id=identity,
            number=told(found.get("invoiceNumber")) or identity,
            account=name(found.get("accountId"), "accountId"),
            issued=issued,
            due=due,
            total=total,
            tax=sum((amount(each.get("amount"), "tax") for each in taxes), Decimal(0)),
            remaining=remaining,
            state=_state(total, remaining, due, self._site.today(), void=void),
        )

    def _line(self, found: Mapping[str, Any], taxes: dict[str, Decimal]) -> BillLine:
        owed = amount(found.get("amount"), "amount") + taxes.pop(told(found.get("invoiceItemId")), Decimal(0))
        words = [text(found.get(part)) for part in ("productName", "planName", "usageName", "itemType")]
        own = next((self._options.rubrics[word] for word in words if word in self._options.rubrics), "")
        return BillLine(own or RUBRICS.get(words[-1], "one_off"), "", owed)

    def _subscriber(
        self,
        msisdn: str,
        account: str,
        bundle: Mapping[str, Any],
        holder: Mapping[str, Any],
        fields: Mapping[str, str],
    ) -> Subscriber:
        bases = [
            each for each in tables(bundle.get("subscriptions")) if each.get("productCategory") != "ADD_ON"
        ]
        line = bases[0] if bases else {}
        kind = self._options.kinds.get(text(line.get("productName")), "mobile")
        started, email = line.get("startDate"), text(holder.get("email"), 320)
        parts = ("address1", "address2", "postalCode", "city", "country")
        return Subscriber(
            id=name(bundle.get("bundleId"), "bundleId"),
            operator=self._site.operator,
            msisdn=msisdn,
            account=account,
            name=text(holder.get("name")),
            kind=kind if kind in KINDS else "mobile",
            segment="business" if text(holder.get("company")) else "residential",
            language=text(holder.get("locale"))[:2].lower(),
            since=day(started, self._site.zone, "startDate") if started else self._site.today(),
            email=email if "@" in email else "",
            email_validated=fields.get("emailValidated") == "true",
            address=", ".join(filter(None, (text(holder.get(part)) for part in parts))),
        )


def _published(found: Mapping[str, Any]) -> bool:
    """A draft is not published; nor is a state we do not know."""
    return found.get("status") in ("COMMITTED", "VOID")


def _state(total: Decimal, remaining: Decimal, due: date, today: date, *, void: bool) -> BillState:
    return state_of(total, remaining, due, today, cancelled=void)


def _media(fields: list[dict[str, str]], wanted: str) -> Media:
    return "email" if any(each["name"] == wanted and each["value"] == "email" for each in fields) else "paper"


def _newest(bill: Bill) -> tuple[date, str]:
    return bill.issued, bill.number


def connect(address: str, site: Site) -> Kept:
    """A Kill Bill server at `address`; ValueError names a wrong setting."""
    options = read(Options, site.options)
    line = Line(
        options.timeout_seconds, options.connect_seconds, options.ca_file, options.cert_file, options.key_file
    )
    headers = {
        "X-Killbill-ApiKey": options.api_key.value,
        "X-Killbill-ApiSecret": options.api_secret.value,
        "X-Killbill-CreatedBy": CREATED_BY,
        "Authorization": encode_basic_auth(options.user, options.password.value),
    }
    http = Http(address, line, headers)
    return Kept(KillBill(http, site, options), site.today, options.cache_seconds)
