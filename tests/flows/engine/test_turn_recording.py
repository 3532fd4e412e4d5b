"""Turn recording: which answers are kept whole, which masked, and what of a session is left out."""

import pytest

from flows.domain.conversation_records import MASKED_ANSWER
from flows.engine.turn_recording import recordable_answer, session_snapshot
from flows.selfcare.spoken_code import SPOKEN_CODE
from menus.machine.menu import Menu
from menus.model.facts import Text
from menus.model.session import Session, load_session
from menus.step import AnswerResult
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox


@pytest.fixture
def menu(sandbox: GatewaySandbox) -> Menu:
    """Provide the pack's menu."""
    return sandbox.menu


def open_session(menu: Menu, channel: str = "ussd", watermark: str = "") -> Session:
    """Return a session at home."""
    return Session(menu.name, channel, "+40740000101", menu.revision, "home", "ro", watermark=watermark)


@pytest.mark.parametrize(
    ("screen", "answer", "result", "kept"),
    [
        ("home", "1", AnswerResult("moved"), "1"),
        ("home", "٣", AnswerResult("moved"), "٣"),
        ("home", "#", AnswerResult("moved"), "#"),
        ("home", None, AnswerResult("empty"), ""),
        ("home", "4711", AnswerResult("wrong"), MASKED_ANSWER),
        ("code.enter", "1", AnswerResult("wrong"), MASKED_ANSWER),
        ("code.enter", "123456", AnswerResult("moved", "123456", is_secret=True), MASKED_ANSWER),
        ("home", "ana.pop@example.net", AnswerResult("moved", "ana.pop@example.net"), "a***@example.net"),
        ("home", "0740 000 102", AnswerResult("moved", "+40740000102"), "07***102"),
        ("home", "0326", AnswerResult("moved", "2026-03"), "0326"),
    ],
)
def test_an_answer_is_kept_or_masked(
    menu: Menu, screen: str, answer: str | None, result: AnswerResult, kept: str
) -> None:
    origin = menu.nodes[screen]
    assert recordable_answer(menu, origin, open_session(menu), answer, result).replace("+", "") == kept


def test_a_code_that_is_read_out_and_the_watermark_are_left_out(menu: Menu) -> None:
    session = open_session(menu, "voice", watermark="6:hash-of-it")
    assert load_session(session_snapshot(session, session.dump())).watermark == ""
    session.facts[SPOKEN_CODE] = Text("884213")
    snapshot = session_snapshot(session, session.dump())
    assert b"884213" not in snapshot and b"hash-of-it" not in snapshot
    assert load_session(snapshot).facts[SPOKEN_CODE] == Text("******")
    assert session.facts[SPOKEN_CODE] == Text("884213")
