"""Errors of commands go to standard error, so that a redirected output holds results only."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import gateway.cli
from gateway.cli.main import run_command

CLI_FOLDER = Path(gateway.cli.__file__).parent
SUCCESS_NAMES = {"EXIT_DONE", "EXIT_CLEAN", "EXIT_WALKED"}
FAILING_COMMANDS = (
    "outbox show 999999 --demo",
    "outbox replay 999999 --demo",
    "export 0800 --demo",
    "erase 0800 --demo",
    "payments list nowhere --demo",
    "tickets list nowhere --demo",
    "tickets show orange-ro NOSUCH --demo",
    "audit prove 999999 --demo",
    "check /no/such/pack",
    "draw nowhere",
    "notify nowhere --demo",
)


def _is_failure(statement: ast.stmt) -> bool:
    """Return whether a statement returns what stands for failure: a status other than 0, or nothing found."""
    if not isinstance(statement, ast.Return):
        return False
    value = statement.value
    if isinstance(value, ast.Constant):
        return value.value is None or (type(value.value) is int and value.value != 0)
    return isinstance(value, ast.Name) and value.id.startswith("EXIT_") and value.id not in SUCCESS_NAMES


def _is_print(statement: ast.stmt) -> bool:
    """Return whether a statement prints to standard output."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    call = statement.value
    return isinstance(call.func, ast.Name) and call.func.id == "print" and not call.keywords


def find_printed_failures(source: str) -> Iterator[int]:
    """Yield the lines that print to standard output right before the command fails."""
    for node in ast.walk(ast.parse(source)):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                pairs = pairwise(block)
                yield from (said.lineno for said, end in pairs if _is_print(said) and _is_failure(end))


def test_no_command_prints_its_failure_as_a_result() -> None:
    printed = {
        path.name: [*find_printed_failures(path.read_text(encoding="utf-8"))]
        for path in CLI_FOLDER.glob("*.py")
    }
    assert {name: lines for name, lines in printed.items() if lines} == {}


@pytest.mark.parametrize("end", ["return 1", "return EXIT_REFUSED", "return None"])
def test_the_rule_finds_a_printed_failure(end: str) -> None:
    assert [*find_printed_failures(f"def run():\n    if True:\n        print('no')\n        {end}\n")] == [3]
    assert [*find_printed_failures("def run():\n    print('done')\n    return EXIT_DONE\n")] == []


@pytest.mark.parametrize("words", FAILING_COMMANDS)
def test_a_command_that_fails_says_why_on_standard_error(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(words.split()) in (1, 2)
    said = capsys.readouterr()
    assert said.err.strip() and said.out.strip() in ("", "0 will be sent again")
