"""Command `dialtree smsc`: a tiny SMSC and USSD gateway in the terminal, with one phone behind it."""

import asyncio
import contextlib
import os
import re
import sys
from argparse import Namespace

from gateway.cli.line_input import TerminalInput, open_input
from gateway.cli.styled_output import StyledOutput
from gateway.demo.smsc.smpp_phone import SmppPhone
from gateway.demo.smsc.smsc_modes import UNKIND_MODES, SmscModes, modes_for
from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.providers._smpp.dialect import DialectForm, load_dialects
from menus.model.user_error import UserError

EXIT_UNANSWERED = 1
ANSWER_SECONDS = 10.0
"""How long a phone waits for a screen; networks give up after 20 to 180 s."""
_CODE = re.compile(r"\*[0-9*]+#")
_TEXT = re.compile(r"([0-9]{3,6}) (.+)", re.DOTALL)


def main(args: Namespace) -> int:
    """Serve until the input ends and return 0; 1 when a dialled code or a text got no answer."""
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_serve_smsc(args))
    return 0


async def _serve_smsc(args: Namespace) -> int:
    output = StyledOutput.for_stream(sys.stdout, os.environ)
    modes = _read_modes(args)
    smsc = SmscSimulator(modes)
    phone = SmppPhone(args.caller.removeprefix("+"), smsc, _read_dialect(args.dialect))
    phone.on_text = lambda sender, text: output.print_line(f"~ {sender}: {text}", "message")
    async with smsc.serve(args.port) as port:
        output.print_line(
            f"SMSC on 127.0.0.1:{port}. Bind as {modes.system_id} with the password {args.password}."
        )
        source = open_input(os.environ)
        if source.is_terminal:
            output.print_line("*100# dials, '477 TEXT' texts 477, anything else answers; Ctrl-D ends.", "dim")
        return await TerminalSmsc(phone, source, output).run()


def _read_modes(args: Namespace) -> SmscModes:
    unknown = [name for name in args.unkind if name not in UNKIND_MODES]
    if unknown:
        raise UserError(f"--unkind: no mode {unknown[0]!r}; write one of: {', '.join(UNKIND_MODES)}")
    modes = modes_for(args.unkind)
    modes.password = modes.password if "wrong-password" in args.unkind else args.password
    return modes


def _read_dialect(name: str) -> DialectForm:
    usable = {known: form for known, form in load_dialects().items() if not form.unusable}
    if name not in usable:
        raise UserError(f"--dialect: no dialect {name!r} to speak; write one of: {', '.join(usable)}")
    return usable[name]


class TerminalSmsc:
    """Reads lines and does what they say with the phone."""

    def __init__(self, phone: SmppPhone, source: TerminalInput, output: StyledOutput) -> None:
        self._phone, self._source, self._output = phone, source, output
        self._in_session = False
        self._status = 0

    async def run(self) -> int:
        """Take lines until the input ends; return the exit status."""
        while (line := await self._source.read_line()) is not None:
            await self._phone.smsc.wait_for_bind()
            await self._take_line(line)
        return self._status

    async def _take_line(self, line: str) -> None:
        text = _TEXT.fullmatch(line)
        if text:
            await self._send_text(text[1], text[2])
        elif _CODE.fullmatch(line) or self._in_session:
            await self._exchange(line)
        elif line:
            self._output.print_line("no session: dial a code such as *100# first", "fault")

    async def _send_text(self, service: str, text: str) -> None:
        status = await self._phone.text(service, text)
        if status:
            self._status = EXIT_UNANSWERED
            self._output.print_line(f"the gateway answered with status {status:#x}", "fault")

    async def _exchange(self, line: str) -> None:
        dials = bool(_CODE.fullmatch(line))
        try:
            screen = await (self._phone.dial if dials else self._phone.answer)(line, ANSWER_SECONDS)
        except TimeoutError:
            self._status, self._in_session = EXIT_UNANSWERED, False
            self._output.print_line(f"no screen within {ANSWER_SECONDS:g} s", "fault")
            return
        self._in_session = not screen.ends
        self._output.print_line(screen.text)
        if screen.ends:
            self._output.print_line("(the session ended)", "dim")
