"""Voice: prompts and recordings, timeouts and lengths of a call, and hand-over to an agent."""

import re
import shutil
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from flows.selfcare.sample_facts import SAMPLE_FACTS
from gateway.providers.contract import Connection
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.publishing.pack_compiler import missing_recordings
from gateway.server.app import public_app
from menus.machine.menu import Menu
from menus.machine.opening_hours import is_open_at
from menus.model.facts import Count, Money, Month, Rows
from menus.model.reply import Prompt, Reply
from menus.model.session import Session
from menus.packfile.hours_form import HoursForm
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import load_draft
from menus.packs.overflow_checks import widest_facts
from menus.render.voice import render_call_reply
from menus.step import apply_answer, apply_silence
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.shipped_packs import shipped_menu

ORANGE_RO = pack_compiler.pack_folder("orange-ro")
TONGUES = tuple(load_draft(ORANGE_RO, pack_compiler.SHARED_PLACES).language_packs.values())
SPELT_BY_SYNTHESIZER = (Money, Month, Count, date)
"""Facts whose digits a speech synthesizer would pronounce in its own way."""
HOURS = {
    "in them": ("mon-sat", "08:00", "20:00", "2026-03-10 09:00", True),
    "at the very end": ("mon-sat", "08:00", "20:00", "2026-03-10 20:00", False),
    "on a Sunday": ("mon-sat", "08:00", "20:00", "2026-03-15 09:00", False),
    "over the week's end": ("sat-mon", "08:00", "20:00", "2026-03-15 09:00", True),
    "after midnight": ("fri", "22:00", "06:00", "2026-03-14 05:00", True),
    "the night before": ("fri", "22:00", "06:00", "2026-03-13 05:00", False),
    "all day": ("mon-sun", "00:00", "24:00", "2026-03-15 23:59", True),
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ORANGE_RO, tmp_path / "orange_ro"))


def edit_pack(pack: Path, file: str, old: str, new: str) -> Menu:
    path = pack / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return pack_compiler.compile_pack(pack)


def session_at(menu: Menu, state: str = "home", language: str = "en") -> Session:
    return Session(menu.name, "voice", "+40740000101", menu.revision, state, language)


def prompt_texts(reply: Reply) -> list[str]:
    return [prompt.text for prompt in reply.prompts]


def add_recording(pack: Path, name: str = "home") -> Path:
    file = pack / "prompts" / "en" / f"{name}.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"RIFF")
    return file


def test_a_recording_is_played_where_there_is_one_and_the_rest_is_spoken(pack: Path) -> None:
    add_recording(pack)
    menu = pack_compiler.compile_pack(pack)
    kinds = [prompt.kind for prompt in render_call_reply(menu, session_at(menu)).prompts]
    assert kinds == ["play", "say", "say", "say", "say", "say", "say"]
    assert render_call_reply(menu, session_at(menu, language="ro")).prompts[0].kind == "say"


def test_a_recording_nothing_would_play_is_a_finding(pack: Path) -> None:
    add_recording(pack, "hom")
    assert "orange_ro/prompts/en/hom.wav:1:1: no text is called 'hom'" in str(
        pack_compiler.validate_pack(pack)[0]
    )


def test_a_text_with_slots_is_never_a_recording(pack: Path) -> None:
    add_recording(pack, "invoice.show")
    assert "has slots" in str(pack_compiler.validate_pack(pack)[0])


def test_the_check_tells_which_recordings_are_missing(pack: Path) -> None:
    add_recording(pack)
    told = "\n".join(missing_recordings(pack))
    assert "orange_ro/prompts/en/bill.wav is missing: 'Information about your bill.'" in told
    assert "prompts/en/home.wav" not in told and "invoice.show" not in told


async def test_recordings_are_served_to_be_kept_and_nothing_else_is(
    pack: Path, sandboxes: SandboxFactory
) -> None:
    add_recording(pack)
    async with (
        sandboxes.with_operators(pack.parent, pack.parent).open() as sandbox,
        TestClient(TestServer(public_app(sandbox.container))) as client,
    ):
        answer = await client.get("/prompts/orange-ro/en/home.wav")
        assert answer.status == 200 and answer.headers["Cache-Control"] == "public, max-age=86400"
        for path in ("orange-ro/en/bill.wav", "orange-ro/..%2f/pack.yaml", "nobody/en/home.wav"):
            assert (await client.get(f"/prompts/{path}")).status == 404


def call_with_list(menu: Menu, rows: int) -> Session:
    """Return a call that is about to hear a list of the given number of bills."""
    session, bills = session_at(menu, "invoice.choose"), SAMPLE_FACTS["bills"][0]
    assert isinstance(bills, Rows)
    session.facts["bills"] = Rows(bills.columns, bills.rows[:1] * rows)
    return session


def option_keys(menu: Menu, session: Session) -> list[str]:
    """Return the keys of the options read to the caller."""
    said = [re.search(r"press (\d+)\.", text) for text in prompt_texts(render_call_reply(menu, session))]
    return [found[1] for found in said if found]


@pytest.mark.parametrize(
    ("rows", "pages", "more", "most"),
    [(3, 1, "", 1), (4, 2, "9", 1), (8, 3, "9", 1), (9, 3, "99", 2), (12, 4, "99", 2)],
)
def test_M10_a_list_is_read_three_rows_at_a_time_on_voice(rows: int, pages: int, more: str, most: int) -> None:
    menu = shipped_menu("orange-ro")
    session, heard = call_with_list(menu, rows), list[str]()
    for page in range(1, pages + 1):
        gather, told = render_call_reply(menu, session).gather, option_keys(menu, session)
        assert gather is not None and gather.max_keys == most
        heard += [key for key in told if key != more]
        assert len(told) <= 4 and (more in told) == (page < pages)
        assert apply_answer(menu, session, more or "17").effect == ("page" if page < pages else "wrong")
    assert heard == [str(row) for row in range(1, rows + 1)]


def test_M10_how_many_rows_are_read_is_data_on_voice(pack: Path) -> None:
    menu = edit_pack(pack, "pack.yaml", "rules:\n", "voice: {rows: 2}\nrules:\n")
    assert option_keys(menu, call_with_list(menu, 6)) == ["1", "2", "9"]


def test_numbers_are_said_digit_by_digit() -> None:
    menu = shipped_menu("orange-ro")
    assert Prompt("digits", "477") in render_call_reply(menu, session_at(menu, "notify.address")).prompts


def test_after_a_silence_only_the_options_are_heard() -> None:
    menu = shipped_menu("orange-ro")
    session = session_at(menu)
    assert apply_silence(menu, session).effect == "empty" and (session.silences, session.misses) == (1, 0)
    assert prompt_texts(render_call_reply(menu, session, "note.empty"))[1:] == [
        "For bills, press 1.",
        "For a call back from an agent, press 2.",
        "For your usage, press 3.",
        "For what is not billed yet, press 4.",
        "For an agent, press 0.",
    ]


def test_a_second_hearing_has_the_short_words_where_the_text_has_some(pack: Path) -> None:
    menu = edit_pack(
        pack, "texts/en.yaml", "  voice: Welcome to Orange.", "  voice: Welcome.\n  short: Orange."
    )
    session = session_at(menu)
    assert apply_answer(menu, session, "7").effect == "wrong" and session.silences == 0
    assert prompt_texts(render_call_reply(menu, session, "note.wrong"))[:2] == [
        "That key has no option.",
        "Orange.",
    ]


@pytest.mark.parametrize(("lost", "state"), [("goodbye", "house.lost"), ("agent", "house.agent")])
def test_the_rules_set_the_target_of_a_lost_caller(lost: str, state: str, pack: Path) -> None:
    menu = edit_pack(pack, "pack.yaml", "rules:\n", f"rules:\n  lost: {lost}\n")
    session = session_at(menu)
    for _ in range(3):
        apply_answer(menu, session, "7")
    assert session.state == state


def test_call_timeouts_are_read_from_the_pack(pack: Path) -> None:
    told = "voice: {first_seconds: 12, between_seconds: 3, barge_in: false}\nrules:\n"
    menu = edit_pack(pack, "pack.yaml", "rules:\n", told)
    gather = render_call_reply(menu, session_at(menu)).gather
    assert gather and (gather.first_key_seconds, gather.between_keys_seconds, gather.barge_in) == (12, 3, False)


@pytest.mark.parametrize("answer", [lambda m, s: apply_answer(m, s, "1"), apply_silence])
def test_a_call_has_a_maximum_length(answer: Callable[[Menu, Session], object], pack: Path) -> None:
    menu = edit_pack(pack, "pack.yaml", "rules:\n", "voice: {most_turns: 5}\nrules:\n")
    session = session_at(menu)
    session.turn = 5
    answer(menu, session)
    assert session.state == "house.bye"


@pytest.mark.parametrize("case", HOURS)
def test_opening_hours(case: str) -> None:
    days, start, end, at, there = HOURS[case]
    hours = HoursForm.model_validate({"days": days, "from": start, "to": end})
    assert is_open_at(hours, datetime.fromisoformat(at)) is there


@pytest.mark.parametrize(("at", "there"), [("2026-03-10 09:00", True), ("2026-03-15 09:00", False)])
async def test_no_call_is_transferred_out_of_hours(
    *, at: str, there: bool, pack: Path, sandboxes: SandboxFactory
) -> None:
    told = 'voice: {agent_hours: {days: mon-sat, from: "08:00", to: "20:00"}}\nrules:\n'
    edit_pack(pack, "pack.yaml", "rules:\n", told)
    async with sandboxes.with_operators(pack.parent, pack.parent).open(at) as sandbox:
        line = sandbox.direct_line({"voice": "line"})
        player = sandbox.dialog_player(line, "+40740000102")
        await player.perform("call", "411")
        lines = await player.perform(">", "0")
    assert ("= put through to +40740000411" in lines) is there
    assert there or lines == (
        "| Our agents are away now. Please call again in our opening hours.",
        "| For a call back from an agent, press 1.",
        "| To go back, press star. To hear this again, press hash.",
        "? 1 key",
    )


def test_a_sip_agent_is_told_where_the_caller_comes_from() -> None:
    reply = Reply(
        "voice",
        "en",
        "house.agent",
        3,
        transfer_to="sip:a@b.example",
        transfer_context="bill",
        ends_session=True,
    )
    connection = Connection("orange-ro", None, "https://gw.example.net", "https://gw.example.net/hooks", {}, {})
    body = discover_providers()["twilio"].ROUTES["voice"].write(reply, connection).body
    assert fromstring(body).findtext("Dial/Sip") == "sip:a@b.example?X-Screen=bill&X-Language=en"


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_no_screen_leaves_an_amount_or_a_date_to_the_synthesizer(operator: str) -> None:
    pack = load_draft(pack_compiler.pack_folder(operator), pack_compiler.SHARED_PLACES)
    menu = pack.build_menu()
    for language, tongue in menu.language_packs.items():
        facts = widest_facts(tongue, SAMPLE_FACTS)
        resting = [name for name in reachable_nodes(pack, "voice") if menu.nodes[name].is_waiting]
        said = {
            slot
            for name in resting
            for slot in tongue.catalogue.template_for(menu.nodes[name].text, "voice").slots
        }
        amounts = [
            fact
            for slot in sorted(said & facts.keys())
            if isinstance(fact := facts[slot], SPELT_BY_SYNTHESIZER)
        ]
        guessed = [fact for fact in amounts if any(map(str.isdigit, tongue.format_fact(fact, "voice")))]
        assert not guessed, language


@given(st.decimals(-99999, 99999, places=2))
def test_amounts_are_words(amount: Decimal) -> None:
    for tongue in TONGUES:
        assert not any(map(str.isdigit, tongue.format_fact(Money(amount), "voice")))
