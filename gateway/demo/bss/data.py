"""In-memory records of the fake BSS servers: one operator of the demo world, and fault hooks."""

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
    """Accounts, bills and lines of one operator, with a request log and fault hooks for tests."""

    rows: Rows
    moving: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    answer: Callable[[web.Request], web.StreamResponse | None] = field(default=lambda request: None, repr=False)
    """Returns a response to send instead; None lets the request through."""
    asked: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Method and path of every request."""

    def __post_init__(self) -> None:
        self.moving.set()

    def freeze(self) -> None:
        """Make requests wait until `thaw`."""
        self.moving.clear()

    def thaw(self) -> None:
        """Answer the waiting requests and continue."""
        self.moving.set()

    def account(self, account: str) -> Row | None:
        """Return the person who holds an account."""
        return next((each for each in self.rows.people if each["account"] == account), None)

    def bills(self, account: str = "") -> Iterator[Row]:
        """Return the bills of an account, or all."""
        return (each for each in self.rows.bills if account in ("", each["account"]))

    def bill(self, number: str) -> Row | None:
        """Return a bill by its number."""
        return next((each for each in self.rows.bills if each["number"] == number), None)

    def lines(self, number: str = "") -> Iterator[tuple[int, Row]]:
        """Return the lines of a bill, or all, each with its index."""
        return (pair for pair in enumerate(self.rows.lines) if number in ("", pair[1]["bill"]))

    def entries(self) -> Iterator[tuple[int, Row]]:
        """Return usage and purchases not billed yet, each with its index."""
        return enumerate(self.rows.entries)

    def document(self, number: str) -> Row | None:
        """Return the issuer's document of a bill."""
        return next((each for each in self.rows.documents if each["bill"] == number), None)

    def part(self, row: Row) -> tuple[date, date] | None:
        """Return the days a line covers, as first day and exclusive end; None for whole months.

        They end with the newest month before the bill that has as many days as the line says.
        """
        bill = self.bill(row["bill"])
        if not row["days"] or bill is None:
            return None
        end = bill["issued"].replace(day=1)
        while (end - timedelta(days=1)).day != row["of_days"]:
            end = (end - timedelta(days=1)).replace(day=1)
        return end - timedelta(days=row["days"]), end

    def instant(self, day: date) -> str:
        """Return the start of a day in the operator's time zone, ISO 8601."""
        return datetime.combine(day, time(), self.rows.zone).isoformat()

    def app(self, routes: list[web.RouteDef]) -> web.Application:
        """Build the server's application: each request is logged, and waits while the server is frozen."""

        @web.middleware
        async def record_request(request: web.Request, handler: Any) -> web.StreamResponse:
            self.asked.append((request.method, request.path))
            await self.moving.wait()
            override = self.answer(request)
            return override if override is not None else await handler(request)

        app = web.Application(middlewares=[record_request])
        app.add_routes(routes)
        return app


def plain(amount: Decimal) -> float:
    """Return an amount as a JSON number, as such servers write it."""
    return float(amount)
