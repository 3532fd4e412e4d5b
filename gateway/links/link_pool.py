"""Link pool: the links this process holds now, what may be sent by them, and a sender over them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flows.domain.claim_scope import ClaimScope, Lane
from flows.domain.failures import LinkBusy
from flows.domain.records import OutboundMessage
from gateway.providers.contract import Link, SentMessage
from storage.links.slot_leases import LinkSlot

CONCURRENT_SENDS = 100
"""Messages a link's route sends at once; the window of each bind limits what is on its way."""


@dataclass(slots=True)
class LinkPool:
    """The links of this process, by slot; a process without links has an empty one."""

    lanes: Mapping[Lane, bool] = field(default_factory=dict)
    """Operators and routes sent by links, and whether links alone send them."""
    links: dict[LinkSlot, Link] = field(default_factory=dict, repr=False)
    only_links: bool = False
    """Whether this process sends nothing else: the role `dialtree link`."""

    def choose_lanes(self) -> ClaimScope:
        """Return what this process can send: messages of a link wait for the process that holds it."""
        usable = {lane for lane in self.lanes if self._is_usable(lane)}
        if self.only_links:
            return ClaimScope(only=usable)
        return ClaimScope(without=self.lanes.keys() - usable)

    def _is_usable(self, lane: Lane) -> bool:
        """Return whether a lane's link is held here and up; one that is down may fail over where it can."""
        own = [link for slot, link in self.links.items() if slot.operator == lane[0]]
        if not self.lanes[lane]:
            return bool(own)
        return any(link.report().state == "up" for link in own)

    def find_faults(self) -> list[str]:
        """Return a line for each link held here that is not up."""
        reports = {slot: link.report() for slot, link in self.links.items()}
        return [f"link {slot}: {each.state}" for slot, each in reports.items() if each.state != "up"]

    def links_of(self, operator: str, provider: str) -> Collection[Link]:
        """Return the links held here for a connection."""
        return [
            link for slot, link in self.links.items() if (slot.operator, slot.provider) == (operator, provider)
        ]


@dataclass(slots=True)
class LinkSender:
    """Sends by the link with the emptiest window; implements `Sender`."""

    pool: LinkPool = field(repr=False)
    operator: str
    provider: str
    max_concurrent_calls: int = CONCURRENT_SENDS

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send a notice; LinkBusy when no link is up, so that the next provider takes it or it waits."""
        links = self.pool.links_of(self.operator, self.provider)
        up = [link for link in links if link.report().state == "up"]
        if not up:
            raise LinkBusy("no link is up")
        return await min(up, key=lambda link: link.report().window).send(notice)

    async def close(self) -> None:
        """Do nothing: the links belong to their owners."""
