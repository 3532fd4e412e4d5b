"""Link pool: whose messages a process claims, and which link sends one."""

import pytest

from flows.domain.claim_scope import ClaimScope
from flows.domain.failures import LinkBusy
from flows.domain.records import OutboundMessage
from gateway.links.link_pool import LinkPool, LinkSender
from gateway.providers.contract import LinkReport, LinkState, SentMessage
from storage.links.slot_leases import LinkSlot

LANE, MIXED = ("orange-ro", "sms"), ("bouygues", "sms")
NOTICE = OutboundMessage("k", "orange-ro", "+40740000101", "sms", "notice", "text", "ro")


class StillLink:
    """A link in one state."""

    def __init__(self, state: LinkState = "up", window: int = 0) -> None:
        self.state, self.window = state, window

    async def run(self) -> None: ...

    async def send(self, notice: OutboundMessage) -> SentMessage:
        return SentMessage("smpp", f"window {self.window}")

    async def drain(self) -> None: ...

    def report(self) -> LinkReport:
        return LinkReport(self.state, window=self.window)


def pool_with(**links: StillLink) -> LinkPool:
    slots = {LinkSlot(name.replace("_", "-"), "smpp", 0): link for name, link in links.items()}
    return LinkPool({LANE: True, MIXED: False}, dict(slots))


def test_messages_of_a_link_are_left_to_the_process_that_holds_it() -> None:
    assert pool_with().choose_lanes() == ClaimScope(without={LANE, MIXED})
    assert pool_with(orange_ro=StillLink()).choose_lanes() == ClaimScope(without={MIXED})


def test_a_process_of_links_claims_nothing_else() -> None:
    pool = pool_with(orange_ro=StillLink())
    pool.only_links = True
    assert pool.choose_lanes() == ClaimScope(only={LANE})


@pytest.mark.parametrize("state", ["down", "refused"])
def test_a_link_that_is_down_keeps_its_messages_unless_another_way_is_left(state: LinkState) -> None:
    pool = pool_with(orange_ro=StillLink(state), bouygues=StillLink(state))
    assert pool.choose_lanes() == ClaimScope(without={LANE})


async def test_the_emptiest_window_sends() -> None:
    pool = pool_with(orange_ro=StillLink(window=9))
    pool.links[LinkSlot("orange-ro", "smpp", 1)] = StillLink(window=2)
    pool.links[LinkSlot("orange-ro", "smpp", 2)] = StillLink("down")
    assert (await LinkSender(pool, "orange-ro", "smpp").send(NOTICE)).message_id == "window 2"


async def test_without_a_link_nothing_was_attempted() -> None:
    with pytest.raises(LinkBusy):
        await LinkSender(pool_with(), "orange-ro", "smpp").send(NOTICE)


def test_faults_name_the_links_that_are_down() -> None:
    assert pool_with(orange_ro=StillLink("refused")).find_faults() == ["link orange-ro/smpp/0: refused"]
