"""A spoofed caller learns nothing by the first answer: its language and its reads tell nothing (T5, T6)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.dialogs.player import PhoneDisplay
from gateway.dialogs.sandbox import preset_language
from gateway.publishing import pack_compiler
from storage.demo.world import load_demo_world
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

UNPROVEN = {"voice": "none", "ussd": "none"}
OPERATORS = pack_compiler.shipped_operators()


@contextmanager
def recorded_reads(sandbox: GatewaySandbox) -> Iterator[list[str]]:
    """Record every question to the database, billing's included, in its order."""
    database: Any = sandbox.container.database
    asked: list[str] = []

    def record(name: str) -> None:
        original = getattr(database, name)

        async def recorded(*arguments: Any, **options: Any) -> Any:
            asked.append(name)
            return await original(*arguments, **options)

        setattr(database, name, recorded)

    for name in ("read", "write"):
        record(name)
    yield asked


async def begin(sandbox: GatewaySandbox, channel: str, caller: str) -> tuple[PhoneDisplay, list[str]]:
    """Call or dial over a connection that proves nothing; return the first answer and what was asked for it."""
    numbers, line = sandbox.menu.config.numbers, sandbox.direct_line(UNPROVEN)
    with recorded_reads(sandbox) as asked:
        if channel == "voice":
            return await line.call(caller, numbers.voice), list(asked)
        return await line.dial(caller, numbers.ussd), list(asked)


def known_number(operator: str) -> str:
    return str(load_demo_world()[operator]["subscribers"][0]["msisdn"])


@pytest.mark.parametrize("channel", ["voice", "ussd"])
@pytest.mark.parametrize("operator", OPERATORS)
async def test_T5_T6_the_first_answer_does_not_tell_a_known_number_from_an_unknown_one(
    sandboxes: SandboxFactory, operator: str, channel: str
) -> None:
    known = known_number(operator)
    async with sandboxes.open(operator=operator) as sandbox:
        other = list(sandbox.menu.config.languages)[-1]
        await preset_language(sandbox.container, operator, known, other)
        answers = [await begin(sandbox, channel, each) for each in (known, f"{known[:-3]}999")]
    assert answers[0] == answers[1] and answers[0][1] == []


@pytest.mark.parametrize("channel", ["voice", "ussd"])
async def test_T5_T6_a_spoofed_caller_is_told_nothing_of_the_owners_dropped_session(
    sandboxes: SandboxFactory, channel: str
) -> None:
    known = known_number("orange-ro")
    async with sandboxes.open() as sandbox:
        owner = sandbox.direct_line({"voice": "line", "ussd": "line"})
        await (owner.call(known, "411") if channel == "voice" else owner.dial(known, "*100#"))
        for key in "12" if channel == "voice" else "113":
            await owner.press(key)
        heard = [await spoof(sandbox, channel, each) for each in (known, f"{known[:-3]}999")]
    assert heard[0] == heard[1] and heard[0][0][1] == []


async def spoof(sandbox: GatewaySandbox, channel: str, caller: str) -> list[Any]:
    """Call with somebody's number as far as the question for a code; return all that was said."""
    line = sandbox.direct_line(UNPROVEN)
    line.session_prefix = caller
    numbers = sandbox.menu.config.numbers
    with recorded_reads(sandbox) as asked:
        first = await (
            line.call(caller, numbers.voice) if channel == "voice" else line.dial(caller, numbers.ussd)
        )
        heard: list[Any] = [(first, list(asked))]
    return heard + [await line.press(key) for key in ("1", "1", "1")]


async def test_T5_T6_a_proven_caller_hears_the_saved_language(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open() as sandbox:
        await preset_language(sandbox.container, sandbox.operator, known_number(sandbox.operator), "en")
        line = sandbox.direct_line(UNPROVEN)
        await line.call(known_number(sandbox.operator), "411")
        for key in "11":
            asked = await line.press(key)
        [code] = re.findall(r"\b\d{6}\b", (await sandbox.messages.collect_new())[-1].body)
        assert "cod" in " ".join(asked.lines)
        assert "your bill for march" in " ".join((await line.press(code)).lines).lower()
