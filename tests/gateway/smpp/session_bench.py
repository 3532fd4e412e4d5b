"""A session bound to the simulated SMSC on loopback, with short timers and a clock that can be set ahead."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from flows.domain.records import Secret
from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.smpp.session_settings import SessionCallbacks, SessionRuntime, SmppSettings
from gateway.smpp.smpp_session import SmppSession
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.sms_records import DeliveryReceipt, IncomingMessage, OutgoingMessage, SubmitOutcome

SERVICE, SENDER = SmppAddress("477", 3, 0), SmppAddress("Orange", 5, 0)
FAST: dict[str, Any] = {
    "response_seconds": 0.3,
    "throttle_seconds": 0.05,
    "hold_seconds": 0.05,
}
TEST_SECONDS = 20.0


@dataclass
class SteppedRuntime:
    """A monotonic clock that can be set ahead, waits that are noted and short, and a fixed fraction."""

    ahead_seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(min(seconds, 0.01))

    @property
    def runtime(self) -> SessionRuntime:
        return SessionRuntime(self.monotonic, self.sleep, lambda: 0.5)


@dataclass
class SessionBench:
    """A session, the SMSC it is bound to, and what its callbacks got."""

    smsc: SmscSimulator
    clock: SteppedRuntime
    session: SmppSession
    messages: list[IncomingMessage]
    events: list[object]
    """Outcomes and receipts in the order they came."""
    statuses: list[int]
    """What `on_message` answers, one after the other; then 0."""
    gate: asyncio.Event
    """`on_message` waits for it."""

    async def submit(self, number: str = "40740000101", text: str = "Factura", **fields: Any) -> SubmitOutcome:
        destination = SmppAddress(number, 1, 1)
        outcome = await self.session.submit(OutgoingMessage(destination, text, SENDER, **fields))
        self.events.append(outcome)
        return outcome

    async def text(self, text: str = "ThankYou1") -> int:
        source = SmppAddress("40740000101", 1, 1)
        return await self.smsc.deliver(ShortMessage(source, SERVICE, text.encode()))

    @property
    def receipts(self) -> list[DeliveryReceipt]:
        return [event for event in self.events if isinstance(event, DeliveryReceipt)]

    async def wait_for(self, what: str, count: int = 1) -> None:
        """Wait until this many of `messages`, `receipts` or `connections` are there."""
        async with asyncio.timeout(TEST_SECONDS):
            while len(getattr(self.smsc if what == "connections" else self, what)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    async def rebind(self) -> None:
        """Wait until the session is bound once more."""
        binds = self.session.counters.binds
        async with asyncio.timeout(TEST_SECONDS):
            while self.session.counters.binds == binds or self.session.state != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    def pass_start(self) -> None:
        """Set the clock past the time after a start in which every message may be a repeat."""
        self.clock.ahead_seconds += 400


@contextlib.asynccontextmanager
async def bound_session(
    modes: SmscModes | None = None, *, is_up: bool = True, **settings: Any
) -> AsyncIterator[SessionBench]:
    """Run a session against a simulated SMSC; `is_up` False does not wait for the bind."""
    smsc = SmscSimulator(modes or SmscModes())
    async with smsc.serve() as port:
        base = SmppSettings("127.0.0.1", port, "dialtree", Secret("secret"), **FAST)
        bench = build_bench(smsc, replace(base, **settings))
        run = asyncio.create_task(bench.session.run())
        try:
            if is_up:
                async with asyncio.timeout(TEST_SECONDS):
                    await bench.session.wait_until_up()
            yield bench
        finally:
            run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run


def build_bench(smsc: SmscSimulator, settings: SmppSettings) -> SessionBench:
    """Build a session whose callbacks note what they get."""
    messages: list[IncomingMessage] = []
    events: list[object] = []
    statuses: list[int] = []
    gate = asyncio.Event()
    gate.set()

    async def take_message(message: IncomingMessage) -> int:
        messages.append(message)
        await gate.wait()
        return statuses.pop(0) if statuses else 0

    async def take_receipt(receipt: DeliveryReceipt) -> int:
        events.append(receipt)
        return 0

    clock = SteppedRuntime()
    session = SmppSession(settings, SessionCallbacks(take_message, take_receipt), clock.runtime)
    return SessionBench(smsc, clock, session, messages, events, statuses, gate)
