"""Fault-injecting billing backend: up, slow or down, for the demo and the tests."""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from flows.domain.failures import Down, Slow
from flows.domain.ports import Billing
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Subscriber
from flows.engine.subscriber_cache import People

T = TypeVar("T")


@dataclass(slots=True)
class Weather:
    """A billing backend whose state `up`, `slow` or `down` can be switched."""

    inner: Billing = field(repr=False)
    state: str = "up"

    def become(self, state: str) -> None:
        """Set the state to `up`, `slow` or `down`."""
        self.state = state

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number."""
        return await self._through(self.inner.subscriber(msisdn))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills."""
        return await self._through(self.inner.bills(account, limit, offset))

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill."""
        return await self._through(self.inner.bill(account, bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the lines of a bill."""
        return await self._through(self.inner.lines(account, bill_id))

    async def media(self, account: str) -> Media:
        """Return how bills are delivered to the account."""
        return await self._through(self.inner.media(account))

    async def set_media(self, account: str, media: Media) -> bool:
        """Request paper or e-mail bills."""
        return await self._through(self.inner.set_media(account, media))

    @property
    def capabilities(self) -> Collection[Capability]:
        """Return the optional capabilities of the backend."""
        return self.inner.capabilities

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Return usage or purchases."""
        return await self._through(self.inner.entries(account, what, limit))

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the issuer's bill document."""
        return await self._through(self.inner.document(account, bill_id))

    async def _through(self, asked: Awaitable[T]) -> T:
        """Await the backend, then raise Slow (its own timeout) or Down (no answer) if so set."""
        answer = await asked
        if self.state == "slow":
            raise Slow
        if self.state == "down":
            raise Down
        return answer


def spoiled(people: People) -> Weather:
    """Put a fault-injecting backend in front of an operator's billing and return it."""
    weather = Weather(people.world.billing)
    people.world = replace(people.world, billing=weather)
    return weather
