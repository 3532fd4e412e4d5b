"""`dialtree smsc`: a phone in the terminal dials and texts over SMPP."""

import asyncio
import io
from argparse import Namespace

import pytest

from gateway.cli.line_input import TerminalInput
from gateway.cli.main import run_command
from gateway.cli.smsc import TerminalSmsc, _read_modes
from gateway.cli.styled_output import StyledOutput
from gateway.demo.smsc.smpp_phone import SmppPhone
from gateway.demo.smsc.smsc_modes import UNKIND_MODES, modes_for
from gateway.providers._smpp.dialect import DialectForm, load_dialects
from gateway.providers._smpp.ussd_events import write_ussd
from menus.model.reply import Reply
from tests.gateway.smpp.session_bench import SessionBench, bound_session

SCREENS = {"*100#": "Orange\n1 Facture", "1": "Facture: 45,20 €"}
DIALECTS = {name: form for name, form in load_dialects().items() if not form.unusable}


class ScriptedInput(TerminalInput):
    """Lines of a script, then the end of the input."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        object.__setattr__(self, "_lines", list(lines))

    async def read_line(self) -> str | None:
        lines: list[str] = self._lines  # type: ignore[attr-defined]
        return lines.pop(0) if lines else None


async def answer_screens(bench: SessionBench, dialect: DialectForm) -> None:
    """Answer each USSD operation with the screen its text asks for, as the gateway does."""
    for number in range(2):
        await bench.wait_for("messages", number + 1)
        text = SCREENS[bench.messages[number].text]
        reply = Reply("ussd", "fr", "home", number, text, ends_session=bool(number))
        await bench.session.submit(write_ussd(reply, bench.messages[number], dialect))


async def run_script(bench: SessionBench, dialect: str, lines: list[str]) -> tuple[int, str]:
    phone = SmppPhone("40740000101", bench.smsc, DIALECTS[dialect])
    printed = io.StringIO()
    output = StyledOutput(printed, None)
    phone.on_text = lambda sender, text: output.print_line(f"~ {sender}: {text}", "message")
    return await TerminalSmsc(phone, ScriptedInput(lines), output).run(), printed.getvalue()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_person_dials_and_answers(dialect: str) -> None:
    async with bound_session() as bench:
        screens = asyncio.create_task(answer_screens(bench, DIALECTS[dialect]))
        status, printed = await run_script(bench, dialect, ["*100#", "1"])
        await screens
    assert (status, printed) == (0, "Orange\n1 Facture\nFacture: 45,20 €\n(the session ended)\n")


async def test_a_person_texts_and_gets_an_answer() -> None:
    async with bound_session() as bench:
        status, _ = await run_script(bench, "plain", ["477 ThankYou1"])
        assert (status, bench.messages[0].text) == (0, "ThankYou1")
        bench.statuses.append(0x64)
        status, printed = await run_script(bench, "plain", ["477 ThankYou1"])
        assert (status, printed) == (1, "the gateway answered with status 0x64\n")


async def test_a_long_text_is_shown_whole() -> None:
    async with bound_session() as bench:
        got: list[str] = []
        phone = SmppPhone("40740000101", bench.smsc, DIALECTS["plain"])
        phone.on_text = lambda _sender, text: got.append(text)
        await bench.submit(text="Factura € " * 40)
    assert got == phone.inbox == ["Factura € " * 40]


async def test_an_answer_without_a_session_is_explained() -> None:
    async with bound_session() as bench:
        assert (await run_script(bench, "plain", ["7"]))[1].startswith("no session")


@pytest.mark.parametrize("name", UNKIND_MODES)
def test_every_unkind_mode_changes_something(name: str) -> None:
    assert modes_for([name]) != modes_for([])


def test_an_unknown_mode_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["smsc", "--unkind", "slov"]) == 2
    assert "'slov'; write one of: slow" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["huawei", "plan"])
def test_a_dialect_that_cannot_be_spoken_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["smsc", "--dialect", name]) == 2
    assert f"{name!r} to speak; write one of: eyeline" in capsys.readouterr().err


def test_the_password_is_the_commands_unless_it_must_be_wrong() -> None:
    chosen = [_read_modes(Namespace(unkind=mode, password="uK7pWq2x")) for mode in ([], ["wrong-password"])]
    assert [modes.password == "uK7pWq2x" for modes in chosen] == [True, False]
