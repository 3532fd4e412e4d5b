"""Bills in memory: of the demo world, or of people written down in a file, gone when the process ends."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import yaml

from flows.domain.failures import NotFound
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Subscriber
from storage.billing.backend import Site
from storage.billing.sql import state_of
from storage.demo.world import Rows, known, rows

T = TypeVar("T")
PAGE = 1_000
"""Bills of one page of a cycle."""
Row = Mapping[str, Any]


class MemoryBilling:
    """The `Billing` port over rows in memory: what the other backends are held against."""

    capabilities: Collection[Capability] = ("usage", "purchases", "documents")

    def __init__(self, found: Rows, today: Callable[[], date]) -> None:
        self._rows, self._today = found, today

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number; NotFound when nobody does."""
        return _as(Subscriber, _one(self._rows.people, msisdn=msisdn))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills, newest first; one dated in the future does not exist yet."""
        own = sorted(self._issued(account), key=lambda row: (row["issued"], row["id"]), reverse=True)
        return [self._bill(row) for row in own[offset : offset + limit]]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's."""
        return self._bill(_one(self._issued(account), id=bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail by rubric and user; NotFound for any other account's bill."""
        await self.bill(account, bill_id)
        numbered = enumerate(self._rows.lines)
        return [_as(BillLine, {**row, "id": str(place)}) for place, row in numbered if row["bill"] == bill_id]

    async def media(self, account: str) -> Media:
        """How bills reach this account today; NotFound for an account nobody has."""
        media: Media = _one(self._rows.people, account=account)["media"]
        return media

    async def set_media(self, account: str, media: Media) -> bool:
        """Ask for paper or e-mail; False when it was so already."""
        if await self.media(account) == media:
            return False
        for person in self._rows.people:
            if person["account"] == account:
                person["media"] = media
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """What was used or bought, newest first."""
        own = [row for row in self._rows.entries if row["account"] == account and row["what"] == what]
        newest = sorted(enumerate(own), key=lambda placed: (placed[1]["at"], placed[0]), reverse=True)
        return [_as(Entry, row) for _, row in newest[:limit]]

    async def document(self, account: str, bill_id: str) -> Document:
        """The issuer's document as it came; NotFound for any other account's bill."""
        await self.bill(account, bill_id)
        return _as(Document, _one(self._rows.documents, bill=bill_id))

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Bills of these days with their holders, a page at a time."""
        today, held = min(last, self._today()), {row["account"] for row in self._rows.people}
        found = [row for row in self._rows.bills if first <= row["issued"] <= today and row["account"] in held]
        for start in range(0, len(found), PAGE):
            page = found[start : start + PAGE]
            yield [(self._bill(row), await self.holder(row["account"])) for row in page]

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills: its first line; NotFound when nobody is."""
        return _as(Subscriber, _one(self._rows.people, account=account))

    def _issued(self, account: str) -> list[Row]:
        today = self._today()
        return [row for row in self._rows.bills if row["account"] == account and row["issued"] <= today]

    def _bill(self, row: Row) -> Bill:
        cancelled = bool(row.get("cancelled"))
        state = state_of(row["total"], row["remaining"], row["due"], self._today(), cancelled=cancelled)
        return _as(Bill, {**row, "state": state})


def _one(found: Iterable[Row], **wanted: str) -> Row:
    """The first row with these values; NotFound when there is none."""
    for row in found:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    raise NotFound


def _as(cls: type[T], row: Row) -> T:
    """A record of the fields the row has for it."""
    return cls(**{each.name: row[each.name] for each in fields(cls) if each.name in row})  # type: ignore[arg-type]


def connect(path: str, site: Site) -> MemoryBilling:
    """The demo world's people of this operator, or those a file tells of in the demo world's own form.

    Their bills stand as of the day the process starts. ValueError when nobody is told of.
    """
    now = datetime.combine(site.today(), time(12), site.zone)
    try:
        world = yaml.safe_load(Path(path).read_text(encoding="utf-8")) if path else known()
        return MemoryBilling(rows(site.operator, now, world), site.today)
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        where = path or "the demo world"
        raise ValueError(f"billing: {where} does not tell of {site.operator}, or not in its form") from error
