"""jambonz calls: dialogs by signed webhooks, verbs its validator takes, transfers, hang-ups, forgeries."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.providers import jambonz
from gateway.providers._aggregators.authentication import AuthenticityChecker
from gateway.providers._jambonz.verbs import write_verbs
from gateway.providers._shared.call_webhooks import FINAL_CALL_STATUSES
from gateway.providers.contract import Connection, ConversationEnded, RawRequest, TransferFailed, Webhook
from menus.model.reply import Gather, Prompt, Reply
from tests.support.dialog_runs import DIALOG_FOLDER, DialogRuns, load_dialog
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.jambonz_phone import SECRET, VOICE_PATH, connect_jambonz, judge_verbs, sign_body
from tests.support.server_processes import ProgramMissing, skip_missing

ANA = "+40740000101"
ADDRESSES, LOCALES = {"voice": "411"}, {"ro": "ro-RO"}
SETTINGS = jambonz.Settings.model_validate({"webhook_secret": SECRET, "old_webhook_secret": "before"})
CONNECTION = Connection(
    "orange-ro", SETTINGS, "https://gw.example", "https://gw.example/hooks/x", {}, ADDRESSES, LOCALES
)
CALL = {"call_sid": "c1", "from": ANA, "direction": "inbound", "call_status": "in-progress"}
RECORDED_TIME = 1_700_000_000
RECORDED_BODY = b'{"call_sid":"c1","from":"+40740000101"}'
RECORDED_HEADER = f"t={RECORDED_TIME},v1=d5f587cd66af1a6241c269d584e523fa14eac61beeea43531f41a189f446d354"
DIALOGS = ("agent-ro", "billing-slow-ro", "silence-ro")


def heard(transcript: list[tuple[str, ...]]) -> list[str]:
    """Return what each step of a dialog brought, as one line: a gather holds one text."""
    return [" ".join(line.removeprefix("| ") for line in lines) for lines in transcript]


@pytest.mark.parametrize("name", DIALOGS)
async def test_a_dialog_sounds_as_it_does_directly(
    sandboxes: SandboxFactory, dialog_runs: DialogRuns, name: str
) -> None:
    path = DIALOG_FOLDER / "orange-ro" / "voice" / f"{name}.dialog"
    dialog, direct = load_dialog(path), await dialog_runs.play_once(path)
    at = dialog.first_argument("at", "2026-03-10 09:00")
    async with connect_jambonz(sandboxes, at, **dialog.trust) as (phone, sandbox):
        played = await sandbox.dialog_player(phone).play(dialog)
        effects = await sandbox.count_effects()
    assert (heard(played), effects) == (heard(direct.transcript), direct.row_counts)
    assert_valid(phone.answers)


def assert_valid(answers: list[Any]) -> None:
    """Have the validator jambonz publishes judge the answers; it is loudly left out where it is missing."""
    try:
        assert [fault for fault in judge_verbs(answers) if fault] == []
    except ProgramMissing as missing:
        skip_missing(missing)


def verbs_of(**fields: Any) -> list[dict[str, Any]]:
    reply = Reply("voice", "ro", "home", 3, **fields)
    verbs: list[dict[str, Any]] = json.loads(write_verbs(reply, CONNECTION).body)
    return verbs


SAY, CODE = Prompt("say", "Bine ați venit"), Prompt("digits", "4821")
PLAY, INVITE = Prompt("play", "Apăsați 1", "ro/menu 1.wav"), Prompt("invite", "Spuneți factura")
ONE_KEY, A_CODE = Gather(1, "", 8, 3), Gather(6, "#", 8, 3, barge_in=False)
SPOKEN = Gather(1, "", 8, 3, accepts_speech=True, speech_hints=("factura",))
EVERY_FORM = [
    verbs_of(prompts=(SAY, CODE), gather=ONE_KEY),
    verbs_of(prompts=(SAY, PLAY), gather=A_CODE),
    verbs_of(prompts=(PLAY, SAY, INVITE), gather=SPOKEN),
    verbs_of(prompts=(), gather=ONE_KEY),
    verbs_of(prompts=(SAY, INVITE), ends_session=True),
    verbs_of(prompts=(SAY,), transfer_to="+40740000999", transfer_limit_seconds=600),
    verbs_of(prompts=(SAY,), transfer_to="sip:agent@10.0.0.3", transfer_context="bill.home"),
]


def test_every_form_of_an_answer_is_valid_and_the_validator_tells_a_wrong_one() -> None:
    assert_valid(EVERY_FORM)
    (fault,) = judge_verbs([[{"verb": "gather", "numDigit": 1}]])
    assert "numDigit" in fault


def test_prompts_of_a_question_can_be_interrupted_where_a_gather_holds_them() -> None:
    (asked,) = EVERY_FORM[0]
    assert asked["say"]["text"] == "Bine ați venit 4 8 2 1" and asked["dtmfBargein"]
    assert asked["say"]["synthesizer"] == {"vendor": "default", "language": "ro-RO"}
    assert [each["verb"] for each in EVERY_FORM[1]] == ["say", "gather"]
    assert EVERY_FORM[1][1]["play"] == {"url": "https://gw.example/prompts/orange-ro/ro/menu%201.wav"}
    assert (EVERY_FORM[1][1]["finishOnKey"], EVERY_FORM[1][1]["numDigits"]) == ("#", 6)


def test_only_who_may_speak_is_invited_to() -> None:
    assert "Spuneți" in EVERY_FORM[2][1]["say"]["text"] and EVERY_FORM[2][1]["input"] == ["digits", "speech"]
    assert EVERY_FORM[2][1]["recognizer"] == {"vendor": "default", "language": "ro-RO", "hints": ["factura"]}
    assert [each["verb"] for each in EVERY_FORM[4]] == ["say", "hangup"]
    assert "Spuneți" not in EVERY_FORM[4][0]["text"]


def test_a_transfer_asks_what_came_of_it_and_tells_sip_the_context() -> None:
    by_number, by_sip = EVERY_FORM[5][1], EVERY_FORM[6][1]
    assert by_number["actionHook"] == by_sip["actionHook"] == "https://gw.example/hooks/x/voice?language=ro"
    assert (by_number["target"], by_number["timeLimit"]) == ([{"type": "phone", "number": "+40740000999"}], 600)
    assert by_sip["headers"] == {"X-Screen": "bill.home", "X-Language": "ro"} and "headers" not in by_number


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled", "something new"])
def test_a_transfer_that_nobody_took_is_told(status: str) -> None:
    webhook = Webhook(CALL | {"dial_call_status": status}, {"language": "ro"})
    assert jambonz.read_voice(webhook, CONNECTION) == TransferFailed("ro")


def test_a_transfer_that_was_taken_ends_the_call() -> None:
    assert jambonz.read_voice(Webhook(CALL | {"dial_call_status": "completed"}, {}), CONNECTION) is None


async def test_the_caller_hears_that_the_agent_does_not_answer(sandboxes: SandboxFactory) -> None:
    async with connect_jambonz(sandboxes) as (phone, _):
        await phone.call("+40740000102", "411")
        assert (await phone.press("0")).transfer
        said = await phone.post(f"{VOICE_PATH}?language=ro", {"dial_call_status": "busy"})
    assert "nu răspunde" in said.lines[0] and said.ends


async def test_silence_and_the_finish_key_alone_are_told_apart(sandboxes: SandboxFactory) -> None:
    async with connect_jambonz(sandboxes, voice="line") as (phone, _):
        await phone.call(ANA, "411")
        silent = await phone.press_nothing()
        again = await phone.post(phone.answer_path, {"reason": "dtmfDetected", "digits": ""})
    assert "Nu am auzit" in silent.lines[0] and "Nu am auzit" not in again.lines[0]


async def test_a_repeated_step_brings_the_same_answer(sandboxes: SandboxFactory) -> None:
    async with connect_jambonz(sandboxes, voice="line") as (phone, _):
        await phone.call(ANA, "411")
        await phone.press("1")
        await phone.repeat_last()
    assert phone.answers[-1] == phone.answers[-2]


async def test_a_caller_who_hangs_up_is_gone(sandboxes: SandboxFactory) -> None:
    async with connect_jambonz(sandboxes) as (phone, sandbox):
        ended: list[str] = []
        sandbox.container.conversations.close_listeners.append(ended.append)
        await phone.call(ANA, "411")
        await phone.hang_up()
    assert len(ended) == 1 and phone.answers[-1] == []


@pytest.mark.parametrize("status", sorted(FINAL_CALL_STATUSES))
def test_every_last_status_ends_the_call(status: str) -> None:
    webhook = Webhook(CALL | {"call_status": status}, {})
    ended = ConversationEnded("c1", ANA, "voice")
    assert jambonz.read_voice_status(webhook, CONNECTION) == ended == jambonz.read_voice(webhook, CONNECTION)


@pytest.mark.parametrize("number", ["anonymous", "Restricted", ""])
def test_a_withheld_number_is_none(number: str) -> None:
    event = jambonz.read_voice(Webhook(CALL | {"from": number}, {}), CONNECTION)
    assert getattr(event, "caller", None) == ""


def is_genuine(header: str, body: bytes = RECORDED_BODY, at: float = RECORDED_TIME) -> bool:
    checker = getattr(jambonz.authentic, "__self__", None)
    assert isinstance(checker, AuthenticityChecker)
    then = replace(checker, now=lambda: datetime.fromtimestamp(at, UTC))
    connection = replace(CONNECTION, settings=jambonz.Settings.model_validate({"webhook_secret": "12345"}))
    return then.check(RawRequest("/x", {"Jambonz-Signature": header}, body), {}, connection)


def test_the_recorded_signature_is_genuine_for_300_seconds() -> None:
    assert is_genuine(RECORDED_HEADER) and is_genuine(RECORDED_HEADER, at=RECORDED_TIME + 299)
    assert not is_genuine(RECORDED_HEADER, at=RECORDED_TIME + 301)
    assert not is_genuine(RECORDED_HEADER, RECORDED_BODY + b" ")
    assert not is_genuine("") and not is_genuine(RECORDED_HEADER.replace("v1", "v0"))
    assert is_genuine(RECORDED_HEADER.replace("v1=", "v1=00,v1="))


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("another", 403)])
async def test_a_forged_webhook_is_refused(sandboxes: SandboxFactory, secret: str, status: int) -> None:
    async with connect_jambonz(sandboxes) as (phone, _):
        body = json.dumps(CALL).encode()
        headers = {"Content-Type": "application/json", "Jambonz-Signature": sign_body(body, secret)}
        async with phone.client.post(phone.base + VOICE_PATH, data=body, headers=headers) as answer:
            assert answer.status == status
