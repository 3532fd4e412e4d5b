"""A phone in a GSM core: USSD through an MSC and osmo-hlr to a sandbox's link."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.providers.contract import Link
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.missing_channels import WithoutCalls
from tests.support.osmo_hlr import ANA, OsmoHlr
from tests.support.server_processes import poll_until
from tests.support.smpp_phone import hold_links
from tests.support.vlr_peer import ShownText, VlrPeer, connect_vlr


@dataclass(slots=True)
class GsupPhone(WithoutCalls):
    """Ana's phone; GSUP carries USSD only, and tells nobody that she hung up."""

    peer: VlrPeer = field(repr=False)

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Dial the code; what follows it stands in the dialled string."""
        if caller != ANA:
            raise DialogError(f"the HLR knows {ANA} only")
        return display_text(await self.peer.dial(code))

    async def press(self, keys: str) -> PhoneDisplay:
        return display_text(await self.peer.press(keys))

    async def repeat_last(self) -> PhoneDisplay:
        """Let the MSC send the last message again."""
        assert self.peer.last is not None
        self.peer.send(self.peer.last)
        return display_text(await self.peer.read_screen())

    async def hang_up(self) -> None:
        raise DialogError("GSUP reports no end")

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        raise DialogError("GSUP carries no SMS")


def display_text(shown: ShownText) -> PhoneDisplay:
    assert not shown.cause, f"the network ended the session with cause {shown.cause:#x}"
    return PhoneDisplay(tuple(shown.text.split("\n")), ends=shown.ends)


def held_link(sandbox: GatewaySandbox) -> Link | None:
    """Return the link the sandbox holds now."""
    return next(iter(sandbox.container.links.pool.links.values()), None)


async def wait_for_link(sandbox: GatewaySandbox, state: str = "up") -> None:
    """Wait until the sandbox's link is in a state."""

    async def has_state() -> bool:
        link = held_link(sandbox)
        return link is not None and link.report().state == state

    await poll_until(has_state, 30)


@asynccontextmanager
async def connect_gsup(
    sandboxes: SandboxFactory, hlr: OsmoHlr, more: dict[str, Any] | None = None, **sandbox_arguments: Any
) -> AsyncIterator[tuple[GsupPhone, GatewaySandbox]]:
    """Open a sandbox with a link to an HLR, and yield a phone behind that HLR."""
    settings = {"operators": {"orange-ro": {"gsup": hlr.settings(**(more or {}))}}}
    async with (
        sandboxes.open(more=settings, **sandbox_arguments) as sandbox,
        hold_links(sandbox),
        connect_vlr(hlr.host) as peer,
    ):
        await wait_for_link(sandbox)
        yield GsupPhone(peer), sandbox
