"""Conversation log: one record per conversation, with its path and the time of each turn."""

import logging

import pytest

from flows.engine.turn_event import TurnEvent
from gateway.observability import conversation_log
from gateway.observability.conversation_log import IDLE_SECONDS, ConversationLog
from gateway.observability.funnel import Funnel
from menus.text.masking import redact_text


def turn(
    origin: str, screen: str, *, name: str = "ana", steps: tuple[str, ...] = (), ends: bool = False
) -> TurnEvent:
    done = tuple((step, "ok") for step in steps)
    where = ("orange-ro", "ussd", name, "subscriber", "revision", "ro")
    return TurnEvent(*where, origin, screen, "moved", done, (), 0.0124, ends)


@pytest.fixture
def seconds() -> list[float]:
    return [0.0]


@pytest.fixture
def kept(seconds: list[float], caplog: pytest.LogCaptureFixture) -> ConversationLog:
    caplog.set_level(logging.INFO, "dialtree.conversation")
    return ConversationLog(Funnel(), lambda: seconds[0])


def test_a_record_has_the_path_and_the_time_of_each_turn(
    kept: ConversationLog, caplog: pytest.LogCaptureFixture
) -> None:
    for each in (
        turn("home", "home"),
        turn("home", "home"),
        turn("home", "bill", steps=("read",)),
        turn("bill", "goodbye", ends=True),
    ):
        kept.record_turn(each)
    record = vars(caplog.records[-1])
    assert (record["path"], record["ms"]) == ("home read bill goodbye", "12,12,12,12")
    assert redact_text(record["ms"]) == record["ms"]
    assert (record["turns"], record["outcome"], record["operator"]) == (4, "goodbye", "orange-ro")
    assert not kept.open_conversations


def test_a_step_that_leads_back_shows_the_screen_again(
    kept: ConversationLog, caplog: pytest.LogCaptureFixture
) -> None:
    kept.record_turn(turn("home", "home", steps=("read",)))
    kept.record_end("ana")
    record = vars(caplog.records[-1])
    assert (record["path"], record["outcome"]) == ("home read home", "abandoned")


def test_conversations_idle_for_long_end_when_a_new_one_begins(
    kept: ConversationLog, seconds: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for name, at in (("ana", 0.0), ("barbu", 10.0), ("ana", 20.0)):
        seconds[0] = at
        kept.record_turn(turn("home", "home", name=name))
    seconds[0] = 10.0 + IDLE_SECONDS
    kept.record_turn(turn("home", "home", name="cristi"))
    assert list(kept.open_conversations) == ["ana", "cristi"] and len(caplog.records) == 1


def test_the_longest_idle_ends_when_too_many_are_open(
    kept: ConversationLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_log, "MAX_OPEN", 2)
    for name in ("ana", "barbu", "ana", "cristi"):
        kept.record_turn(turn("home", "home", name=name))
    assert list(kept.open_conversations) == ["ana", "cristi"]
