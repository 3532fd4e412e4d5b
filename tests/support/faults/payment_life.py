"""Life of a gateway that takes payments: payers pay while its worker books, until it is killed."""

import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from sqlalchemy import select

from flows.domain.actions import OperatorPorts
from flows.domain.failures import Failure
from flows.domain.payment_records import PaymentIntent, PaymentResolution
from flows.payments.opening import PaymentOpening
from flows.payments.payable import find_under_way, payment_ports
from flows.payments.payment_link import LinkedBill
from flows.payments.resolution import PaymentResolver
from gateway.http.listening import serve_app
from gateway.http.payment_callbacks import PAYMENT_CALLBACK_PATH, PaymentCallbackHandler
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.wiring.container import Container
from storage.sql.engine import Database
from storage.sql.tables import billing_bills, payment_intents

OPERATOR, CURRENCY = "orange-ro", "RON"
ACCOUNT, SUBSCRIPTION, LINE = "soak-account", "soak-line", "+40740000199"
BILLS_IN_HAND = 8
"""Unpaid bills that payers try at the same time, so that every bill comes to its end."""
ROUNDS = 40
"""What a life does at most, unless it is killed before."""
UNPAID_BILLS = (
    select(billing_bills.c.id)
    .where(
        billing_bills.c.account == ACCOUNT,
        billing_bills.c.remaining > 0,
        billing_bills.c.id.not_in(select(payment_intents.c.bill).where(payment_intents.c.state == "unknown")),
    )
    .order_by(billing_bills.c.id)
    .limit(BILLS_IN_HAND)
)
UNKNOWN_INTENTS = (
    select(payment_intents.c.id, payment_intents.c.bill)
    .where(payment_intents.c.state == "unknown")
    .order_by(payment_intents.c.id)
)
PayerPlan = Sequence[tuple[str, str]]
"""What a payer does with the first page, the second...: the button pressed and the provider's mode."""
PLANS: Sequence[PayerPlan] = (
    (("pay", "ok"),),
    (("pay", "silent"),),
    (("pay", "double"),),
    (("refuse", "ok"), ("pay", "ok")),
    (("", "silent"), ("pay", "ok")),
    (("pay", "ok"),),
    (("pay", "bad_signature"),),
    (("pay", "wrong_amount"), ("pay", "ok")),
)
"""An empty button: the page is left open, and paid when nobody expects it any more."""
LATE_PLAN = 4
"""Its first page is paid late, its second as well."""


def plan_of(bill_id: str) -> int:
    """Return the number of a bill's plan."""
    return crc32(bill_id.encode()) % len(PLANS)


@dataclass(slots=True)
class StepCounter:
    """Kills this process when so many steps have been reached; 0 for never."""

    left: int

    def reach(self) -> None:
        """Count a step."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def count_steps(built: Container, left: int) -> None:
    """Make every commit and every call to the provider three steps, or two: before, inside, after."""
    counter, write = StepCounter(left), built.database.write
    call: Callable[[ProviderClient, ProviderCall], Awaitable[Any]] = ProviderClient.call

    async def counted_write(job: Callable[[Any], Any], **named: Any) -> Any:
        def doomed(connection: Any) -> Any:
            made = job(connection)
            counter.reach()
            return made

        counter.reach()
        answer = await write(doomed, **named)
        counter.reach()
        return answer

    async def counted_call(self: ProviderClient, one: ProviderCall) -> Any:
        counter.reach()
        answer = await call(self, one)
        counter.reach()
        return answer

    object.__setattr__(built.database, "write", counted_write)
    type.__setattr__(ProviderClient, "call", counted_call)


@dataclass(slots=True)
class PayingPublic:
    """The payers of one life: each reads a bill, goes to the provider's page and presses a button."""

    database: Database = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    dice: random.Random = field(repr=False)
    browser: ClientSession = field(repr=False)

    async def go_on(self) -> bool:
        """Let one payer act; False when all bills are paid."""
        rows = await self.database.read(lambda connection: connection.execute(UNPAID_BILLS).all())
        if rows:
            with suppress(Failure):
                await self._pay(self.dice.choice(rows).id)
        return bool(rows)

    async def _pay(self, bill_id: str) -> None:
        """Do what the payment page does, then what the payer does on the provider's."""
        found = payment_ports(self.ports)
        intents = await found.intents.list_bill_intents(OPERATOR, ACCOUNT, bill_id)
        under_way = find_under_way(intents)
        if under_way and under_way.state != "pending":
            return
        bill = await found.booking.read_live_bill(ACCOUNT, bill_id)
        if bill.remaining <= 0:
            return
        linked = LinkedBill(ACCOUNT, bill_id, LINE, LINE, "ro")
        opening = PaymentOpening(self.ports, OPERATOR, CURRENCY)
        opened = await opening.start_payment(linked, SUBSCRIPTION, bill)
        earlier = [each for each in intents if each.id != opened.id]
        await self._press(opened, PLANS[plan_of(bill_id)], len(earlier))

    async def _press(self, intent: PaymentIntent, plan: PayerPlan, earlier: int) -> None:
        button, mode = plan[min(earlier, len(plan) - 1)]
        if not button:
            return
        form = {"action": button, "mode": mode}
        with suppress(ClientError, TimeoutError):
            async with self.browser.post(intent.page_url, data=form, allow_redirects=False):
                return


@dataclass(slots=True)
class SoakStaff:
    """Staff of one life: gives back at the provider what is unknown, then records it; half of it waits."""

    built: Container = field(repr=False)

    async def go_on(self) -> None:
        """Give back one payment by hand and record it; cut off anywhere, it is done again with the same key."""
        ports = self.built.operators[OPERATOR]
        found = payment_ports(ports)
        rows = await self.built.database.read(lambda connection: connection.execute(UNKNOWN_INTENTS).all())
        chosen = [row.id for row in rows if crc32(row.bill.encode()) // len(PLANS) % 2]
        intent = await found.intents.find_intent(OPERATOR, chosen[0]) if chosen else None
        if intent is None:
            return
        amount = (await found.provider.ask(intent)).amount
        await found.provider.refund(intent, amount, f"{intent.id}-hand")
        resolver = PaymentResolver(self.built.menu_versions.current_menu(OPERATOR), ports)
        await resolver.record(intent, PaymentResolution("refunded", amount, "staff", "soak"))


@asynccontextmanager
async def open_public(built: Container) -> AsyncIterator[PayingPublic]:
    """Serve the callbacks of the provider and yield the payers."""
    app, handler = web.Application(), PaymentCallbackHandler(built.guard, built.operators, built.clock)
    app.router.add_post(PAYMENT_CALLBACK_PATH, handler.handle_callback)
    async with serve_app(app, "127.0.0.1", built.settings.port):
        async with ClientSession(timeout=ClientTimeout(total=10)) as browser:
            dice = random.Random(os.getpid())
            yield PayingPublic(built.database, built.operators[OPERATOR], dice, browser)


async def run_payment_life(built: Container) -> None:
    """Pay bills and run the worker's tasks until killed, or for `ROUNDS` rounds."""
    staff = SoakStaff(built)
    async with open_public(built) as public:
        for _ in range(ROUNDS):
            with suppress(Failure):
                await staff.go_on()
                is_open = await public.go_on()
                count = await built.outbox_worker.run_once()
                if not count and not is_open:
                    return


async def run_payment_tasks(built: Container) -> None:
    """Run the worker's tasks until none is due; nobody pays any more, staff finish what they began.

    A database that is slow on a busy machine fails a round, not the life: what is left is due in the next one.
    """
    staff = SoakStaff(built)
    for _ in range(ROUNDS):
        with suppress(Failure):
            await staff.go_on()
            if not await built.outbox_worker.run_once():
                return
