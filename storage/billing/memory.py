"""In-memory billing backend: bills of the demo world or of a YAML file, lost when the process ends."""

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
"""Bills per page of a billing cycle."""
Row = Mapping[str, Any]


class MemoryBilling:
    """`Billing` port over rows in memory: the reference the contract tests compare others with."""

    capabilities: Collection[Capability] = ("usage", "purchases", "documents")

    def __init__(self, found: Rows, today: Callable[[], date]) -> None:
        self._rows, self._today = found, today

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        return _as(Subscriber, _one(self._rows.people, msisdn=msisdn))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; bills dated in the future are left out."""
        own = sorted(self._issued(account), key=lambda row: (row["issued"], row["id"]), reverse=True)
        return [self._bill(row) for row in own[offset : offset + limit]]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        return self._bill(_one(self._issued(account), id=bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.bill(account, bill_id)
        numbered = enumerate(self._rows.lines)
        return [_as(BillLine, {**row, "id": str(place)}) for place, row in numbered if row["bill"] == bill_id]

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today; NotFound for an unknown account."""
        media: Media = _one(self._rows.people, account=account)["media"]
        return media

    async def set_media(self, account: str, media: Media) -> bool:
        """Set paper or e-mail; False when it is already set."""
        if await self.media(account) == media:
            return False
        for person in self._rows.people:
            if person["account"] == account:
                person["media"] = media
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Return usage or purchases, newest first."""
        own = [row for row in self._rows.entries if row["account"] == account and row["what"] == what]
        newest = sorted(enumerate(own), key=lambda placed: (placed[1]["at"], placed[0]), reverse=True)
        return [_as(Entry, row) for _, row in newest[:limit]]

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the issuer's document unchanged; NotFound for another account's bill."""
        await self.bill(account, bill_id)
        return _as(Document, _one(self._rows.documents, bill=bill_id))

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, a page at a time."""
        end, accounts = min(last, self._today()), {row["account"] for row in self._rows.people}
        bills = [
            row for row in self._rows.bills if first <= row["issued"] <= end and row["account"] in accounts
        ]
        for start in range(0, len(bills), PAGE):
            page = bills[start : start + PAGE]
            yield [(self._bill(row), await self.holder(row["account"])) for row in page]

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first line; else NotFound."""
        return _as(Subscriber, _one(self._rows.people, account=account))

    def _issued(self, account: str) -> list[Row]:
        today = self._today()
        return [row for row in self._rows.bills if row["account"] == account and row["issued"] <= today]

    def _bill(self, row: Row) -> Bill:
        cancelled = bool(row.get("cancelled"))
        state = state_of(row["total"], row["remaining"], row["due"], self._today(), cancelled=cancelled)
        return _as(Bill, {**row, "state": state})


def _one(found: Iterable[Row], **wanted: str) -> Row:
    """Return the first row with these values; NotFound when there is none."""
    for row in found:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    raise NotFound


def _as(cls: type[T], row: Row) -> T:
    """Build a record from those keys of the row that are its fields."""
    return cls(**{each.name: row[each.name] for each in fields(cls) if each.name in row})  # type: ignore[arg-type]


def connect(path: str, site: Site) -> MemoryBilling:
    """Return the backend for this operator's people in the demo world, or in a YAML file of the same form.

    Bills are computed as of the day the process starts. ValueError when the operator is not in it.
    """
    now = datetime.combine(site.today(), time(12), site.zone)
    try:
        world = yaml.safe_load(Path(path).read_text(encoding="utf-8")) if path else known()
        return MemoryBilling(rows(site.operator, now, world), site.today)
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        source = path or "the demo world"
        raise ValueError(f"billing: {source} does not tell of {site.operator}, or not in its form") from error
