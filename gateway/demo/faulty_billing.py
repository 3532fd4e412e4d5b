"""The weather of billing: a backend behind a line that can be spoiled, for the demo and the tests."""

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
    """Billing that is up, slow or down as it is told."""

    inner: Billing = field(repr=False)
    state: str = "up"

    def become(self, state: str) -> None:
        """`up`, `slow` or `down` from now on."""
        self.state = state

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number."""
        return await self._through(self.inner.subscriber(msisdn))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Issued bills."""
        return await self._through(self.inner.bills(account, limit, offset))

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill."""
        return await self._through(self.inner.bill(account, bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The bill's detail."""
        return await self._through(self.inner.lines(account, bill_id))

    async def media(self, account: str) -> Media:
        """How bills reach the account."""
        return await self._through(self.inner.media(account))

    async def set_media(self, account: str, media: Media) -> bool:
        """Ask for paper or e-mail."""
        return await self._through(self.inner.set_media(account, media))

    @property
    def capabilities(self) -> Collection[Capability]:
        """What the backend can do besides."""
        return self.inner.capabilities

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """What was used or bought."""
        return await self._through(self.inner.entries(account, what, limit))

    async def document(self, account: str, bill_id: str) -> Document:
        """The issuer's own document."""
        return await self._through(self.inner.document(account, bill_id))

    async def _through(self, asked: Awaitable[T]) -> T:
        """What a backend says when its own timeout is over, or when nobody answers."""
        answer = await asked
        if self.state == "slow":
            raise Slow
        if self.state == "down":
            raise Down
        return answer


def spoiled(people: People) -> Weather:
    """Put the weather between an operator's people and their billing."""
    weather = Weather(people.world.billing)
    people.world = replace(people.world, billing=weather)
    return weather
