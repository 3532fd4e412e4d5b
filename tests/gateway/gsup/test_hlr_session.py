"""HLR sessions: identity, pings both ways, half a frame, lying lengths, silence, an idle name, look-ups."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.gsup.gsup_message import GsupMessage, GsupType, SessionPhase, encode_gsup
from gateway.gsup.hlr_session import HlrSession
from gateway.gsup.hlr_settings import HlrSettings
from gateway.gsup.ipa_frames import CCM_STREAM, CcmType, encode_ccm, encode_frame
from gateway.gsup.subscriber_lookup import LookupFailed, find_number, read_number
from gateway.gsup.ussd_component import ComponentType, UssdComponent, UssdOperation, encode_component
from gateway.gsup.ussd_text import encode_ussd_text
from tests.support.fake_hlr import TEST_SECONDS, FakeHlr, serve_fake_hlr, write_dial
from tests.support.installed_programs import run_installed
from tests.support.osmo_hlr import ANA, ANA_IMSI, ENTITY, GSUP_PORT, NUMBERLESS_IMSI, STRANGER_IMSI, OsmoHlr
from tests.support.server_processes import poll_until
from tests.support.vlr_peer import VlrPeer, connect_vlr

HALF_A_FRAME = struct.pack(">HB", 60_000, 0xEE) + b"\x05\x20"


@pytest.fixture
async def hlr() -> AsyncIterator[FakeHlr]:
    async with serve_fake_hlr() as served:
        yield served


@pytest.fixture(scope="module")
def osmo_hlr() -> Iterator[OsmoHlr]:
    with run_installed(OsmoHlr) as server:
        yield server


class Entity:
    """An entity that notes what arrives."""

    def __init__(self, settings: HlrSettings) -> None:
        self.messages: asyncio.Queue[GsupMessage] = asyncio.Queue()
        self.session = HlrSession(settings, self.messages.put_nowait)

    async def next_message(self) -> GsupMessage:
        return await asyncio.wait_for(self.messages.get(), TEST_SECONDS)


async def wait_until(holds: Callable[[], bool]) -> None:
    async def holds_now() -> bool:
        return holds()

    await poll_until(holds_now, TEST_SECONDS)


@asynccontextmanager
async def run_entity(settings: HlrSettings) -> AsyncIterator[Entity]:
    entity = Entity(settings)
    running = asyncio.create_task(entity.session.run())
    try:
        yield entity
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_hlr_asks_for_our_name_and_pings(hlr: FakeHlr) -> None:
    async with run_entity(hlr.settings()) as entity:
        await asyncio.wait_for(entity.session.wait_until_up(), TEST_SECONDS)
        await hlr.identified()
        hlr.write(encode_ccm(CcmType.PING) + encode_frame(CCM_STREAM, b"") + encode_frame(0x11, b"?"))
        hlr.send(write_dial("*100#"))
        assert await entity.next_message() == write_dial("*100#")
    assert b"\0EUSE-dialtree\0" in hlr.identities[0] and hlr.pongs == 1


@pytest.mark.parametrize(
    "octets",
    [b"\x20\x01\xff", b"\x20", encode_gsup(write_dial("*100#"))[:-3], b"\x22\x31\x01\x07"],
    ids=["length past the end", "nothing", "cut short", "unknown state"],
)
async def test_a_broken_message_is_counted_and_the_next_one_read(hlr: FakeHlr, octets: bytes) -> None:
    async with run_entity(hlr.settings()) as entity:
        await hlr.identified()
        hlr.send_octets(octets)
        hlr.send(write_dial("*100#"))
        await entity.next_message()
        assert entity.session.counters.malformed == 1 and hlr.connections == 1


async def test_messages_of_location_management_are_left_alone(hlr: FakeHlr) -> None:
    async with run_entity(hlr.settings()) as entity:
        await hlr.identified()
        hlr.send_octets(b"\x05\x01\x08\x09\x91\x09")
        hlr.send(write_dial("*100#"))
        await entity.next_message()
        assert (entity.session.counters.malformed, entity.session.counters.received) == (0, 1)


async def test_a_frame_in_pieces_is_read_and_half_a_frame_ends_the_connection(hlr: FakeHlr) -> None:
    frame = encode_frame(0xEE, b"\x05" + encode_gsup(write_dial("*100#")))
    async with run_entity(hlr.settings()) as entity:
        await hlr.identified()
        for octet in frame:
            hlr.write(bytes([octet]))
            await asyncio.sleep(0)
        assert await entity.next_message() == write_dial("*100#")
        hlr.write(HALF_A_FRAME)
        hlr.writers[-1].close()
        await hlr.identified(2)
        hlr.send(write_dial("*100*1#"))
        assert await entity.next_message() == write_dial("*100*1#")


@pytest.mark.parametrize(
    "begun", [b"", struct.pack(">HB", 60_000, 0xEE) + b"\x05\x20"], ids=["mute", "in a frame"]
)
async def test_an_hlr_that_answers_no_ping_is_left(hlr: FakeHlr, begun: bytes) -> None:
    hlr.answers_pings = False
    async with run_entity(hlr.settings(ping_seconds=0.01, answer_seconds=0.05)) as entity:
        await hlr.identified()
        hlr.write(begun)
        await hlr.identified(3)
        assert entity.session.counters.connections >= 2 and hlr.pings >= 2


async def test_an_hlr_that_asks_nothing_is_not_up(hlr: FakeHlr) -> None:
    hlr.asks_identity = False
    async with run_entity(hlr.settings(answer_seconds=0.05)) as entity:
        await wait_until(lambda: hlr.connections >= 2)
        assert entity.session.state == "down"
        assert not await entity.session.send(write_dial("*100#"), 0.01)


async def test_a_reply_waits_for_the_next_connection(hlr: FakeHlr) -> None:
    async with run_entity(hlr.settings()) as entity:
        await hlr.identified()
        hlr.writers[-1].transport.abort()
        before = hlr.connections
        reply = GsupMessage(GsupType.RESULT, ANA_IMSI, b"\x20\0\0\1", SessionPhase.END)
        await wait_until(lambda: entity.session.state == "down" or hlr.connections > before)
        assert await entity.session.send(reply, TEST_SECONDS)
        assert await hlr.next_message() == reply


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (b"GET_REPLY 1 subscriber.info\nmsisdn\t40740000101\nimsi\t1", "40740000101"),
        (b"GET_REPLY 1 subscriber.info\nimsi\t1", ""),
        (b"GET_REPLY 1 subscriber.info\nmsisdn\t<none>", ""),
        (b"ERROR 1 No such subscriber.", ""),
    ],
)
async def test_a_number_is_looked_up(hlr: FakeHlr, answer: bytes, number: str) -> None:
    hlr.control_answer = answer
    assert await find_number(hlr.settings(), ANA_IMSI) == number


@pytest.mark.parametrize("answer", [None, b"GET_REPLY 2 other", b"\xff\xff"])
async def test_an_answer_that_does_not_come_is_a_failure(hlr: FakeHlr, answer: bytes | None) -> None:
    hlr.control_answer = answer
    with pytest.raises(LookupFailed):
        await find_number(hlr.settings(answer_seconds=0.05), ANA_IMSI)


async def test_without_an_hlr_no_number_is_found(hlr: FakeHlr) -> None:
    async with serve_fake_hlr() as gone:
        settings = gone.settings(answer_seconds=0.5)
    with pytest.raises(LookupFailed):
        await find_number(settings, ANA_IMSI)


def test_a_number_is_digits_only() -> None:
    assert read_number("msisdn\t+4074\u0660") == read_number("msisdn\t") == read_number("msisdn") == ""


def settings_of(server: OsmoHlr, **more: Any) -> HlrSettings:
    return replace(HlrSettings(server.host, GSUP_PORT, ENTITY, longest_wait_seconds=0.05), **more)


async def test_osmo_hlr_knows_whose_an_imsi_is(osmo_hlr: OsmoHlr) -> None:
    settings = settings_of(osmo_hlr, answer_seconds=20)
    found = [await find_number(settings, each) for each in (ANA_IMSI, NUMBERLESS_IMSI, STRANGER_IMSI)]
    assert found == [ANA[1:], "", ""]


async def show_text(entity: Entity, peer: VlrPeer, text: str) -> str:
    """Let the phone dial and the entity answer with a last text; return what the phone shows.

    The HLR learns our name a moment after we have sent it; until then it sends a dialled code to nobody.
    """
    dialling = asyncio.create_task(peer.dial("*100#"))
    await wait_until(lambda: bool(entity.messages.qsize()) or dialling.done())
    if dialling.done():
        return await show_text(entity, peer, text)
    request = await entity.next_message()
    component = UssdComponent(
        ComponentType.RETURN_RESULT, 7, UssdOperation.PROCESS_REQUEST, *encode_ussd_text(text)
    )
    last = SessionPhase.END
    reply = GsupMessage(GsupType.RESULT, request.imsi, request.session_id, last, encode_component(component))
    assert await entity.session.send(reply, TEST_SECONDS)
    return (await dialling).text


@pytest.mark.parametrize("text", ["a" * 128, "ف" * 56, "é€" * 40, "1"])
async def test_what_fits_into_128_septets_passes_osmo_hlr(osmo_hlr: OsmoHlr, text: str) -> None:
    async with run_entity(settings_of(osmo_hlr)) as entity, connect_vlr(osmo_hlr.host) as peer:
        await asyncio.wait_for(entity.session.wait_until_up(), TEST_SECONDS)
        assert await show_text(entity, peer, text) == text


async def test_a_name_is_won_after_the_connection_that_had_it_is_gone(osmo_hlr: OsmoHlr) -> None:
    impatient = settings_of(osmo_hlr, idle_seconds=0.5, ping_seconds=0.1)
    async with AsyncExitStack() as first, connect_vlr(osmo_hlr.host) as peer:
        holder = await first.enter_async_context(run_entity(settings_of(osmo_hlr)))
        await asyncio.wait_for(holder.session.wait_until_up(), TEST_SECONDS)
        async with run_entity(impatient) as entity:
            await wait_until(lambda: entity.session.counters.connections >= 2)
            assert await show_text(holder, peer, "held") == "held"
            await first.aclose()
            opened = entity.session.counters.connections
            await wait_until(lambda: entity.session.counters.connections > opened)
            assert await show_text(entity, peer, "won") == "won"
