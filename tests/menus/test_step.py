"""Random walks through Orange România's pack on every channel, action outcomes drawn at random."""

from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flows.selfcare.sample_facts import SAMPLE_FACTS
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import HOME
from menus.model.facts import Fact, Rows, Text
from menus.model.reply import Reply
from menus.model.session import Session, load_session
from menus.render.text_screen import render_reply
from menus.step import AnswerResult, answer_sms, apply_answer, apply_silence, follow_outcome, record_arrival
from menus.text.gsm import measure_text
from tests.support.gateway_sandbox import OPERATOR
from tests.support.shipped_packs import shipped_menu

SECRETS = ("48151623", "Kanarie77")
"""Typed at every turn, also into secret inputs; no reply and no session may contain one."""
MAX_SESSION_BYTES = 1024
MAX_BACK_STEPS = 13
BILL = ("bill", "month", "line", "total", "tax", "paid", "remaining", "due", "state")
RUBRICS = ("subscriptions", "options", "communications", "equipment", "one_off", "third_party")
FACTS_BY_ACTION = {
    "invoice.latest": (*BILL, "available"),
    "invoice.open": BILL,
    "invoice.list": ("bills", "available"),
    "invoice.lines": RUBRICS,
    "einvoice.activate": ("line",),
    "paper.revert": ("line",),
    "notify.choose": ("way", "email"),
    "notify.address": ("email",),
}
"""The facts each action brings, here with their widest values."""
EXCLUSION_FACTS = {"agency": ("agency",), "newcomer": ("available",)}
"""By outcome, the facts the eligibility rules bring before any action runs."""
PROOF_BY_ACTION = {"code.check": "code"}

KEYS = st.sampled_from([*"0123456789*#", "00", "99", "10"])
WORDS = st.sampled_from(["FACTURA", "factúri", "fact 6", "LIMBA", "NOTIF EMAIL a@b.ro", "AJUTOR", "HARTIE"])
ODD_ANSWERS = st.sampled_from(
    ["", " ", "1*1", "1 2", "\u0661", "\uff11", "\u06f2", "²", "x" * 500, "{code}", "\u202e1", "ا", "😀"]
)
ANSWERS = KEYS | KEYS | WORDS | ODD_ANSWERS | st.sampled_from(SECRETS) | st.text(max_size=20)


@cache
def compiled_menu() -> Menu:
    return shipped_menu(OPERATOR)


class UssdWalk(RuleBasedStateMachine):
    """One phone with one session; when a session ends, a new one begins."""

    channel = "ussd"

    @initialize(language=st.sampled_from(["ro", "en"]), proofs=st.sampled_from([(), ("line",)]))
    def begin(self, language: str, proofs: tuple[str, ...]) -> None:
        pack = compiled_menu()
        self.note = ""
        self.session = Session(
            operator=pack.name,
            channel=self.channel,
            caller="+40740000101",
            revision=pack.revision,
            state=HOME,
            language=language,
            line_kind="mobile",
            proofs=proofs,
        )

    @rule(text=ANSWERS, data=st.data())
    def answer(self, text: str, data: st.DataObject) -> None:
        origin = self.session.state
        heard = (answer_sms if self.channel == "sms" else apply_answer)(compiled_menu(), self.session, text)
        self._apply_result(heard, origin, data)

    @precondition(lambda self: self.channel == "voice")
    @rule(data=st.data())
    def stay_silent(self, data: st.DataObject) -> None:
        origin = self.session.state
        self._apply_result(apply_silence(compiled_menu(), self.session), origin, data)

    @property
    def session_ended(self) -> bool:
        return compiled_menu().nodes[self.session.state].is_final

    def _apply_result(self, heard: AnswerResult, origin: str, data: st.DataObject) -> None:
        self.note = {"wrong": "note.wrong", "empty": "note.empty"}.get(heard.effect, "")
        if heard.effect == "moved":
            self._run_actions(data)
            record_arrival(compiled_menu(), self.session, origin)
        self.session.turn += 1
        if self.session_ended:
            self._check_reply(render_reply(compiled_menu(), self.session, self.note))
            self.begin(self.session.language, ())

    def _run_actions(self, data: st.DataObject) -> None:
        for _ in range(8):
            node = compiled_menu().nodes[self.session.state]
            if node.is_waiting:
                return
            outcome = data.draw(
                st.sampled_from(sorted(pack_compiler.load_actions()[node.action].outcomes)), node.name
            )
            proof = PROOF_BY_ACTION.get(node.action, "") if outcome == "ok" else ""
            follow_outcome(compiled_menu(), self.session, outcome, _outcome_facts(node, outcome, data), proof)
        raise AssertionError("steps without end")

    def _check_reply(self, reply: Reply) -> None:
        said = " ".join([reply.text, *(prompt.text for prompt in reply.prompts)])
        assert not any(secret in said for secret in SECRETS)
        assert "{" not in said
        if self.channel != "voice":
            size, budget = measure_text(reply.text), SURFACES[self.channel].budget
            assert size.units <= (budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2)
        assert reply.ends_session == compiled_menu().nodes[self.session.state].is_final

    @invariant()
    def what_is_shown_fits_and_tells_no_secret(self) -> None:
        self._check_reply(render_reply(compiled_menu(), self.session, self.note))

    @invariant()
    def the_session_is_small_whole_and_without_secrets(self) -> None:
        data = self.session.dump()
        assert len(data) < MAX_SESSION_BYTES
        assert load_session(data) == self.session
        assert not any(secret.encode() in data for secret in SECRETS)

    @invariant()
    def home_can_be_reached(self) -> None:
        """Home is reached by its key; a call returns there step by step."""
        copy, key = load_session(self.session.dump()), "*" if self.channel == "voice" else "00"
        for _ in range(MAX_BACK_STEPS):
            if copy.state == HOME:
                return
            origin = copy.state
            assert apply_answer(compiled_menu(), copy, key).effect in ("moved", "page")
            record_arrival(compiled_menu(), copy, origin)
        assert copy.state == HOME


def _outcome_facts(node: Node, outcome: str, data: st.DataObject) -> dict[str, Fact | Rows]:
    names = EXCLUSION_FACTS.get(outcome) or FACTS_BY_ACTION.get(node.action, ())
    return {name: data.draw(st.sampled_from(SAMPLE_FACTS[name]), name) for name in names}


class SmsWalk(UssdWalk):
    channel = "sms"


class VoiceWalk(UssdWalk):
    channel = "voice"


SHAPE = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestUssd, TestSms, TestVoice = UssdWalk.TestCase, SmsWalk.TestCase, VoiceWalk.TestCase
TestUssd.settings = TestSms.settings = TestVoice.settings = SHAPE


@pytest.mark.parametrize("channel", SURFACES)
def test_a_fresh_session_is_small(channel: str) -> None:
    fresh = Session(OPERATOR, channel, "+40740000101", compiled_menu().revision, HOME, "ro")
    assert len(fresh.dump()) < 200


@pytest.mark.parametrize(("typed", "bill"), [("1 2", "b12"), (" 7 ", "b7"), ("1 3", ""), ("1 2 3", "")])
def test_a_row_is_picked_whatever_spaces_stand_between_its_digits(typed: str, bill: str) -> None:
    session = Session(
        OPERATOR, "ussd", "+40740000101", compiled_menu().revision, "invoice.choose", "ro", "mobile"
    )
    session.proofs = ("line",)
    session.facts["bills"] = Rows(("bill",), tuple((Text(f"b{place}"),) for place in range(1, 13)))

    heard = apply_answer(compiled_menu(), session, typed)

    assert (heard.effect, session.facts.get("bill")) == (("moved", Text(bill)) if bill else ("wrong", None))
