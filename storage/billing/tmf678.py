"""A BSS that speaks TM Forum: TMF678 bills, TMF666 accounts, TMF637 products to find who has a number."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast, get_args

from flows.domain.failures import Down, Failure, NotFound, NotPublished
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Secret, Subscriber
from storage.billing import _tmf_mapping
from storage.billing._client.body_reader import Answer
from storage.billing._client.caching import FRESH_SECONDS, Kept
from storage.billing._client.documents import ACCEPT, decoded, document
from storage.billing._client.fields import name, table, tables, wrong
from storage.billing._client.http import Http, Line, checked, segment
from storage.billing._client.oauth import Tokens
from storage.billing._client.options import read
from storage.billing._client.ssrf_guard import Reach
from storage.billing.backend import Site

PAGE = 50
MOST_PAGES = 10
"""Of one account's bills: forty years of months."""
ENTRIES: Mapping[Entries, str] = {"usage": "communications", "purchases": "third_party"}
"""The rubric of what is on no bill yet, by what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Line):
    """The table `bss` of an operator whose billing is `tmf678+https://host/path`."""

    dialect: str = "v4"
    """`v4` or `v5`."""
    bills: str = "tmf-api/customerBillManagement/{dialect}"
    """Where TMF678 is, behind the address."""
    accounts: str = "tmf-api/accountManagement/v4"
    """Where TMF666 is."""
    resolver: str = "tmf-api/productInventory/v4/product?publicIdentifier={msisdn}"
    """The question that finds a number's product; `{msisdn}` is E.164 with its plus, `{digits}` without."""
    holder: str = "tmf-api/productInventory/v4/product?billingAccount.id={account}&limit=1"
    """The question that finds an account's first product, for the billing day."""
    token_url: str = ""
    """OAuth2 token address for client credentials; empty sends no token."""
    client_id: str = ""
    client_secret: Secret = field(default=Secret(""), repr=False)
    scope: str = ""
    currency: str = ""
    """ISO 4217; amounts in another one are refused. Empty takes any."""
    media: Mapping[str, str] = field(default_factory=dict)
    """The BSS's own names: `paper = "..."`, `email = "..."`."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by the BSS's own rate name or rate type."""
    serves: tuple[str, ...] = ("documents",)
    """What it can answer besides bills: `documents`, and from rates on no bill yet `usage`, `purchases`."""
    document_hosts: tuple[str, ...] = ()
    """Hosts besides the BSS's own where a bill's `billDocument` may lie; with the port if it is their own."""
    document_networks: tuple[str, ...] = ()
    """Networks inside, `10.1.0.0/16`, in which those hosts may be; otherwise they must be public."""
    platform: str = ""
    """Where the legal originals lie, when the BSS gives out copies."""
    hub_token: Secret = field(default=Secret(""), repr=False)
    """The secret part of the path where the BSS's events arrive; empty takes none. Used by the gateway."""
    cache_seconds: float = FRESH_SECONDS
    """How long an answer serves a session, 900 at most."""


class Tmf678:
    """The `Billing` port over TM Forum's interfaces; raises Refused and Unavailable only."""

    def __init__(self, http: Http, site: Site, options: Options) -> None:
        self._http, self._site, self._options = http, site, options
        self.capabilities = cast(Collection[Capability], options.serves)
        self._bills = options.bills.replace("{dialect}", options.dialect).strip("/")
        self._accounts = options.accounts.strip("/")

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number: its product, then that product's billing account."""
        path = self._options.resolver.replace("{msisdn}", segment(msisdn))
        found = (await self._http.get(path.replace("{digits}", segment(msisdn.removeprefix("+"))))).body
        product = next(tables(found), table(found))
        if not product:
            raise NotFound
        account = await self._account(_tmf_mapping.holder(product))
        return _tmf_mapping.subscriber(product, account, self._site.operator, msisdn, self._site.zone)

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills, newest first whatever the BSS's own order."""
        today = self._site.today()
        found = [each for each in await self._whole(await self._pages(account)) if _tmf_mapping.published(each)]
        own = [self._bill(each, account) for each in found if _tmf_mapping.whose(each) == account]
        issued = sorted((bill for bill in own if bill.issued <= today), key=_newest, reverse=True)
        return issued[offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's, NotPublished before it is sent."""
        return self._shown(await self._bill_answer(bill_id), account, bill_id)

    def _shown(self, answer: Answer, account: str, bill_id: str) -> Bill:
        found = table(answer.body)
        if _tmf_mapping.whose(found) != account or found.get("id") != bill_id:
            raise NotFound
        if not _tmf_mapping.published(found):
            raise NotPublished
        bill = self._bill(found, account)
        if bill.issued > self._site.today():
            raise NotPublished
        return bill

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail by rubric and user; NotFound for any other account's bill."""
        await self.bill(account, bill_id)
        query = {
            "bill.id": bill_id,
            "isBilled": "true",
            "fields": _tmf_mapping.RATE_FIELDS[self._options.dialect],
        }
        found = await self._all("appliedCustomerBillingRate", query)
        return [
            _tmf_mapping.line(each, self._options.currency, self._options.rubrics, self._site.zone)
            for each in found
            if table(each.get("bill")).get("id", bill_id) == bill_id
        ]

    async def media(self, account: str) -> Media:
        """How bills reach this account today: TMF666 `billStructure.presentationMedia`."""
        return _tmf_mapping.media(await self._account(account), self._options.media)

    async def set_media(self, account: str, media: Media) -> bool:
        """PATCH the account's presentation media, its others kept; False when it was so already."""
        found = await self._account(account)
        if _tmf_mapping.media(found, self._options.media) == media:
            return False
        names = self._options.media
        others = [each for each in _tmf_mapping.presented(found) if not _tmf_mapping.medium(each, names)]
        wanted = {"name": names.get(media, media), "isRef": False}
        structure = {**table(found.get("billStructure")), "presentationMedia": [*others, wanted]}
        # the published update names these two as required, so they go back as they came
        same = {part: found[part] for part in ("name", "relatedParty") if part in found}
        path = f"{self._accounts}/billingAccount/{segment(account)}"
        await self._http.send(
            "PATCH", path, {**same, "billStructure": structure}, "application/json;charset=utf-8"
        )
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """What was used or bought and is on no bill yet, newest first: rates that are not billed."""
        if what not in self.capabilities:
            raise NotFound
        fields = _tmf_mapping.RATE_FIELDS[self._options.dialect]
        query = {"billingAccount.id": account, "isBilled": "false", "fields": fields, "sort": "-date"}
        found = [
            each for each in await self._all("appliedCustomerBillingRate", query) if not each.get("isBilled")
        ]
        own = [each for each in found if _tmf_mapping.whose(each) == account]
        shown = [each for each in own if _tmf_mapping.rubric(each, self._options.rubrics) == ENTRIES[what]]
        shown.sort(key=lambda each: str(each.get("date")), reverse=True)
        return [_tmf_mapping.entry(each, self._options.currency, self._site.zone) for each in shown[:limit]]

    async def document(self, account: str, bill_id: str) -> Document:
        """The bill's `billDocument`, out of the bill itself or from where it says it is."""
        if "documents" not in self.capabilities:
            raise NotFound
        answer = await self._bill_answer(bill_id, f"{_tmf_mapping.BILL_FIELDS},billDocument")
        self._shown(answer, account, bill_id)
        attached = _tmf_mapping.attachment(table(answer.body))
        sent = decoded(attached) if attached.content else await self._http.file(attached.where, ACCEPT)
        return document(sent, attached, self._options.platform)

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Bills of these days with their holders, in the BSS's own order; memory holds one page."""
        query = {
            "billDate.gte": first.isoformat(),
            "billDate.lt": (last + timedelta(days=1)).isoformat(),
            "fields": _tmf_mapping.BILL_FIELDS,
        }
        offset = 0
        while found := list(tables((await self._page("customerBill", query, offset)).body)):
            offset += len(found)
            shown = [each for each in await self._whole(found) if _tmf_mapping.published(each)]
            bills = [self._bill(each, _tmf_mapping.whose(each)) for each in shown if _tmf_mapping.whose(each)]
            own = [bill for bill in bills if first <= bill.issued <= min(last, self._site.today())]
            yield await self._with_holders(own)

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills: its first product's line."""
        found = (await self._http.get(self._options.holder.replace("{account}", segment(account)))).body
        product = next(tables(found), None)
        if product is None:
            raise NotFound
        whole, number = await self._account(account), _tmf_mapping.number(product)
        return _tmf_mapping.subscriber(product, whole, self._site.operator, number, self._site.zone)

    async def listen(self, callback: str) -> None:
        """Ask the BSS to tell `callback` of new bills and of those whose state changes."""
        query = "eventType=CustomerBillCreateEvent&eventType=CustomerBillStateChangeEvent"
        kind = {"@type": "Hub"} if self._options.dialect == "v5" else {}
        await self._http.send("POST", f"{self._bills}/hub", {"callback": callback, "query": query, **kind})

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Each bill's holder, asked for together; bills nobody holds are left out."""
        found = await asyncio.gather(*(self.holder(bill.account) for bill in bills), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, NotFound):
                raise each
        return [(bill, each) for bill, each in zip(bills, found, strict=True) if isinstance(each, Subscriber)]

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()

    def _bill(self, found: Mapping[str, Any], account: str) -> Bill:
        return _tmf_mapping.bill(found, account, self._site.today(), self._site.zone, self._options.currency)

    async def _account(self, account: str) -> Mapping[str, Any]:
        answer = await self._http.get(f"{self._accounts}/billingAccount/{segment(account)}")
        found = table(answer.body)
        if not found:
            raise wrong("billingAccount")
        return found

    async def _bill_answer(self, bill_id: str, fields: str = _tmf_mapping.BILL_FIELDS) -> Answer:
        return await self._http.get(f"{self._bills}/customerBill/{segment(bill_id)}", {"fields": fields})

    async def _pages(self, account: str) -> list[Mapping[str, Any]]:
        query = {"billingAccount.id": account, "fields": _tmf_mapping.BILL_FIELDS, "sort": "-billDate"}
        return await self._all("customerBill", query)

    async def _all(self, resource: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Every page: the first tells how many there are, the rest come together."""
        first = await self._page(resource, query, 0)
        got = first.body if isinstance(first.body, list) else None
        if got is None:
            raise wrong(resource)
        total = min(first.total or 0, PAGE * MOST_PAGES)
        starts = range(len(got), total, max(1, len(got))) if got else range(0)
        later = await _together([self._page(resource, query, start) for start in starts[:MOST_PAGES]])
        return [each for answer in (first, *later) for each in tables(answer.body)]

    async def _page(self, resource: str, query: Mapping[str, str], offset: int) -> Answer:
        window = {"offset": str(offset), "limit": str(PAGE)}
        return await self._http.get(f"{self._bills}/{resource}", {**query, **window})

    async def _whole(self, found: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Bills with the fields a list left out; the newest `PAGE` of them at most."""
        short = [each for each in found if not _tmf_mapping.complete(each)][:PAGE]
        if not short:
            return found
        asked = [self._bill_answer(name(each.get("id"))) for each in short]
        whole = {
            id(each): table(answer.body) for each, answer in zip(short, await _together(asked), strict=True)
        }
        return [whole.get(id(each), each) for each in found]


def _newest(bill: Bill) -> tuple[Any, ...]:
    return bill.issued, bill.id


async def _together(calls: Sequence[Any]) -> list[Answer]:
    """All answers, or the first failure once all calls are over."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for each in answers:
        if isinstance(each, Failure):
            raise each
        if isinstance(each, BaseException):
            raise Down from each
    return [each for each in answers if isinstance(each, Answer)]


def connect(address: str, site: Site) -> Kept:
    """A TM Forum BSS at `address`, which ends where `tmf-api/` begins; ValueError names a wrong setting."""
    options = read(Options, site.options)
    if options.dialect not in ("v4", "v5"):
        raise ValueError("bss.dialect: must be v4 or v5")
    if not set(options.serves) <= set(get_args(Capability)):
        raise ValueError(f"bss.serves: may name {', '.join(get_args(Capability))}")
    reach = Reach(options.document_hosts, options.document_networks)
    http = Http(address, options, tokens=_tokens(options), reach=reach)
    return Kept(Tmf678(http, site, options), site.today, options.cache_seconds)


def _tokens(options: Options) -> Tokens | None:
    if not options.token_url:
        return None
    if not (options.client_id and options.client_secret.value):
        raise ValueError("bss.client_id: a token_url needs client_id and client_secret")
    return Tokens(checked(options.token_url), options.client_id, options.client_secret, options.scope)
