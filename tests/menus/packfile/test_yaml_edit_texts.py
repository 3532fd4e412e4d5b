"""Edits of YAML files: exactly one value changes, comments and layout stay, any text can be written."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from menus.packfile.yaml_edits import append_item, remove_value, set_value
from menus.packfile.yaml_source import YamlValue, parse_yaml
from menus.packfile.yaml_writing import YamlEditError

TEXTS = """\
# Words of the operator.
home:
  all: Welcome! # seen first
  voice: >-
    Welcome to
    Orange.
bill: {all: Bill, voice: 'the bill'} # short
mail: |-
  Dear customer,

  your bill is here.
# The last one.
bye: "So long:\\u00a0bye"
plain: two
  lines
"""
SCREENS = """\
screens:
  home:
    kind: choice
    options: # in order
      - {text: home.one, ussd: "1", to: bill} # first
      - text: home.two
        ussd: "2"
        to: bill
  # about bills
  bill: {kind: message, options: []}
"""
TYPED_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
AWKWARD_TEXTS = [
    *(
        "no",
        "Yes",
        "null",
        "~",
        "0700",
        "1:20",
        "2026-01-01",
        "-",
        "- a",
        "? b",
        "",
        " ",
        " a ",
        "a: b",
        "a #b",
    ),
    *(
        "# a",
        "'",
        '"',
        "\\",
        "{total}",
        "[a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "a\n",
        "\na",
        "a\n\n b",
        "\t",
    ),
    *("a\r\nb", "\u2028", "\x85", "\ufeff", "مرحبا: {total}", "\u200fא", "😀", "ș", "a\u00a0b", "\x00", "\x7f"),
]
PATHS = [
    ("home", "all"),
    ("home", "voice"),
    ("bill", "all"),
    ("bill", "voice"),
    ("mail",),
    ("bye",),
    ("plain",),
]


def read(text: str) -> YamlValue:
    return parse_yaml(text.encode(), "test").value


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "# " in line]


def other_values(value: YamlValue, path: tuple[str, ...]) -> YamlValue:
    """Return a value without the one at a path, which must be there."""
    assert isinstance(value, dict)
    if len(path) > 1:
        return {**value, path[0]: other_values(value[path[0]], path[1:])}
    return {key: each for key, each in value.items() if key != path[0]} | {"": str(path[0] in value)}


def check_edit(path: tuple[str, ...], typed: str) -> None:
    edited = set_value(TEXTS, path, typed)
    found = read(edited)
    for part in path:
        assert isinstance(found, dict)
        found = found[part]
    assert found == typed
    assert other_values(read(edited), path) == other_values(read(TEXTS), path)
    strict = yaml.safe_load(edited)
    for part in path:
        strict = strict[part]
    assert strict == typed, "any other reader of YAML reads the same text"


@pytest.mark.parametrize("path", PATHS, ids="/".join)
def test_any_awkward_text_is_written_so_that_it_reads_the_same(path: tuple[str, ...]) -> None:
    for typed in AWKWARD_TEXTS:
        check_edit(path, typed)


@given(path=st.sampled_from(PATHS), typed=TYPED_TEXTS)
def test_any_typed_text_changes_its_own_place_alone(path: tuple[str, ...], typed: str) -> None:
    check_edit(path, typed)


def test_comments_and_the_other_lines_stay() -> None:
    for path in PATHS:
        edited = set_value(TEXTS, path, "x")
        assert comments(edited) == comments(TEXTS)
        kept = [line for line in TEXTS.splitlines() if line in edited.splitlines()]
        assert len(kept) >= len(TEXTS.splitlines()) - 4


def test_a_plain_text_stays_plain_and_several_lines_stay_a_block() -> None:
    assert "  all: Bine ați venit! # seen first\n" in set_value(TEXTS, ("home", "all"), "Bine ați venit!")
    assert "bye: |-\n  Bună ziua,\n\n  pa.\n" in set_value(TEXTS, ("bye",), "Bună ziua,\n\npa.")
    assert set_value(TEXTS, ("bye",), "So long:\u00a0bye") == TEXTS


def test_what_cannot_be_seen_is_written_as_its_code() -> None:
    assert r'bye: "\u202eabc"' in set_value(TEXTS, ("bye",), "\u202eabc")


@given(typed=TYPED_TEXTS)
def test_a_new_text_is_added_at_the_end(typed: str) -> None:
    edited = set_value(TEXTS, ("new.text",), {"all": typed, "voice": "x"})
    assert edited.startswith(TEXTS.rstrip("\n"))
    assert read(edited) == {**dict_of(TEXTS), "new.text": {"all": typed, "voice": "x"}}


def dict_of(text: str) -> dict[str, YamlValue]:
    value = read(text)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    "start", ["", "# only a comment", "# only a comment\n", "a: b", "a: b # c", "a: |-\n  b\n\n# d"]
)
def test_a_key_is_added_to_any_file(start: str) -> None:
    edited = set_value(start, ("new", "inner"), "no")
    assert read(edited) == {**dict_of(start), "new": {"inner": "no"}}
    assert comments(edited) == comments(start)


def test_an_option_is_added_behind_the_last_one() -> None:
    option: YamlValue = {"text": "home.three", "ussd": "3", "to": "bill"}
    edited = append_item(SCREENS, ("screens", "home", "options"), option)
    assert '        to: bill\n      - {text: home.three, ussd: "3", to: bill}\n  # about bills' in edited
    assert comments(edited) == comments(SCREENS)
    assert "options: [{text: home.three" in append_item(SCREENS, ("screens", "bill", "options"), option)


def test_an_option_or_a_key_is_taken_out() -> None:
    edited = remove_value(SCREENS, ("screens", "home", "options", 0))
    assert "home.one" not in edited and "home.two" in edited and "# about bills" in edited
    assert remove_value("a: [x, y, z]\n", ("a", 1)) == "a: [x, z]\n"
    assert remove_value("a: [x, y]\n", ("a", 0)) == "a: [y]\n"
    assert remove_value("a: {b: 1, c: 2}\n", ("a", "c")) == "a: {b: 1}\n"
    assert "kind: message" not in remove_value(SCREENS, ("screens", "bill"))


def test_a_block_becomes_one_text_and_back() -> None:
    edited = set_value(TEXTS, ("home",), "Hello")
    assert "home: Hello\n" in edited and read(edited) == {**dict_of(TEXTS), "home": "Hello"}
    back = set_value(edited, ("home",), {"all": "Hello", "voice": "x" * 120})
    assert read(back) == {**dict_of(TEXTS), "home": {"all": "Hello", "voice": "x" * 120}}


@pytest.mark.parametrize(
    "edit",
    [
        lambda: set_value("a: b\n", ("a",), "\ud800"),
        lambda: set_value("a: b\n", ("a", 0), "x"),
        lambda: append_item("a: b\n", ("a",), "x"),
    ],
)
def test_what_cannot_be_edited_is_refused(edit: object) -> None:
    assert callable(edit)
    with pytest.raises(YamlEditError):
        edit()
