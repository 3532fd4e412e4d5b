"""Books of the payments soak: compares the provider's own ledger with billing's and with the intents."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert, select

from gateway.demo.payfake import Payfake
from storage.sql.engine import Database
from storage.sql.payment_schema import payment_resolutions
from storage.sql.tables import billing_bills, billing_payments, billing_subscribers, outbox, payment_intents
from tests.support.faults.payment_life import ACCOUNT, LATE_PLAN, LINE, OPERATOR, SUBSCRIPTION, plan_of

OPEN_STATES = frozenset({"confirmed", "pending", "unknown", "succeeded", "booking", "refunding"})
FIRST_DAY = date(2026, 1, 1)
PATIENCE_SECONDS = 60.0
"""Time of one query of the books: they are compared while two gateways run, on a machine that may be busy."""


@dataclass(frozen=True, slots=True)
class BooksVerdict:
    """Where the money is that payers have paid; amounts in the operator's currency."""

    intent_count: int
    money_in: Decimal
    booked: Decimal
    refunded: Decimal
    open: Decimal
    by_hand: Decimal
    """What staff recorded as given back by hand, a part of `refunded`."""
    lost: frozenset[str]
    """Payments whose money is neither booked, nor given back, nor in the hands of the gateway."""
    double: frozenset[str]
    """Payments counted twice, and bills for which more was booked than they asked for."""
    misrecorded: frozenset[str]
    """Payments whose record by staff is not what the provider gave back."""

    @property
    def is_balanced(self) -> bool:
        """Whether every payment is in one place, and no money is missing."""
        in_places = self.booked + self.refunded + self.open
        faults = self.lost | self.double | self.misrecorded
        return not faults and self.money_in == in_places


@dataclass(slots=True)
class PaymentBooks:
    """The three sides of a soak: the provider in this process, billing's tables and the intents' table."""

    database: Database
    payfake: Payfake
    totals: dict[str, Decimal] = field(default_factory=dict)
    """What each bill asks for."""

    async def insert_bills(self, count: int) -> None:
        """Insert the account with its unpaid bills, each of another amount."""
        bills = [self._bill_row(number) for number in range(count)]
        self.totals = {each["id"]: each["total"] for each in bills}

        def job(connection: Connection) -> None:
            connection.execute(insert(billing_subscribers), _subscriber_row())
            connection.execute(insert(billing_bills), bills)

        await self.database.write(job, seconds=PATIENCE_SECONDS)

    async def pay_forgotten_pages(self) -> None:
        """Pay the pages that were left open and whose bill was paid on another page: two payers of one bill."""
        paid_bills = {each["label"] for each in self.payfake.sessions.values() if each["status"] == "paid"}
        for session in list(self.payfake.sessions.values()):
            is_forgotten = plan_of(session["label"]) == LATE_PLAN and session["status"] == "expired"
            if is_forgotten and session["label"] in paid_bills:
                await self.payfake.pay_late(session["id"])

    async def read_verdict(self) -> BooksVerdict:
        """Compare the three sides; what is paid meanwhile is left to the next comparison."""
        paid = self._paid_sessions()
        intents, bookings, receipts, by_hand = await self.database.read(_read_rows, seconds=PATIENCE_SECONDS)
        back = Counter(each["session"].removeprefix("s-") for each in self.payfake.refunds.values())
        given = self._given_back()
        places = [*_places(paid, bookings, back, intents)]
        sums: dict[str, Decimal] = {"booked": Decimal(0), "refunded": Decimal(0), "open": Decimal(0)}
        for key, place in places:
            if place in sums:
                sums[place] += Decimal(paid[key]["amount"])
        unreceipted = {key for key, state in intents.items() if state == "booked"} - receipts
        return BooksVerdict(
            intent_count=len(intents),
            money_in=sum((Decimal(each["amount"]) for each in paid.values()), Decimal(0)),
            **sums,
            by_hand=sum(by_hand.values(), Decimal(0)),
            misrecorded=frozenset(key for key, amount in by_hand.items() if given[key] != amount),
            lost=frozenset({key for key, place in places if place == "lost"} | unreceipted),
            double=frozenset(
                {key for key, place in places if place == "double"}
                | (bookings.keys() - self._paid_sessions().keys())
                | {*self._overpaid_bills(bookings)}
                | {key for key, count in back.items() if count > 1}
            ),
        )

    async def is_settled(self) -> bool:
        """Return whether no payment is under way any more; what is `unknown` waits for people."""
        moving = select(payment_intents.c.id).where(payment_intents.c.state.in_(OPEN_STATES - {"unknown"}))
        rows = await self.database.read(
            lambda connection: connection.execute(moving).all(), seconds=PATIENCE_SECONDS
        )
        return not rows

    def _paid_sessions(self) -> dict[str, dict[str, Any]]:
        return {
            each["payment"]: dict(each) for each in self.payfake.sessions.values() if each["status"] == "paid"
        }

    def _given_back(self) -> Mapping[str, Decimal]:
        """Return what the provider gave back of each payment."""
        given: dict[str, Decimal] = defaultdict(Decimal)
        for each in self.payfake.refunds.values():
            given[each["session"].removeprefix("s-")] += Decimal(each["amount"])
        return given

    def _overpaid_bills(self, bookings: Mapping[str, tuple[str, Decimal]]) -> Iterator[str]:
        booked: dict[str, Decimal] = defaultdict(Decimal)
        for bill, amount in bookings.values():
            booked[bill] += amount
        return (bill for bill, amount in booked.items() if amount > self.totals[bill])

    def _bill_row(self, number: int) -> dict[str, Any]:
        amount, issued = Decimal(1000 + number).scaleb(-2), FIRST_DAY + timedelta(days=number % 28)
        bill = f"soak-{number:05}"
        day = {"issued": issued, "due": issued + timedelta(days=14)}
        money = {"total": amount, "tax": Decimal(0), "remaining": amount}
        return {"operator": OPERATOR, "id": bill, "number": bill, "account": ACCOUNT, **day, **money}


def _places(
    paid: Mapping[str, Any], bookings: Mapping[str, Any], back: Mapping[str, Any], intents: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield where the money of each payment is; `double` when it is in two places."""
    for key in paid:
        if key in bookings and key in back:
            yield key, "double"
        elif key in bookings or key in back:
            yield key, "booked" if key in bookings else "refunded"
        else:
            is_open = intents.get(key) in OPEN_STATES or intents.get(key) in ("failed", "expired")
            yield key, "open" if is_open else "lost"


def _read_rows(
    connection: Connection,
) -> tuple[dict[str, str], dict[str, tuple[str, Decimal]], frozenset[str], dict[str, Decimal]]:
    """Return the intents' states, billing's bookings, whose receipt was enqueued, and what staff recorded."""
    states = select(payment_intents.c.id, payment_intents.c.state)
    booked = select(billing_payments.c.key, billing_payments.c.bill, billing_payments.c.amount)
    by_hand = select(payment_resolutions.c.intent, payment_resolutions.c.amount)
    receipts = select(outbox.c.key).where(outbox.c.key.like("%/receipt"))
    return (
        {row.id: row.state for row in connection.execute(states)},
        {row.key: (row.bill, row.amount) for row in connection.execute(booked)},
        frozenset(row.key.removesuffix("/receipt") for row in connection.execute(receipts)),
        {row.intent: row.amount for row in connection.execute(by_hand)},
    )


def _subscriber_row() -> dict[str, Any]:
    texts = {"name": "Soak", "kind": "mobile", "segment": "consumer", "language": "ro", "media": "paper"}
    row = {"id": SUBSCRIPTION, "operator": OPERATOR, "msisdn": LINE, "account": ACCOUNT, **texts}
    return row | {"since": FIRST_DAY, "email_validated": False, "sim_changed_at": None}
