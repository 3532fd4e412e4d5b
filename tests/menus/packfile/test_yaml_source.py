"""The YAML reader gives the same values, positions and findings with and without libyaml."""

import random
from pathlib import Path

import pytest
import yaml

from flows.selfcare import action_discovery
from gateway.publishing import pack_compiler
from menus.packfile import yaml_source
from menus.packfile.yaml_source import Finding, PackError, SourceFile, parse_with_loader, parse_yaml
from tests.support.broken_packs import BROKEN_PACKS

SHIPPED = sorted([*pack_compiler.MENUS_FOLDER.rglob("*.yaml"), *action_discovery.FLOWS_FOLDER.glob("*.yaml")])
OPERATOR = pack_compiler.pack_folder("orange-ro")
STRAY_CHARACTERS = [
    *":-?{}[],&*!|>%@`#'\"\\ \t\n~<=/.0a\u00e9\u0628\u2028\x85\ufeff\x7f\r",
    *(
        "---\n",
        "...\n",
        "<<: ",
        "? ",
        "- ",
        ": ",
        "%YAML 1.1\n",
        "!!str ",
        "&a ",
        "*a",
        "\\x",
        "|2\n",
        "|-#",
        "\n  ",
    ),
]
"""Characters that a typing or editing mistake leaves in a file."""
BROKEN_YAML = [
    label for label, (file, *_) in BROKEN_PACKS.items() if file.endswith(".yaml") and label != "not UTF-8"
]
"""Faults in valid UTF-8; bytes that are no text reach neither reader."""
ODDITIES = {
    "no": "answer: no",
    "octal": "code: 0700",
    "nothing": "",
    "empty value": "home:\nbye: {text: }",
    "question mark in a flow": "a: {b: sure?no}",
    "question mark at an end": "a: [really?]",
    "tab": "a:\tb",
    "byte order mark inside": "a: {b\ufeff: c}",
    "byte order mark before": "\ufeffa: b",
    "comment at a block": "a: |-#\n",
    "alias": "a: &x b\nc: *x",
    "tag": "a: !!python/object:os.system b",
    "two documents": "a: b\n---\nc: d",
    "twice": "a: b\na: c",
    "deep": "[" * (yaml_source.MAX_DEPTH + 1),
    "many": "[" + "a, " * yaml_source.MAX_VALUES + "]",
    "control letter": "a: \x07",
    "line separators": "a: \u2028 b\nc: [d\x85, e]",
    "beyond the first plane": "a: {\U0001f600: b, c: d}",
    "unclosed": "a: {b: c",
}

ReadOutcome = tuple[object, object] | list[Finding]


def read_text(text: str, *, swiftly: bool) -> ReadOutcome:
    """Return what a reader makes of a text: values and positions, or findings."""
    try:
        found = (
            parse_yaml(text.encode(), "pack.yaml")
            if swiftly
            else parse_with_loader(text, "pack.yaml", yaml.SafeLoader)
        )
    except PackError as error:
        return error.findings
    return found.value, dict(found.positions)


def text_with_slips(chance: random.Random) -> str:
    """Return a few lines of a pack with one to three typing mistakes in them."""
    lines = chance.choice(SHIPPED).read_text().splitlines(keepends=True)
    first = chance.randrange(len(lines))
    text = "".join(lines[first : first + chance.randint(1, 7)])
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(STRAY_CHARACTERS) + text[at + chance.randint(0, 1) :]
    return text


@pytest.fixture(autouse=True)
def libyaml() -> None:
    if yaml_source.LIBYAML_LOADER is None:
        pytest.fail("PyYAML was built without libyaml: nothing is compared")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_file_reads_alike(path: Path) -> None:
    assert read_text(path.read_text(), swiftly=True) == read_text(path.read_text(), swiftly=False)


@pytest.mark.parametrize("label", BROKEN_YAML)
def test_a_broken_file_reads_alike(label: str) -> None:
    file, right, wrong, _ = BROKEN_PACKS[label]
    whole = (OPERATOR / file).read_text()
    text = whole.replace(right, wrong or "", 1) if right else wrong or ""
    assert read_text(text, swiftly=True) == read_text(text, swiftly=False)


@pytest.mark.parametrize("label", ODDITIES)
def test_an_oddity_reads_alike(label: str) -> None:
    assert read_text(ODDITIES[label], swiftly=True) == read_text(ODDITIES[label], swiftly=False)


@pytest.mark.parametrize("seed", range(400))
def test_a_slip_reads_alike(seed: int) -> None:
    text = text_with_slips(random.Random(seed))
    assert read_text(text, swiftly=True) == read_text(text, swiftly=False)


def test_every_shipped_file_is_read_swiftly() -> None:
    """A text with a question mark is quoted, and so is read ten times as fast."""
    assert not [str(path) for path in SHIPPED if not _read_with_libyaml(path.read_text())]


def _read_with_libyaml(text: str) -> bool:
    try:
        return bool(
            parse_with_loader(text, "", yaml_source.LIBYAML_LOADER).positions
        ) and not yaml_source.LIBYAML_LENIENT.search(text)
    except PackError:
        return False


def test_a_file_that_packs_share_is_parsed_once() -> None:
    shared = pack_compiler.SHARED_PLACES.texts / "fr.yaml"
    assert yaml_source.read_yaml(shared) is yaml_source.read_yaml(shared)


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    def edited(text: str) -> SourceFile:
        (tmp_path / "pack.yaml").write_text(text)
        return yaml_source.read_yaml(tmp_path / "pack.yaml")

    assert [edited("a: b").value, edited("a: c").value] == [{"a": "b"}, {"a": "c"}]
