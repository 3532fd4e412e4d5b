"""Edits of YAML at one place: the value changes, everything around it stays."""

import pytest

from gateway.publishing.pack_compiler import OPERATORS
from menus.packfile.yaml_edits import append_item, remove_value, set_value
from menus.packfile.yaml_source import ValuePath, YamlValue, parse_yaml

FILE = """# The tree
screens:
  home:
    kind: choice # first
    options:
      - {text: home.bill, key: "1", to: bill}
      - text: home.pay
        to: pay

  # second
  bill: {kind: message}
note: >-
  Two lines
  of text

last: plain # end
"""
PACKS = sorted(OPERATORS.glob("*/texts/*.yaml"))


def value_at(text: str, path: ValuePath) -> YamlValue:
    value: YamlValue = parse_yaml(text.encode(), "f").value
    for key in path:
        value = value[key]  # type: ignore[index]
    return value


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("screens", "home", "kind"), "end", "    kind: end # first"),
        (("screens", "home", "options", 0, "to"), "x: #", '      - {text: home.bill, key: "1", to: "x: #"}'),
        (("screens", "bill"), {"kind": "end"}, "  bill: {kind: end}"),
        (("screens", "bill", "needs"), "line", "  bill: {kind: message, needs: line}"),
        (("screens", "pay"), {"kind": "end"}, "  pay: {kind: end}"),
        (("note",), 'Say "é"\nthere', 'note: |-\n  Say "é"\n  there'),
        (("last",), "", 'last: "" # end'),
        (("new", "on"), ["a", "b"], 'new: {"on": [a, b]}'),
    ],
)
def test_one_line_changes(path: ValuePath, value: YamlValue, line: str) -> None:
    edited = set_value(FILE, path, value)
    assert value_at(edited, path) == value
    changed = [each for each in edited.splitlines() if each not in FILE.splitlines()]
    assert changed == line.split("\n")
    assert [each for each in FILE.splitlines() if each.lstrip().startswith("#")] == [
        each for each in edited.splitlines() if each.lstrip().startswith("#")
    ]


def test_an_item_is_added_to_a_list_of_either_style_and_to_none() -> None:
    edited = append_item(FILE, ("screens", "home", "options"), {"text": "home.code", "to": "code"})
    assert value_at(edited, ("screens", "home", "options", 2)) == {"text": "home.code", "to": "code"}
    assert value_at(append_item("a: [x]\n", ("a",), "y"), ("a",)) == ["x", "y"]
    assert value_at(append_item("b: c\n", ("a",), "y"), ("a",)) == ["y"]


@pytest.mark.parametrize(
    "path",
    [
        *[
            ("screens",),
            ("screens", "home"),
            ("screens", "home", "options", 0),
            ("screens", "home", "options", 1),
        ],
        *[
            ("screens", "home", "options", 0, "text"),
            ("screens", "home", "options", 0, "to"),
            ("note",),
            ("last",),
        ],
        *[("screens", "bill"), ("screens", "bill", "kind"), ("screens", "home", "options", 1, "to")],
    ],
    ids=lambda path: ".".join(map(str, path)),
)
def test_what_is_removed_is_gone_and_nothing_else(path: ValuePath) -> None:
    expected = parse_yaml(FILE.encode(), "f").value
    parent = value_at(FILE, path[:-1])
    edited = remove_value(FILE, path)
    left = value_at(edited, path[:-1])
    assert isinstance(parent, dict | list)
    kept = (
        {key: each for key, each in parent.items() if key != path[-1]}
        if isinstance(parent, dict)
        else [each for at, each in enumerate(parent) if at != path[-1]]
    )
    assert left == kept
    assert set(parse_yaml(edited.encode(), "f").value) >= set(expected) - {path[0]}


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert remove_value(FILE, ("screens", "nowhere")) == FILE
    assert remove_value(FILE, ("nothing", "at", "all")) == FILE


def test_an_empty_file_gets_its_first_entry() -> None:
    assert set_value("# nothing yet\n", ("home",), "Hi") == "# nothing yet\nhome: Hi\n"
    assert set_value("{}\n", ("home",), "Hi") == "{home: Hi}\n"
    assert set_value("home: {}", ("home", "all"), "Hi") == "home: {all: Hi}"


def test_a_path_through_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no such place"):
        set_value(FILE, ("last", "all"), "x")
    with pytest.raises(ValueError, match="not a list"):
        append_item(FILE, ("last",), "x")


@pytest.mark.parametrize("path", PACKS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_every_text_of_the_shipped_packs_can_be_set(path: object) -> None:
    text = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    source = parse_yaml(text.encode(), "f")
    assert isinstance(source.value, dict)
    for name in [*source.value][::7]:
        edited = set_value(text, (name,), "Text: #1")
        assert parse_yaml(edited.encode(), "f").value == {**source.value, name: "Text: #1"}
