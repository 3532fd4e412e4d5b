"""The dialog format: what may be written, and the messages for lines that cannot be read."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.dialogs.format import DialogError, format_dialog, parse_dialog, parse_duration
from tests.support.dialog_runs import DIALOG_PATHS, dialog_name, load_dialog
from tests.support.gateway_sandbox import GatewaySandbox

CALL = """# A call
operator orange-ro

dial *100#
  | Welcome
> 1
  = end
"""

FAULTS = [
    ("dail *100#", "d:1: 'dail' is not known; did you mean `dial *100#`?"),
    ("frobnicate", "d:1: 'frobnicate' is not known; write one of: operator, rules"),
    ("dial 100", "d:1: `dial` has the wrong form; write it like `dial *100#`"),
    ("from 0740000101", "d:1: `from` has the wrong form; write it like `from +40740000101`"),
    ("at tomorrow", "d:1: `at` has the wrong form; write it like `at 2026-03-10 09:00`"),
    ("wait a bit", "d:1: `wait` has the wrong form; write it like `wait 16 minutes`"),
    ("billing broken", "d:1: `billing` has the wrong form; write it like `billing slow`"),
    ("  | Welcome", "d:1: nothing has been done yet; write `dial *100#` (or call, text) above it"),
    ("dial *100#\n  Welcome", "d:2: an indented line is what must come; begin it with one of: | ~ ? ="),
]
UNPLAYABLE = [
    ("dial", "*200#", "orange-ro answers *100#"),
    ("call", "412", "nobody answers 412; write 411"),
    ("text", "478 FACTURA", "nobody answers 478; write 477"),
    (">", "1", "nothing is open"),
]


def test_what_is_read_is_what_was_written() -> None:
    dialog = parse_dialog(CALL, "d")
    assert [(cue.line, cue.verb, cue.argument) for cue in dialog.steps] == [
        (2, "operator", "orange-ro"),
        (4, "dial", "*100#"),
        (6, ">", "1"),
    ]
    assert format_dialog(dialog, [cue.expected for cue in dialog.steps]) == CALL


def test_rewriting_replaces_the_expected_lines() -> None:
    dialog = parse_dialog(CALL, "d")
    assert format_dialog(dialog, [(), ("| Hello",), ()]) == CALL.replace("Welcome", "Hello").replace(
        "  = end\n", ""
    )


@pytest.mark.parametrize(("text", "told"), FAULTS, ids=[text for text, _ in FAULTS])
def test_a_line_not_understood_is_named_and_mended(text: str, told: str) -> None:
    with pytest.raises(DialogError) as error:
        parse_dialog(text, "d")
    assert str(error.value).startswith(told)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(DialogError) as error:
        parse_dialog("dail *100#\n\nwait", "d")
    assert str(error.value).count("\n") == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("16 minutes", 960), ("1 second", 1), ("14 minutes 59 seconds", 899), ("1 day", 86400)],
)
def test_waits_are_parsed_as_durations(said: str, seconds: int) -> None:
    assert parse_duration(said) == timedelta(seconds=seconds)


def test_what_is_typed_keeps_its_spaces() -> None:
    assert [cue.argument for cue in parse_dialog("> 1 \n>\n>  2\ntext 477  a", "d").steps] == [
        "1 ",
        "",
        " 2",
        "477  a",
    ]


@pytest.mark.parametrize("path", DIALOG_PATHS, ids=dialog_name)
def test_every_dialog_is_written_as_it_is_read(path: Path) -> None:
    dialog = load_dialog(path)
    assert format_dialog(dialog, [cue.expected for cue in dialog.steps]).splitlines() == list(dialog.lines)


@pytest.mark.parametrize(("verb", "said", "told"), UNPLAYABLE)
async def test_an_impossible_action_is_reported(
    verb: str, said: str, told: str, sandbox: GatewaySandbox
) -> None:
    with pytest.raises(DialogError, match=told.replace("*", r"\*")):
        await sandbox.dialog_player(sandbox.direct_line(), "+40740000101").perform(verb, said)
