"""Pack checks: a broken pack does not start; each finding names the place and the correction."""

import re
import shutil
from pathlib import Path

import pytest

from gateway.publishing import pack_compiler
from menus.packfile import messages
from menus.packfile.json_schema import json_schema
from menus.packfile.schema import PATTERN_EXAMPLES
from menus.packfile.yaml_source import Finding
from tests.support.broken_packs import BROKEN_PACKS

PLACE = re.compile(r"\S+?@(.*?)@: ", re.DOTALL)
FINDING_KINDS = {name: words for name, words in vars(messages).items() if name.isupper()}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro"))


def break_file(path: Path, right: str, wrong: str | None) -> None:
    """Replace a text in a file by a faulty one, or the whole file."""
    if wrong is None:
        path.unlink()
        return
    if right:
        whole = path.read_text(encoding="utf-8")
        assert right in whole
        wrong = whole.replace(right, wrong, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wrong, encoding="utf-8", errors="surrogateescape")


@pytest.mark.parametrize("fault", BROKEN_PACKS)
def test_each_fault_is_named_with_its_place(fault: str, pack: Path) -> None:
    file, right, wrong, expected = BROKEN_PACKS[fault]
    break_file(pack / file, right, wrong)
    assert expected in [
        spell_finding(pack.parent, each, expected) for each in pack_compiler.validate_pack(pack)
    ]


def spell_finding(folder: Path, finding: Finding, expected: str) -> str:
    """Return a finding as the table spells it: its place by the text found there."""
    marked = PLACE.match(expected)
    if not marked or not (folder / finding.file).is_file():
        return str(finding)
    lines = (folder / finding.file).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    there = (
        lines[finding.line - 1][finding.column - 1 :][: len(marked[1])] if finding.line <= len(lines) else ""
    )
    return f"{finding.file}@{there}@: {finding.what}"


def test_every_kind_of_finding_is_in_the_table() -> None:
    """Expect all but these: one needs dialogs, one a second script; what is spoken wrong and what is wrong in a
    translator's file are found by checks of their own (test_spoken_checks.py, test_translations.py).
    """
    told = [re.sub(r"(?s)^\S+?(:\d+:\d+|@.*?@): ", "", expected) for *_, expected in BROKEN_PACKS.values()]
    unseen = {
        words
        for words in FINDING_KINDS.values()
        if not any(re.fullmatch(finding_pattern(words), what) for what in told)
    }
    elsewhere = {messages.MISSING_DIALOG, messages.SPOKEN_FAULT}
    elsewhere |= {messages.INVALID_PO, messages.PO_TEXT_UNKNOWN, messages.PO_PLACEHOLDERS}
    elsewhere |= {messages.OTHER_OPERATOR}
    assert unseen == elsewhere | {messages.SCRIPT_OUTSIDE_GSM7}


def finding_pattern(words: str) -> str:
    """Return a pattern that matches a message with anything in its placeholders."""
    literals = re.split(r"\{\{?\w+(?:!r)?\}?\}", words)
    return "(?s:.+)".join(map(re.escape, literals))


def test_every_pattern_of_the_schema_has_an_example() -> None:
    patterns = set(
        re.findall(r"'pattern(?:Properties)?': {?'([^']*)'", str(json_schema()).replace("\\\\", "\\"))
    )
    assert patterns == PATTERN_EXAMPLES.keys()


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_the_packs_we_ship_have_no_findings(operator: str) -> None:
    assert pack_compiler.validate_pack(pack_compiler.pack_folder(operator)) == []
