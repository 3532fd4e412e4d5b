"""Bills in an operator's own tables or views, mapped by settings and only ever read."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Select, column, select, table

from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Kind, Media, Subscriber
from storage.billing._client.fields import amount, day, name, text
from storage.billing._client.options import read
from storage.billing.backend import Site
from storage.billing.sql import state_of
from storage.sql.engine import Database
from storage.sql.engine import connect as opened

PAGE = 1_000
MOST = 600
"""Bills of one account that are looked at."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "subscribers": ("id", "msisdn", "account", "since"),
    "bills": ("id", "account", "issued", "due", "total", "remaining"),
    "lines": ("bill", "rubric", "amount"),
}
"""The columns each mapping must name; the others may be left out and read as their default."""
MORE: Mapping[str, Mapping[str, Any]] = {
    "subscribers": {
        "name": "",
        "kind": "mobile",
        "segment": "residential",
        "language": "",
        "email": "",
        "email_validated": False,
        "address": "",
        "account_number": "",
        "media": "paper",
    },
    "bills": {"number": None, "tax": Decimal(0), "cancelled": False, "published": True},
    "lines": {"user": ""},
}
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Options:
    """The table `bss` of an operator whose billing is `mapped`, or `mapped+postgresql://...` elsewhere.

    Each mapping has `table` (or view, `schema.table`), and column by column what it is called there.
    """

    subscribers: Mapping[str, Any]
    bills: Mapping[str, Any]
    lines: Mapping[str, Any] = field(default_factory=dict)
    """Left out: bills have no detail."""
    electronic: str = "email"
    """What the `media` column says when bills come by e-mail."""


class Columns:
    """One mapped table: its columns by our names."""

    def __init__(self, what: str, told: Mapping[str, Any]) -> None:
        known = {*NEEDED[what], *MORE[what], "table"}
        for part in (*NEEDED[what], "table"):
            if not isinstance(told.get(part), str) or not told[part]:
                raise ValueError(f"bss.{what}.{part}: missing")
        for part in told:
            if part not in known:
                raise ValueError(f"bss.{what}.{part}: not known here; there are {', '.join(sorted(known))}")
        self._defaults = MORE[what]
        self.columns: dict[str, ColumnElement[Any]] = {
            ours: column(str(theirs)) for ours, theirs in told.items() if ours != "table"
        }
        schema, _, last = str(told["table"]).rpartition(".")
        self._table = table(last, *self.columns.values(), schema=schema or None)  # type: ignore[arg-type]

    def query(self) -> Select[Any]:
        """Every mapped column under our name for it."""
        return select(*(each.label(ours) for ours, each in self.columns.items())).select_from(self._table)

    def row(self, found: Any) -> dict[str, Any]:
        """A row with what is not mapped at its default."""
        return {**self._defaults, **found._mapping}


class MappedBilling:
    """The `Billing` port over somebody else's tables. Paper or e-mail is theirs to change: NotEligible."""

    capabilities: Collection[Capability] = ()

    def __init__(self, database: Database, site: Site, options: Options) -> None:
        self._database, self._site, self._electronic = database, site, options.electronic
        self._people = Columns("subscribers", options.subscribers)
        self._bills = Columns("bills", options.bills)
        self._lines = Columns("lines", options.lines) if options.lines else None

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number; NotFound when nobody does."""
        return self._subscriber(await self._one(self._people, "msisdn", msisdn))

    def _subscriber(self, row: Mapping[str, Any]) -> Subscriber:
        kind = str(row["kind"])
        return Subscriber(
            id=name(str(row["id"])),
            operator=self._site.operator,
            msisdn=str(row["msisdn"]),
            account=str(row["account"]),
            name=text(row["name"]),
            kind=kind if kind in KINDS else "mobile",
            segment="business" if row["segment"] == "business" else "residential",
            language=text(row["language"])[:2].lower(),
            since=self._day(row["since"]),
            email=text(row["email"], 320),
            email_validated=bool(row["email_validated"]),
            address=text(row["address"]),
            account_number=text(row["account_number"]),
        )

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills, newest first."""
        query = self._bills.query().where(self._bills.columns["account"] == account)
        query = query.order_by(self._bills.columns["issued"].desc()).limit(MOST)
        rows = [self._bills.row(row) for row in await self._all(query)]
        bills = [self._bill(row) for row in rows if row["published"]]
        return [bill for bill in bills if bill.issued <= self._site.today()][offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's."""
        row = await self._one(self._bills, "id", bill_id)
        bill = self._bill(row)
        if bill.account != account or not row["published"] or bill.issued > self._site.today():
            raise NotFound
        return bill

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail; none when no table is mapped for it."""
        await self.bill(account, bill_id)
        if self._lines is None:
            return []
        query = self._lines.query().where(self._lines.columns["bill"] == bill_id)
        rows = [self._lines.row(row) for row in await self._all(query)]
        return [BillLine(text(row["rubric"]), text(row["user"]), _amount(row["amount"])) for row in rows]

    async def media(self, account: str) -> Media:
        """How bills reach this account today; NotFound for an account nobody has."""
        found = (await self._one(self._people, "account", account))["media"]
        return "email" if str(found) == self._electronic else "paper"

    async def set_media(self, account: str, media: Media) -> bool:
        """False when it was so already; otherwise NotEligible: these tables are only read."""
        if await self.media(account) == media:
            return False
        raise NotEligible("bills of this operator are only read")

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Nothing of the kind is read here."""
        raise NotFound

    async def document(self, account: str, bill_id: str) -> Document:
        """Nothing of the kind is read here."""
        raise NotFound

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Bills of these days with their holders, by the bill's id; memory holds one page."""
        columns, after = self._bills.columns, ""
        days = columns["issued"].between(first, min(last, self._site.today()))
        query = self._bills.query().where(days).order_by(columns["id"]).limit(PAGE)
        while rows := [self._bills.row(row) for row in await self._all(query.where(columns["id"] > after))]:
            after = rows[-1]["id"]
            shown = [self._bill(row) for row in rows if row["published"]]
            holders = await self._holders({bill.account for bill in shown})
            yield [(bill, holders[bill.account]) for bill in shown if bill.account in holders]

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills; NotFound when nobody is."""
        holders = await self._holders({account})
        if account not in holders:
            raise NotFound
        return holders[account]

    async def _holders(self, accounts: set[str]) -> dict[str, Subscriber]:
        """The first line of each account."""
        columns = self._people.columns
        query = self._people.query().where(columns["account"].in_(accounts)).order_by(columns["id"].desc())
        return {str(row.account): self._subscriber(self._people.row(row)) for row in await self._all(query)}

    async def close(self) -> None:
        """Give the connections back."""
        if self._database is not self._site.database:
            await self._database.close()

    def _bill(self, row: Mapping[str, Any]) -> Bill:
        total, remaining = _amount(row["total"]), _amount(row["remaining"])
        due, cancelled = self._day(row["due"]), bool(row["cancelled"])
        return Bill(
            id=name(str(row["id"])),
            number=text(str(row["number"] or row["id"])),
            account=str(row["account"]),
            issued=self._day(row["issued"]),
            due=due,
            total=total,
            tax=_amount(row["tax"]),
            remaining=remaining,
            state=state_of(total, remaining, due, self._site.today(), cancelled=cancelled),
        )

    def _day(self, value: object) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return day(str(value), self._site.zone, "day")

    async def _one(self, mapped: Columns, by: str, value: str) -> dict[str, Any]:
        rows = await self._all(mapped.query().where(mapped.columns[by] == value).limit(1))
        if not rows:
            raise NotFound
        return mapped.row(rows[0])

    async def _all(self, query: Select[Any]) -> Sequence[Any]:
        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._database.read(job)


def _amount(value: object) -> Decimal:
    """A numeric column, or the digits of a text one; a float's shortest digits."""
    return amount(value if isinstance(value, Decimal) else str(value), "amount")


def connect(address: str, site: Site) -> MappedBilling:
    """Tables in the database at `address`, or in our own; ValueError names a wrong setting."""
    options = read(Options, site.options)
    return MappedBilling(opened(address) if address else site.database, site, options)
