"""A telephone behind Asterisk: calls, keys and what is heard, through the ARI server of tests."""

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.dialogs.direct_line import require_number
from gateway.dialogs.format import Dialog, DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.providers._asterisk.asterisk_link import AsteriskLink
from menus.machine.menu import Menu
from tests.support.ari_server import PASSWORD, USER, AriCall, AriModes, AriServer, serve_ari
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.smpp_phone import hold_links

SPEECH = Path(__file__).parent / "spoken_words.sh"
HEARD_SECONDS = 30.0
APPLICATION = "dialtree-orange-ro-0"
SEEN_AS = "/asterisk/sounds"


def asterisk_settings(port: int, sounds: Path, **more: Any) -> dict[str, Any]:
    """Return the settings of a connection to the ARI server of tests."""
    account = {"url": f"http://127.0.0.1:{port}", "user": USER, "password": PASSWORD}
    trunk = {"trunk_endpoints": ["PJSIP/operator-trunk"], "retry_seconds": 0.5}
    places = {"sounds": str(sounds), "sounds_in_asterisk": SEEN_AS, "speech_command": ["sh", str(SPEECH)]}
    return {**account, **trunk, **places, **more}


@dataclass(slots=True)
class AriPhone:
    """One call at a time."""

    server: AriServer = field(repr=False)
    menu: Menu = field(repr=False)
    sounds: Path
    sandbox: GatewaySandbox = field(repr=False)
    application: str = APPLICATION
    now: AriCall | None = None

    @property
    def link(self) -> AsteriskLink:
        (link,) = self.sandbox.container.links.pool.links.values()
        assert isinstance(link, AsteriskLink)
        return link

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        require_number(self.menu.config.numbers.voice, number)
        await self.begin_call(caller)
        return await self.hear()

    async def begin_call(self, caller: str) -> AriCall:
        """Send a call into the application; what is played is heard later."""
        self.now = AriCall(f"1795774587.{next(self.server.numbers)}", self.application, caller)
        await self.server.enter(self.now, "411")
        return self.now

    async def press(self, keys: str) -> PhoneDisplay:
        await self.server.press(self.open_call, keys)
        return await self.hear()

    async def hang_up(self) -> None:
        await self.server.end_call(self.open_call)

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        raise DialogError("a trunk carries calls only")

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        raise DialogError("a trunk carries calls only")

    async def say(self, words: str) -> PhoneDisplay:
        raise DialogError("Asterisk recognises no speech here")

    async def press_nothing(self) -> PhoneDisplay:
        raise DialogError("time-outs have tests of their own")

    async def repeat_last(self) -> PhoneDisplay:
        raise DialogError("Asterisk delivers nothing again")

    @property
    def open_call(self) -> AriCall:
        assert self.now is not None
        return self.now

    async def hear(self) -> PhoneDisplay:
        """Return what is played next, and what follows it: keys are waited for, or the call ends."""
        lines = self.read_words(await self.next_done("play"))
        await wait_until(lambda: not self.open_call.done.empty() or self.is_listening)
        if self.is_listening:
            return PhoneDisplay(lines, self.link.calls[self.open_call.id].reply.gather)  # type: ignore[union-attr]
        kind, what = await self.open_call.done.get()
        transfer = self.open_call.variables["DIALTREE_AGENT"] if kind == "continue" else ""
        assert kind in ("hang_up", "continue"), (kind, what)
        return PhoneDisplay(lines, None, transfer, ends=True)

    async def wait_until_reviewed(self) -> None:
        """Return when the link has asked which calls there are."""
        await wait_until(lambda: self.link.is_reviewed)

    async def wait_until_served(self) -> None:
        """Return when the link has taken the call."""
        await wait_until(lambda: self.open_call.id in self.link.calls)

    async def wait_until_over(self) -> None:
        """Return when the link serves the call no longer."""
        await wait_until(lambda: self.open_call.id not in self.link.calls)

    @property
    def is_listening(self) -> bool:
        call = self.link.calls.get(self.open_call.id)
        return call is not None and call.stage == "listening"

    async def next_done(self, kind: str) -> Any:
        """Return the next thing done with the call, which must be of this kind."""
        async with asyncio.timeout(HEARD_SECONDS):
            done, what = await self.open_call.done.get()
        assert done == kind, (done, what)
        return what

    def read_words(self, media: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words of the files that are played."""
        return tuple(self.read_file(uri) for uri in media)

    def read_file(self, uri: str) -> str:
        return self.read_path(self.sounds / f"{uri.removeprefix(f'sound:{SEEN_AS}/')}.wav")

    def read_path(self, path: Path) -> str:
        with wave.open(str(path)) as file:
            samples: bytes = file.readframes(file.getnframes())
        return samples.decode().rstrip()


async def wait_until(holds: Callable[[], bool]) -> None:
    """Let others run until a condition holds that no event tells of."""
    async with asyncio.timeout(HEARD_SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def connect_asterisk(
    sandboxes: SandboxFactory,
    sounds: Path,
    modes: AriModes | None = None,
    settings: dict[str, Any] | None = None,
    dialog: Dialog | None = None,
) -> AsyncIterator[AriPhone]:
    """Open a sandbox with a link to an ARI server, and yield a telephone behind it.

    Its trunk proves the caller; with a dialog it proves what the dialog says.
    """
    async with serve_ari(modes) as server:
        section = asterisk_settings(server.port, sounds, **(settings or {}))
        section["trust"] = {"voice": "none"} | dialog.trust if dialog else {}
        more = {"operators": {"orange-ro": {"asterisk": section}}}
        opening = sandboxes.open_for(dialog, more) if dialog else sandboxes.open(more=more)
        async with opening as sandbox, hold_links(sandbox):
            async with asyncio.timeout(HEARD_SECONDS):
                assert await server.connects.get() == APPLICATION
                phone = AriPhone(server, sandbox.menu, sounds, sandbox)
                await phone.wait_until_reviewed()
            yield phone
