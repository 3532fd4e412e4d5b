"""An Asterisk that restarts, forgets, does not answer or refuses: calls go on or end, effects happen once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from flows.domain.records import Secret
from gateway.asterisk.ari_client import AriAccount, AriClient, AriError
from gateway.asterisk.event_stream import StreamRuntime
from tests.support.ari_phone import HEARD_SECONDS, AriPhone, connect_asterisk
from tests.support.ari_server import AriModes
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import SandboxFactory

CALLER = "+40740000101"
HOME, BILLS = "Bine ați venit la Orange.", "Informații despre factură."
CONFIRM = "Doriți să treceți la factura electronică? Este gratuită și înlocuiește factura pe hârtie."


@pytest.fixture
async def phone(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[AriPhone]:
    async with connect_asterisk(sandboxes, tmp_path) as connected:
        yield connected


async def reconnect(phone: AriPhone) -> None:
    """Wait until the link is connected again."""
    async with asyncio.timeout(HEARD_SECONDS):
        await phone.server.connects.get()


async def hear_confirmation(phone: AriPhone) -> None:
    """Call and go to the question before e-invoicing is switched on."""
    await phone.call(CALLER, "411")
    await phone.press("1")
    assert (await phone.press("2")).lines[0] == CONFIRM


async def count_consents(phone: AriPhone) -> int:
    return await count_rows(phone.sandbox.container.database, "consents")


async def test_after_a_lost_connection_the_current_screen_is_said_again(phone: AriPhone) -> None:
    await hear_confirmation(phone)
    await phone.server.drop_sockets()
    await phone.server.press(phone.open_call, "1")  # nobody hears it
    await reconnect(phone)
    assert (await phone.hear()).lines[0] == CONFIRM
    assert (await count_consents(phone)) == 0
    assert (await phone.press("1")).ends
    assert (await count_consents(phone)) == 1


async def test_a_connection_lost_in_a_playback_plays_it_again(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with connect_asterisk(sandboxes, tmp_path, AriModes(holds_playbacks=True)) as phone:
        call = await phone.begin_call(CALLER)
        first = await phone.next_done("play")
        await phone.server.drop_sockets()
        await phone.server.end_playback(call)
        await reconnect(phone)
        assert await phone.next_done("play") == first


async def test_a_restarted_asterisk_ends_the_call_and_nothing_happens_twice(phone: AriPhone) -> None:
    await hear_confirmation(phone)
    await phone.server.restart()
    await reconnect(phone)
    await phone.wait_until_over()
    assert (await count_consents(phone), phone.link.report().state) == (0, "up")
    assert (await phone.call(CALLER, "411")).lines


async def test_a_call_that_ended_unheard_is_ended(phone: AriPhone) -> None:
    await phone.call(CALLER, "411")
    await phone.server.drop_sockets()
    await phone.server.end_call(phone.open_call)
    await reconnect(phone)
    await phone.wait_until_over()


async def test_a_call_another_process_began_goes_on_at_its_screen(phone: AriPhone) -> None:
    await hear_confirmation(phone)
    await stop_serving(phone)
    await phone.server.drop_sockets()
    await reconnect(phone)
    assert (await phone.hear()).lines[0] == CONFIRM
    assert (await phone.press("1")).ends
    assert await count_consents(phone) == 1


async def stop_serving(phone: AriPhone) -> None:
    """Forget the calls without a word to anybody, as a killed process does."""
    tasks = [*phone.link._tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not phone.link.calls


async def test_a_call_that_came_while_nobody_was_connected_is_served(phone: AriPhone) -> None:
    await phone.server.drop_sockets()
    await phone.begin_call(CALLER)
    await reconnect(phone)
    assert (await phone.hear()).lines[0] == HOME


async def test_a_playback_that_failed_is_tried_once_more(phone: AriPhone) -> None:
    phone.server.modes.failing_playbacks = 1
    await phone.begin_call(CALLER)
    failed = await phone.next_done("fail")
    assert phone.read_words(failed) == (await phone.hear()).lines


async def test_prompts_that_never_play_still_let_the_caller_choose(phone: AriPhone) -> None:
    phone.server.modes.failing_playbacks = 2
    await phone.begin_call(CALLER)
    await phone.next_done("fail")
    await phone.next_done("fail")
    assert (await phone.press("1")).lines[0] == BILLS


async def test_a_vanished_channel_ends_its_call_only(phone: AriPhone) -> None:
    await phone.call(CALLER, "411")
    phone.open_call.is_up = False  # its end is not told
    await phone.server.press(phone.open_call, "1")
    await phone.wait_until_over()
    assert (await phone.call(CALLER, "411")).lines


async def test_events_of_unknown_calls_and_garbage_are_no_harm(phone: AriPhone) -> None:
    socket = phone.server.sockets[phone.application]
    for text in ("", "[]", "{}", '{"type": "StasisStart"}', '{"type": "StasisEnd", "channel": {"id": "9.9"}}'):
        await socket.send_str(text)
    await socket.send_bytes(b"\x00")
    await socket.send_str('{"type": "ChannelDtmfReceived", "digit": "A", "channel": {"id": "9.9"}}')
    await socket.send_str('{"type": "PlaybackFinished", "playback": {"id": "x", "target_uri": "bridge:1"}}')
    assert (await phone.call(CALLER, "411")).lines[0] == HOME


async def test_speech_that_fails_leaves_the_caller_to_the_dialplan(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    settings = {"speech_command": ["no-such-program"]}
    async with connect_asterisk(sandboxes, tmp_path, settings=settings) as phone:
        await phone.begin_call(CALLER)
        assert await phone.next_done("continue") == {"label": "away"}


async def test_a_name_taken_by_another_connection_is_not_fought_over(phone: AriPhone) -> None:
    socket = phone.server.sockets[phone.application]
    waits: asyncio.Queue[float] = asyncio.Queue()
    phone.link.stream.runtime = StreamRuntime(sleep=waits.put)  # type: ignore[union-attr]
    await socket.send_json({"type": "ApplicationReplaced", "application": phone.application})
    assert await asyncio.wait_for(waits.get(), HEARD_SECONDS) == 60


async def test_a_wrong_password_is_tried_once_a_minute(phone: AriPhone) -> None:
    waits: asyncio.Queue[float] = asyncio.Queue()
    blocked = asyncio.Event()

    async def note_wait(seconds: float) -> None:
        await waits.put(seconds)
        if seconds == 60:
            await blocked.wait()

    phone.link.stream.runtime = StreamRuntime(sleep=note_wait)  # type: ignore[union-attr]
    phone.server.password = "another"
    await phone.server.drop_sockets()
    async with asyncio.timeout(HEARD_SECONDS):
        while await waits.get() != 60:
            pass
    assert phone.link.report().state == "refused"
    assert phone.sandbox.container.links.pool.find_faults() == ["link orange-ro/asterisk/0: refused"]


async def test_an_asterisk_that_does_not_answer_is_counted(phone: AriPhone) -> None:
    phone.link._ports.ari.seconds = 0.05  # type: ignore[union-attr]
    phone.server.hears.clear()
    await phone.begin_call(CALLER)
    await phone.wait_until_served()
    await phone.wait_until_over()
    assert phone.link.report().unanswered >= 2
    phone.server.hears.set()
    assert (await phone.call(CALLER, "411")).lines[0] == HOME


async def test_a_drain_finishes_turns_and_sends_new_calls_away(phone: AriPhone) -> None:
    await phone.call(CALLER, "411")
    await phone.link.drain()
    await phone.begin_call(CALLER)
    assert await phone.next_done("continue") == {"label": "away"}


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'{"channel_ids": null}', b'"text"'])
async def test_nonsense_instead_of_an_application_is_an_error(body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    account = AriAccount(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "u", Secret("p"))
    async with server, ClientSession() as http:
        with pytest.raises(AriError, match="no application"):
            await AriClient(account, http).list_calls("dialtree-0")
