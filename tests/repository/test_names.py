"""Names: a stranger finds a thing under the term the field uses for it."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LAYERS = ("gateway", "storage", "flows", "menus")
ONE_WORD_SHARE = 0.35
"""Of public functions, methods and classes; well-kept libraries have 0.07 to 0.48."""
DOCSTRING_WIDTH = 100
IRREGULAR_PARTICIPLES = frozenset(
    [
        "told",
        "heard",
        "left",
        "found",
        "kept",
        "known",
        "shown",
        "said",
        "sent",
        "given",
        "written",
        "drawn",
        "begun",
        "held",
        "taken",
        "met",
        "saw",
        "made",
        "come",
        "gone",
        "done",
        "seen",
        "put",
        "set_up",
        "bound",
        "caught",
        "chosen",
        "cut",
        "dealt",
        "drawn",
        "fallen",
        "felt",
        "forgotten",
        "gotten",
        "grown",
        "hidden",
        "hit",
        "kept",
        "lain",
        "laid",
        "led",
        "lent",
        "lost",
        "meant",
        "paid",
        "read_out",
        "ridden",
        "risen",
        "run_out",
        "sat",
        "set_off",
        "shut",
        "slept",
        "sold",
        "spent",
        "spoken",
        "spun",
        "stood",
        "stuck",
        "sung",
        "sunk",
        "swept",
        "sworn",
        "thought",
        "thrown",
        "understood",
        "woken",
        "worn",
        "won",
        "bought",
        "brought",
        "built",
    ]
)
ADJECTIVES = frozenset(
    [
        "able",
        "asleep",
        "awake",
        "bare",
        "big",
        "broken",
        "busy",
        "clean",
        "clear",
        "dead",
        "dear",
        "deaf",
        "deep",
        "different",
        "dry",
        "due",
        "dumb",
        "early",
        "easy",
        "elsewhere",
        "empty",
        "fair",
        "familiar",
        "few",
        "fit",
        "fresh",
        "full",
        "good",
        "great",
        "hard",
        "idle",
        "kind",
        "large",
        "last",
        "late",
        "little",
        "lone",
        "loose",
        "lost",
        "loud",
        "many",
        "mute",
        "naked",
        "near",
        "neat",
        "new",
        "nice",
        "nobodys",
        "odd",
        "old",
        "other",
        "own",
        "pale",
        "plain",
        "poor",
        "proper",
        "quick",
        "quiet",
        "raw",
        "rich",
        "right",
        "ripe",
        "sad",
        "safe",
        "same",
        "shy",
        "sick",
        "silent",
        "single",
        "slow",
        "small",
        "sober",
        "soft",
        "sorry",
        "stale",
        "strange",
        "stray",
        "strong",
        "sure",
        "sweet",
        "tame",
        "thin",
        "thrifty",
        "tidy",
        "tight",
        "tired",
        "true",
        "vain",
        "vast",
        "weak",
        "wet",
        "whole",
        "wide",
        "wild",
        "wise",
        "wrong",
        "young",
    ]
)
VAGUE_WORDS = ("manager", "helper", "util", "utils", "misc")
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class Definition(NamedTuple):
    """A class, function or method of the product, not defined inside a function."""

    where: str
    name: str
    node: ast.AST

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_public(self) -> bool:
        return not self.name.startswith("_")

    @property
    def words(self) -> list[str]:
        return [word for word in re.split(r"_|(?<=[a-z0-9])(?=[A-Z])", self.name) if word]

    @property
    def returns_bool(self) -> bool:
        return isinstance(self.node, FUNCTION) and ast.unparse(self.node.returns or ast.Constant(0)) == "bool"


@cache
def modules() -> list[tuple[Path, ast.Module]]:
    paths = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
    return [(path, ast.parse(path.read_text())) for path in paths if "migrations" not in path.parts]


@cache
def definitions() -> list[Definition]:
    return [found for path, tree in modules() for found in _defined_in(tree, str(path.relative_to(ROOT)))]


def _defined_in(node: ast.AST, where: str) -> Iterator[Definition]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTION):
            yield Definition(f"{where}:{child.lineno}", child.name, child)
        elif isinstance(child, ast.ClassDef):
            yield Definition(f"{where}:{child.lineno}", child.name, child)
            yield from _defined_in(child, where)
        elif isinstance(child, ast.If | ast.Try):
            yield from _defined_in(child, where)


def public_definitions() -> list[Definition]:
    return [found for found in definitions() if found.is_public]


def twice(names: list[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)


def is_participle_or_adjective(found: Definition) -> bool:
    """One word such as `told`, `kept` or `quiet`; a function that returns a bool may be called `expired`."""
    word = found.name.lower()
    if len(found.words) != 1 or found.is_class or found.returns_bool:
        return False
    regular = word.endswith("ed") and word not in {"embed", "feed", "need", "seed", "shed", "speed"}
    return regular or word in IRREGULAR_PARTICIPLES or word in ADJECTIVES


def test_no_public_name_is_a_bare_participle_or_adjective() -> None:
    assert not [
        f"{found.where} {found.name}" for found in public_definitions() if is_participle_or_adjective(found)
    ]


def test_at_most_a_third_of_the_public_names_is_one_word() -> None:
    public = public_definitions()
    short = [found for found in public if len(found.words) == 1]
    assert len(short) <= ONE_WORD_SHARE * len(public), f"{len(short)} of {len(public)}"


def test_no_class_or_type_alias_is_defined_twice() -> None:
    classes = [
        found.name for found in definitions() if found.is_class and found.is_public and found.name != "Settings"
    ]
    aliases = [
        target.id
        for _, tree in modules()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper()
    ]
    assert not twice([*classes, *aliases])


def test_no_module_is_called_like_another() -> None:
    assert not twice([path.stem for path, _ in modules() if not path.stem.startswith("__")])


def test_no_name_is_a_vague_word() -> None:
    names = [(found.where, word) for found in definitions() for word in found.words]
    assert not [entry for entry in names if entry[1].lower() in VAGUE_WORDS]


def test_every_module_says_in_one_line_what_it_holds() -> None:
    first = {path: (ast.get_docstring(tree) or "").partition("\n")[0] for path, tree in modules()}
    assert not [f"{len(line)} {path}" for path, line in first.items() if not 0 < len(line) <= DOCSTRING_WIDTH]
