"""Commands in README and docs: every command, option, make target and module exists."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from tests.docs.doc_pages import INLINE_CODE, PAGES, ROOT, code_lines, page_name

REFERENCE = ROOT / "docs" / "reference.md"
COMMAND = re.compile(r"^(?:\$ )?(?:.*\| )?(?:\.venv/bin/)?dialtree ([^|\n]+)")
"""A command line: perhaps behind a prompt or a pipe; what its output is piped into is another command."""
MAKE_TARGET = re.compile(r"\bmake ([a-z][a-z-]*)\b")
PYTHON_MODULE = re.compile(r"python3? -m ([a-z_.]+)")
HELP_ROW = re.compile(r"^[\s│|]+([a-z]+)\s{2,}", re.MULTILINE)
OUR_PACKAGES = ("bench", "tests", "tools", "gateway")
PLACEHOLDER = "COMMAND"


@cache
def help_of(*command: str) -> str:
    """Return the help text of a command; empty when there is no such command."""
    terminal = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner(env=terminal).invoke(app, [*command, "--help"], prog_name="dialtree")
    return result.output if result.exit_code == 0 else ""


def help_along(words: list[str]) -> str:
    """Return the help of a command, and of its subcommands when it has some: two below each other at most."""
    text = help_of(words[0])
    for depth in (2, 3):
        word = words[depth - 1] if len(words) >= depth else ""
        is_word = re.fullmatch(r"[a-z]+(-[a-z]+)*", word)
        if not is_word or not re.search(rf"\b{word}\b", help_of(*words[: depth - 1])):
            break
        text += help_of(*words[:depth])
    return text


def documented_commands(path: Path) -> Iterator[list[str]]:
    """Yield the words of every `dialtree` command on a page, without the program's name."""
    for line in code_lines(path.read_text()):
        for arguments in COMMAND.findall(line):
            words = shlex.split(arguments.rstrip("\\"), comments=True)
            if words and not words[0].startswith("-") and words[0] != PLACEHOLDER:
                yield words


def unknown_options(words: list[str]) -> list[str]:
    text = help_along(words)
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_command_has_the_options_the_page_gives_it(path: Path) -> None:
    for words in documented_commands(path):
        assert help_of(words[0]), f"no command {words[0]!r}"
        assert not unknown_options(words), words


def test_the_reference_lists_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| `dialtree (\w+)` \|", REFERENCE.read_text(), re.MULTILINE)
    offered = re.sub(r"(?s)^.*?(?=dialtree|Usage)", "", help_of(), count=1)
    assert sorted(rows) == sorted(set(HELP_ROW.findall(offered)))


def test_the_reference_gives_each_command_options_it_has() -> None:
    for line in REFERENCE.read_text().splitlines():
        if line.startswith("| `dialtree "):
            command, *rest = INLINE_CODE.findall(line)
            named = [words for words in (each.split() for each in rest) if words[0].startswith("--")]
            assert not unknown_options([command.split()[1], *(words[0] for words in named)]), line


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for line in code_lines(path.read_text()) for name in MAKE_TARGET.findall(line)}
    assert named <= targets


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_module_that_is_run_exists(path: Path) -> None:
    named = {name for line in code_lines(path.read_text()) for name in PYTHON_MODULE.findall(line)}
    for name in (name for name in named if name.partition(".")[0] in OUR_PACKAGES):
        file = ROOT / name.replace(".", "/")
        assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), name
