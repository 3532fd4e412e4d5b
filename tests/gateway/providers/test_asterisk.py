"""Calls through Asterisk: what is played, which keys answer, who is trusted, how a call ends."""

from pathlib import Path

import pytest

from flows.domain.failures import Misconfigured
from flows.domain.records import OutboundMessage
from gateway.asterisk.ari_events import AriChannel, KeyPressed, PlaybackEnded
from gateway.providers._asterisk.asterisk_call import MAX_WAITING_EVENTS
from gateway.providers._asterisk.trunk_caller import TrustedTrunks
from gateway.providers.asterisk import Settings
from tests.support.ari_phone import AriPhone, connect_asterisk
from tests.support.ari_server import AriCall, AriModes
from tests.support.databases import count_rows
from tests.support.dialog_runs import DIALOG_FOLDER, load_dialog
from tests.support.gateway_sandbox import SandboxFactory

CALLER = "+40740000101"
DIALOGS = DIALOG_FOLDER / "orange-ro" / "voice"
HOME, BILLS = "Bine ați venit la Orange.", "Informații despre factură."
CHANNEL = AriChannel("1.2", "PJSIP/operator-trunk", "from-operator", CALLER)


async def hear_menu(phone: AriPhone, *keys: str) -> str:
    """Call and press keys; return the first line of the last screen."""
    display = await phone.call(CALLER, "411")
    for each in keys:
        display = await phone.press(each)
    return display.lines[0]


@pytest.mark.parametrize("name", ["einvoice-en", "code-wrong-ro", "stranger", "withheld"])
async def test_a_dialog_sounds_as_over_every_way(name: str, sandboxes: SandboxFactory, tmp_path: Path) -> None:
    dialog = load_dialog(DIALOGS / f"{name}.dialog")
    async with connect_asterisk(sandboxes, tmp_path, dialog=dialog) as phone:
        played = await phone.sandbox.dialog_player(phone).play(dialog)
    assert played == [step.expected for step in dialog.steps]


async def test_hash_alone_repeats_a_screen_and_ends_an_answer(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        first = await phone.call(CALLER, "411")
        assert (await phone.press("#")).lines == first.lines
        assert (await phone.press("1")).lines[0] == BILLS


async def test_a_key_interrupts_the_prompts(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path, AriModes(holds_playbacks=True)) as phone:
        call = await phone.begin_call(CALLER)
        await phone.next_done("play")
        await phone.server.press(call, "1")
        await phone.next_done("stop")
        assert phone.read_words(await phone.next_done("play"))[0] == BILLS


async def test_a_key_told_twice_is_one_press(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path, AriModes(repeats_keys=True)) as phone:
        assert await hear_menu(phone, "1", "1") != HOME
        assert phone.open_call.done.empty()


async def test_a_flood_of_keys_is_bounded_and_hides_no_end_of_prompts(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with connect_asterisk(sandboxes, tmp_path, AriModes(holds_playbacks=True)) as phone:
        await phone.begin_call(CALLER)
        await phone.next_done("play")
        (call,) = phone.link.calls.values()
        for _ in range(2 * MAX_WAITING_EVENTS):
            call.take_event(KeyPressed(call.channel_id, "9"))
        assert call.inbox.qsize() == MAX_WAITING_EVENTS
        call.take_event(PlaybackEnded("another", call.channel_id))
        assert call.inbox.qsize() == MAX_WAITING_EVENTS + 1


async def test_a_caller_of_another_trunk_proves_nothing(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path, settings={"trunk_endpoints": ["PJSIP/another"]}) as phone:
        assert "cod" in await hear_menu(phone, "1", "2")
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        assert (await hear_menu(phone, "1", "2")).startswith("Doriți să treceți")


@pytest.mark.parametrize(
    ("endpoints", "contexts", "proof"),
    [
        ((), (), "none"),
        (("PJSIP/operator-trunk",), (), "line"),
        (("PJSIP/operator",), (), "none"),
        ((), ("from-operator",), "line"),
        (("PJSIP/operator-trunk",), ("elsewhere",), "none"),
    ],
)
def test_a_trunk_is_trusted_only_by_its_name(
    endpoints: tuple[str, ...], contexts: tuple[str, ...], proof: str
) -> None:
    assert TrustedTrunks(endpoints, contexts).proves_caller(CHANNEL) is (proof == "line")


async def test_an_agent_gets_the_call_and_what_it_is_about(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        await phone.call(CALLER, "411")
        display = await phone.press("0")
        variables = phone.open_call.variables
    assert display.transfer == variables["DIALTREE_AGENT"] != ""
    assert (variables["DIALTREE_LANGUAGE"], variables["DIALTREE_SCREEN"]) == ("ro", "home")
    assert int(variables["DIALTREE_LIMIT_MS"]) > 0 and int(variables["DIALTREE_RING_SECONDS"]) == 30


async def test_an_agent_who_does_not_answer_is_followed_by_words(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        await phone.call(CALLER, "411")
        await phone.press("0")
        call = phone.open_call
        call.application = phone.application
        await phone.server.enter(call, "nobody-answered", "en")
        display = await phone.hear()
    assert "try again later" in display.lines[0] and display.ends


async def test_a_turn_goes_on_when_its_caller_hangs_up(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        await hear_menu(phone, "1", "2")
        await phone.server.press(phone.open_call, "1")
        await phone.hang_up()
        await phone.wait_until_over()
        assert await count_rows(phone.sandbox.container.database, "consents") == 1


async def test_prompts_with_amounts_go_with_their_call(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        await hear_menu(phone, "1", "1")
        personal = list((tmp_path / "calls").rglob("*.wav"))
        assert personal and not any("lei" in phone.read_path(each) for each in (tmp_path / "shared").iterdir())
        await phone.hang_up()
        await phone.wait_until_over()
    assert not list((tmp_path / "calls").rglob("*.wav")) and list((tmp_path / "shared").iterdir())


async def test_calls_above_the_most_go_on_in_the_dialplan(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with connect_asterisk(sandboxes, tmp_path, settings={"max_calls": 1}) as phone:
        await phone.call(CALLER, "411")
        second = AriCall("1795774587.99", phone.application)
        await phone.server.enter(second)
        phone.now = second
        assert await phone.next_done("continue") == {"label": "away"}
        assert phone.link.report().turned_away == 1


async def test_a_dialplan_without_the_label_hangs_up(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    modes, silent = AriModes(labels=()), {"speech_command": ["false"]}
    async with connect_asterisk(sandboxes, tmp_path, modes, silent) as phone:
        await phone.begin_call(CALLER)
        assert await phone.next_done("hang_up") == "congestion"


async def test_messages_are_not_sent_by_a_trunk(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    notice = OutboundMessage("k", "orange-ro", CALLER, "sms", "notice", "text", "ro")
    async with connect_asterisk(sandboxes, tmp_path) as phone:
        with pytest.raises(Misconfigured):
            await phone.link.send(notice)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"url": "http://pbx.operator.example:8088"}, "must begin with https"),
        ({"url": "https://user:word@pbx.example"}, "pattern"),
        ({"sounds": "var/sounds"}, "absolute"),
        ({"ca_file": "/no/such/file"}, "no such file"),
        ({"trunk_endpoints": ["operator-trunk"]}, "pattern"),
        ({"binds": 0}, "greater than or equal to 1"),
        ({"speech_command": []}, "at least 1"),
    ],
)
def test_a_silly_setting_says_what_is_wrong(more: dict[str, object], words: str) -> None:
    account = {"user": "dialtree", "password": "a-password", "sounds": "/var/lib/dialtree/sounds"}
    assert Settings.model_validate(account).binds == 1
    with pytest.raises(ValueError, match=words):
        Settings.model_validate({**account, **more})
