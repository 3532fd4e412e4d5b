"""Edits of the shipped packs: a text, an option, keywords, opening hours, a screen; nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from menus.packfile.yaml_writing import YamlEditError
from menus.packs.pack_editing import (
    KEYWORDS_FILE,
    PACK_FILE,
    SCREENS_FILE,
    FileTexts,
    add_keyword,
    add_option,
    add_screen,
    clear_agent_hours,
    list_words,
    read_values,
    remove_keyword,
    remove_option,
    write_agent_hours,
    write_keyword_words,
    write_option_keys,
    write_text,
)

PACKS = sorted(path.parent for path in Path("menus/operators").glob("*/pack.yaml"))
AWKWARD = "no: \u200f\"#'\n- مرحبا 😀"


def read_files(pack: Path) -> FileTexts:
    return {path.relative_to(pack).as_posix(): path.read_text() for path in sorted(pack.rglob("*.yaml"))}


ORANGE = read_files(Path("menus/operators/orange_ro"))


def changed_lines(before: FileTexts, after: FileTexts) -> list[str]:
    """Return the lines of the edited files that were not there before."""
    return [
        line
        for path, text in after.items()
        for line in text.splitlines()
        if text != before[path] and line not in before[path].splitlines()
    ]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: str(pack.name))
def test_every_text_of_every_pack_can_be_edited(pack: Path) -> None:
    files = read_files(pack)
    for path in [path for path in files if path.startswith("texts/")]:
        values, language = read_values(files, path), Path(path).stem
        name, value = list(values.items())[len(values) // 2]
        edited = write_text(files, language, name, AWKWARD)
        assert read_values(edited, path) == {**values, name: AWKWARD}
        assert write_text(files, language, name, value) == files
        assert edited[path].count("#") >= files[path].count("#")


def test_only_the_words_that_changed_are_touched() -> None:
    edited = write_text(ORANGE, "ro", "home", {"all": "Bun venit!", "voice": "Bine ați venit la Orange."})
    assert changed_lines(ORANGE, edited) == ["  all: Bun venit!"]
    assert dict(list_words(read_values(edited, "texts/ro.yaml")["home"]))[("all",)] == "Bun venit!"


def test_a_shared_text_becomes_the_packs_own() -> None:
    edited = write_text(ORANGE, "en", "nav.back", "Go back")
    assert changed_lines(ORANGE, edited) == ["nav.back: Go back"]


def test_an_option_is_added_with_its_keys_and_taken_out_again() -> None:
    option = {"text": "bill.new_option", "ussd": "8", "to": "help.show"}
    edited = add_option(ORANGE, "bill", {}, option)
    assert changed_lines(ORANGE, edited) == ['      - {text: bill.new_option, ussd: "8", to: help.show}']
    assert remove_option(edited, "bill", {}, 8) == ORANGE
    moved = write_option_keys(edited, "bill", {}, 8, {"ussd": "9", "sms": "9", "voice": "9"})
    assert '{text: bill.new_option, key: "9", to: help.show}' in moved[SCREENS_FILE]


def test_a_flows_screen_becomes_the_packs_own_with_its_new_option() -> None:
    screen: dict[str, Any] = {"kind": "message", "options": [{"text": "a.b", "key": "1", "to": "home"}] * 4}
    edited = add_option(ORANGE, "help.show", screen, {"text": "x.y", "key": "5", "to": "bill"})
    added = yaml.safe_load(edited[SCREENS_FILE])["screens"]["help.show"]
    assert added == {**screen, "options": [*screen["options"], {"text": "x.y", "key": "5", "to": "bill"}]}


def test_a_screen_is_added_once() -> None:
    edited = add_screen(ORANGE, "summer.offer", {"kind": "message"})
    assert changed_lines(ORANGE, edited) == ["  summer.offer: {kind: message}"]
    with pytest.raises(YamlEditError):
        add_screen(edited, "summer.offer", {"kind": "message"})


def test_keywords_are_changed_added_and_taken_out() -> None:
    edited = write_keyword_words(ORANGE, 2, ["BUGET", "no", "0700"])
    assert changed_lines(ORANGE, edited) == ['  - {words: [BUGET, "no", "0700"], to: budget}']
    added = add_keyword(ORANGE, ["VARA"], "budget")
    assert changed_lines(ORANGE, added) == ["  - {words: [VARA], to: budget}"]
    assert remove_keyword(added, 15)[KEYWORDS_FILE] == ORANGE[KEYWORDS_FILE]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: str(pack.name))
def test_opening_hours_are_set_and_cleared(pack: Path) -> None:
    files = clear_agent_hours(read_files(pack))
    edited = write_agent_hours(files, "mon-sat", "08:00", "20:00")
    edited = write_agent_hours(edited, "mon-fri", "08:30", "20:00")
    hours = yaml.safe_load(edited[PACK_FILE])["voice"]["agent_hours"]
    assert hours == {"days": "mon-fri", "from": "08:30", "to": "20:00"}
    assert yaml.safe_load(clear_agent_hours(edited)[PACK_FILE]) == yaml.safe_load(files[PACK_FILE])
