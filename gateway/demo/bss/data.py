"""In-memory records of the fake BSS servers: one operator of the demo world, and fault hooks."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from storage.demo.world import OperatorRows

BssRow = dict[str, Any]


@dataclass(slots=True)
class BssRecords:
    """Accounts, bills and lines of one operator, with a request log and fault hooks for tests."""

    rows: OperatorRows
    resumed_event: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    override_response: Callable[[web.Request], web.StreamResponse | None] = field(
        default=lambda request: None, repr=False
    )
    """Returns a response to send instead; None lets the request through."""
    faults: set[str] = field(default_factory=set)
    """Names of the fault modes that are on (`fault_modes.BSS_FAULTS`)."""
    accepted: list[tuple[BssRow, BssRow]] = field(default_factory=list, repr=False)
    """Changes of people that were accepted and are not made yet, as person and new values."""
    payments: list[BssRow] = field(default_factory=list, repr=False)
    """Payments booked, in the order they came."""
    charges: list[BssRow] = field(default_factory=list, repr=False)
    """Charges of merchants that were added, in the order they came."""
    drafts: list[BssRow] = field(default_factory=list, repr=False)
    """Invoices of such charges at Kill Bill, drafts at first."""
    late_bookings: list[Callable[[], None]] = field(default_factory=list, repr=False)
    """Bookings whose requests were not answered in time; made by `apply_accepted`."""
    requests: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Method and path of every request."""

    def __post_init__(self) -> None:
        self.resumed_event.set()

    def freeze(self) -> None:
        """Make requests wait until `thaw`."""
        self.resumed_event.clear()

    def thaw(self) -> None:
        """Answer the waiting requests and continue."""
        self.resumed_event.set()

    def change_person(self, person: BssRow, values: BssRow) -> None:
        """Change the columns of every line of a person's account."""
        for each in self.rows.people:
            if each["account"] == person["account"]:
                each.update(values)

    def apply_accepted(self) -> None:
        """Make the changes that were only accepted so far, and the bookings that are late."""
        while self.late_bookings:
            self.late_bookings.pop(0)()
        while self.accepted:
            self.change_person(*self.accepted.pop(0))

    def find_person(self, account: str) -> BssRow | None:
        """Return the person who holds an account."""
        return next((each for each in self.rows.people if each["account"] == account), None)

    def bills_of(self, account: str = "") -> Iterator[BssRow]:
        """Return the bills of an account, or all."""
        return (each for each in self.rows.bills if account in ("", each["account"]))

    def find_bill(self, number: str) -> BssRow | None:
        """Return a bill by its number."""
        return next((each for each in self.rows.bills if each["number"] == number), None)

    def lines_of(self, number: str = "") -> Iterator[tuple[int, BssRow]]:
        """Return the lines of a bill, or all, each with its index."""
        return (pair for pair in enumerate(self.rows.lines) if number in ("", pair[1]["bill"]))

    def list_entries(self) -> Iterator[tuple[int, BssRow]]:
        """Return usage and purchases not billed yet, each with its index."""
        return enumerate(self.rows.entries)

    def all_payments(self) -> list[BssRow]:
        """Return the payments there were at the beginning, and those booked since."""
        unit = self.rows.currency
        earlier = [{**row, "unit": unit, "id": f"H-{place}"} for place, row in enumerate(self.rows.payments)]
        return [*earlier, *self.payments]

    def find_document(self, number: str) -> BssRow | None:
        """Return the issuer's document of a bill."""
        return next((each for each in self.rows.documents if each["bill"] == number), None)

    def covered_days(self, row: BssRow) -> tuple[date, date] | None:
        """Return the days a line covers, as first day and exclusive end; None for whole months.

        They end with the newest month before the bill that has as many days as the line says.
        """
        bill = self.find_bill(row["bill"])
        if not row["days"] or bill is None:
            return None
        end = bill["issued"].replace(day=1)
        while (end - timedelta(days=1)).day != row["of_days"]:
            end = (end - timedelta(days=1)).replace(day=1)
        return end - timedelta(days=row["days"]), end

    def day_start(self, day: date) -> str:
        """Return the start of a day in the operator's time zone, ISO 8601."""
        return datetime.combine(day, time(), self.rows.zone).isoformat()

    def create_app(self, routes: list[web.RouteDef]) -> web.Application:
        """Build the server's application: each request is logged, and waits while the server is frozen."""

        @web.middleware
        async def record_request(request: web.Request, handler: Any) -> web.StreamResponse:
            self.requests.append((request.method, request.path))
            await self.resumed_event.wait()
            override = self.override_response(request)
            return override if override is not None else await handler(request)

        app = web.Application(middlewares=[record_request])
        app.add_routes(routes)
        return app


def json_number(amount: Decimal) -> float:
    """Return an amount as a JSON number, as such servers write it."""
    return float(amount)


def split_proportionally(whole: Decimal, parts: list[Decimal], unit: Decimal) -> list[Decimal]:
    """Divide `whole` in proportion to the parts, rounded to `unit` so that the sum is exact."""
    total, assigned = sum(parts, Decimal(0)), Decimal(0)
    results = []
    for part in parts[:-1]:
        results.append((whole * part / total).quantize(unit))
        assigned += results[-1]
    return [*results, whole - assigned] if parts else []
