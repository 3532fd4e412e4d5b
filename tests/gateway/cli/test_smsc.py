"""`dialtree smsc`: a phone in the terminal dials and texts over SMPP."""

import asyncio
import io
from typing import get_args

import pytest

from gateway.cli.line_input import TerminalInput
from gateway.cli.main import run_command
from gateway.cli.options import DialectName
from gateway.cli.smsc import TerminalSmsc
from gateway.cli.styled_output import StyledOutput
from gateway.demo.smsc.smpp_phone import HANDSET_DIALECTS, SmppPhone
from gateway.demo.smsc.smsc_modes import UNKIND_MODES, modes_for
from gateway.smpp.wire.protocol import Tag
from gateway.smpp.wire.sms_records import OutgoingMessage
from tests.gateway.smpp.session_bench import SENDER, SessionBench, bound_session

SCREENS = {"*100#": (2, "Orange\n1 Facture"), "1": (17, "Facture: 45,20 €")}


class ScriptedInput(TerminalInput):
    """Lines of a script, then the end of the input."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        object.__setattr__(self, "_lines", list(lines))

    async def read_line(self) -> str | None:
        lines: list[str] = self._lines  # type: ignore[attr-defined]
        return lines.pop(0) if lines else None


async def answer_screens(bench: SessionBench, sixdee: bool) -> None:  # noqa: FBT001
    """Answer each USSD operation with the screen its text asks for, as a gateway behind a session does."""
    for number in range(2):
        await bench.wait_for("messages", number + 1)
        message = bench.messages[number]
        operation, text = SCREENS[message.text]
        its = bytearray(message.tlvs.get(Tag.ITS_SESSION_INFO, b"\0\0"))
        its[1] |= sixdee and operation == 17
        tlvs = {Tag.USSD_SERVICE_OP: bytes([operation]), Tag.ITS_SESSION_INFO: bytes(its)}
        await bench.session.submit(OutgoingMessage(message.source, text, SENDER, tlvs=tlvs))


async def run_script(bench: SessionBench, dialect: str, lines: list[str]) -> tuple[int, str]:
    phone = SmppPhone("40740000101", bench.smsc, HANDSET_DIALECTS[dialect])
    printed = io.StringIO()
    output = StyledOutput(printed, None)
    phone.on_text = lambda sender, text: output.print_line(f"~ {sender}: {text}", "message")
    return await TerminalSmsc(phone, ScriptedInput(lines), output).run(), printed.getvalue()


@pytest.mark.parametrize("dialect", get_args(DialectName))
async def test_a_person_dials_and_answers(dialect: str) -> None:
    async with bound_session() as bench:
        screens = asyncio.create_task(answer_screens(bench, dialect == "sixdee"))
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
        phone = SmppPhone("40740000101", bench.smsc)
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


def test_every_dialect_is_an_option() -> None:
    assert set(get_args(DialectName)) == set(HANDSET_DIALECTS)
