"""Replay detection: the watermark over accumulated USSD text, case by case."""

import pytest

from flows.domain.pseudonyms import Pseudonyms
from flows.engine.inbound import Inbound
from flows.engine.replay import new_answers, remember_watermark, request_key
from menus.model.session import Session

KEYS = Pseudonyms(b"a key for the tests")


def ussd_request(text: str | None) -> Inbound:
    return Inbound("africastalking", "ussd", "orange-ro", "s", "+40740000101", "*100#", text, accumulated=True)


def voice_request(text: str | None, hop: str) -> Inbound:
    return Inbound("twilio", "voice", "orange-ro", "CA1", "+40740000101", "411", text, step=hop)


def session_with(heard: str | None) -> Session:
    session = Session("orange-ro", "ussd", "+40740000101", "r", "home", "ro")
    if heard is not None:
        remember_watermark(session, ussd_request(heard), request_key(KEYS, ussd_request(heard)))
        session.turn = 1
    return session


@pytest.mark.parametrize(
    ("heard", "text", "answers"),
    [
        pytest.param(None, "", [], id="a new session shows the root"),
        pytest.param(None, "1*4821*2", ["1", "4821", "2"], id="dialled ahead: several answers at once"),
        pytest.param("", "1", ["1"], id="the first answer"),
        pytest.param("", "48*21", ["48*21"], id="a first answer with a star in it"),
        pytest.param("1", "1*48*21", ["48*21"], id="one answer that contains a star"),
        pytest.param("1", "1*", [""], id="an empty answer"),
        pytest.param("1*4821", "1*4821*2", ["2"], id="the next answer"),
        pytest.param("1*2", "1", None, id="an old hop come late"),
        pytest.param("1*2", "", None, id="the first hop come late"),
        pytest.param("1*2", "3*4*5", None, id="not a continuation"),
        pytest.param("1", "12", None, id="grown without a star"),
    ],
)
def test_a_request_adds_only_its_new_answers(heard: str | None, text: str, answers: list[str] | None) -> None:
    assert new_answers(KEYS, session_with(heard), ussd_request(text)) == answers


def test_the_watermark_holds_no_typed_secret() -> None:
    session = session_with("1*secret42")
    assert b"secret42" not in session.dump()


@pytest.mark.parametrize(("hop", "fresh"), [("1", True), ("0", False), ("2", False)])
def test_a_voice_step_counts_only_with_the_nonce_we_gave_out(hop: str, fresh: bool) -> None:  # noqa: FBT001
    session = session_with("")
    assert (new_answers(KEYS, session, voice_request("1", hop)) is not None) is fresh


def test_silence_on_the_phone_is_an_answer_and_a_fresh_call_is_none() -> None:
    called, asked = session_with(None), session_with("")
    assert new_answers(KEYS, called, voice_request("", "")) == []
    assert new_answers(KEYS, asked, voice_request(None, "1")) == [None]


def test_a_call_whose_session_was_lost_begins_again_and_presses_nothing() -> None:
    assert new_answers(KEYS, session_with(None), voice_request("1", "4")) == []


def test_a_message_without_text_is_empty() -> None:
    picture = Inbound("twilio", "sms", "orange-ro", "", "+40740000101", "477", "", request_id="SM1")
    assert new_answers(KEYS, session_with(None), picture) == [""]
