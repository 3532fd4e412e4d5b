"""The book a demo BSS is kept in: one operator of the demo world, and what may go wrong with the server."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from storage.demo.world import Rows

Row = dict[str, Any]


@dataclass(slots=True)
class Book:
    """Accounts, bills and lines by their ids; `frozen` and `answer` let a test spoil the server."""

    rows: Rows
    moving: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    answer: Callable[[web.Request], web.StreamResponse | None] = field(default=lambda request: None, repr=False)
    """What is answered instead; None lets the request through."""
    asked: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Method and path of every request."""

    def __post_init__(self) -> None:
        self.moving.set()

    def freeze(self) -> None:
        """From now on requests wait."""
        self.moving.clear()

    def thaw(self) -> None:
        """Answer those that waited, and go on."""
        self.moving.set()

    def account(self, account: str) -> Row | None:
        """The person who holds an account."""
        return next((each for each in self.rows.people if each["account"] == account), None)

    def bills(self, account: str = "") -> Iterator[Row]:
        """The bills of an account, or all."""
        return (each for each in self.rows.bills if account in ("", each["account"]))

    def bill(self, number: str) -> Row | None:
        """A bill by its number."""
        return next((each for each in self.rows.bills if each["number"] == number), None)

    def lines(self, number: str = "") -> Iterator[tuple[int, Row]]:
        """The lines of a bill, or all, with their places in the book."""
        return (pair for pair in enumerate(self.rows.lines) if number in ("", pair[1]["bill"]))

    def entries(self) -> Iterator[tuple[int, Row]]:
        """What was used and bought and is on no bill, with its place in the book."""
        return enumerate(self.rows.entries)

    def document(self, number: str) -> Row | None:
        """The issuer's document of a bill."""
        return next((each for each in self.rows.documents if each["bill"] == number), None)

    def part(self, row: Row) -> tuple[date, date] | None:
        """The days a line covers, the last left out; None for whole months.

        They end with the newest month before its bill that has as many days as the line says.
        """
        bill = self.bill(row["bill"])
        if not row["days"] or bill is None:
            return None
        end = bill["issued"].replace(day=1)
        while (end - timedelta(days=1)).day != row["of_days"]:
            end = (end - timedelta(days=1)).replace(day=1)
        return end - timedelta(days=row["days"]), end

    def instant(self, day: date) -> str:
        """The day's beginning in the operator's time zone."""
        return datetime.combine(day, time(), self.rows.zone).isoformat()

    def app(self, routes: list[web.RouteDef]) -> web.Application:
        """The server's application: every request is noted, then waits while the book is frozen."""

        @web.middleware
        async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
            self.asked.append((request.method, request.path))
            await self.moving.wait()
            instead = self.answer(request)
            return instead if instead is not None else await handler(request)

        app = web.Application(middlewares=[noted])
        app.add_routes(routes)
        return app


def plain(amount: Decimal) -> float:
    """An amount as a JSON number, as such servers write it."""
    return float(amount)
