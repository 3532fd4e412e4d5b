"""References in README and docs: every path, link and symbol they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.adding_guide import created_files
from tests.docs.doc_pages import CODE_BLOCK, INLINE_CODE, PAGES, ROOT, code_lines, page_name

TOP_FOLDERS = ("bench", "docs", "flows", "gateway", "menus", "requirements", "storage", "tests", "tools")
PATH_IN_TEXT = re.compile(rf"(?<![\w/.}}-])((?:{'|'.join(TOP_FOLDERS)})/[\w./-]*)")
LINK = re.compile(r"\]\(([^)#\s]+)(#[\w-]+)?\)")
CALL = re.compile(r"(?<![\w./])(_?[A-Za-z]\w+)\(\)")
SYMBOL = re.compile(r"_?(?:[A-Z]\w*[a-z]\w*|[A-Z][A-Z0-9]*_\w+|[a-z]+(?:_[a-z0-9]+)+)(?:\.\w+)?")
PAGES_WITH_SYMBOLS = ("docs/architecture.md", "docs/glossary.md", "docs/decisions")
"""Pages on which every `CamelCase`, `UPPER_CASE` and `snake_case` word is a name of the code."""
INVENTED_PATHS = re.compile(r"NAME|OPERATOR|CHANNEL|LANGUAGE|PROVIDER|CODE|TEXT|acme|/xx|toy")
"""Paths a reader is told to create, or patterns for several."""


@cache
def defined_names() -> frozenset[str]:
    """Return every name the product's modules and packs define: functions, classes, fields, constants, keys."""
    names: set[str] = set()
    for layer in ("gateway", "storage", "flows", "menus"):
        for path in (ROOT / layer).rglob("*.py"):
            names |= set(names_in(ast.parse(path.read_text())))
        for path in (ROOT / layer).rglob("*.yaml"):
            names |= set(re.findall(r"[\w-]+(?=:)", path.read_text()))
    return frozenset(names)


def names_in(tree: ast.Module) -> set[str]:
    """Return the names a module defines, those of string keys and arguments included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.Attribute(attr=name):
                names.add(name)
            case ast.Constant(value=str(text)) if text.isidentifier():
                names.add(text)
    return names


def named_paths(text: str) -> set[str]:
    found = {path.rstrip("./") for path in PATH_IN_TEXT.findall(text)}
    return {path for path in found if not INVENTED_PATHS.search(path)}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_path_exists(path: Path) -> None:
    named = named_paths(path.read_text()) - created_files(path.read_text())
    missing = [name for name in sorted(named) if not (ROOT / name).exists()]
    assert not missing


def heading_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub builds them."""
    heads = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_link_leads_to_a_page_and_heading(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text()):
        if "://" not in target:
            page = path.parent / target
            assert page.exists(), target
            assert not anchor or anchor in heading_anchors(page), target + anchor


def symbol_pages() -> list[Path]:
    return [path for path in PAGES if page_name(path).startswith(PAGES_WITH_SYMBOLS)]


@pytest.mark.parametrize("path", symbol_pages(), ids=page_name)
def test_every_symbol_is_defined(path: Path) -> None:
    text = path.read_text()
    called = {name for line in text.splitlines() for name in CALL.findall(line)}
    quoted = {word for word in INLINE_CODE.findall(CODE_BLOCK.sub("", text)) if SYMBOL.fullmatch(word)}
    parts = {part for name in called | quoted for part in name.split(".")}
    assert not sorted(parts - defined_names())


def test_a_missing_path_and_a_missing_symbol_are_noticed() -> None:
    assert named_paths("see `gateway/http/gone.py`.") == {"gateway/http/gone.py"}
    assert "no_such_function" not in defined_names() and "run_step" in defined_names()
    assert SYMBOL.fullmatch("run_step") and CALL.findall("T->>M: run_step(): x") == ["run_step"]


def test_the_architecture_page_has_five_journeys_with_a_drawing_each() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    journeys = re.split(r"^## (?=Journey \d)", page, flags=re.MULTILINE)[1:]
    assert [journey[:9] for journey in journeys] == [f"Journey {number}" for number in range(1, 6)]
    for journey in journeys:
        (drawing,) = [body for kind, body in CODE_BLOCK.findall(journey) if kind == "mermaid"]
        assert len(named_paths(drawing)) >= 6


def test_every_package_is_on_the_architecture_page() -> None:
    lines = set(code_lines((ROOT / "docs" / "architecture.md").read_text()))
    packages = {
        f"{folder.parent.relative_to(ROOT).as_posix()}/"
        for layer in ("gateway", "storage", "flows", "menus")
        for folder in (ROOT / layer).glob("*/__init__.py")
    }
    assert packages <= lines


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_decisions_are_numbered_and_have_three_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:4] for path in pages]
    assert all(number.isdigit() for number in numbers) and len(set(numbers)) == len(numbers)
    for path in pages:
        text = path.read_text()
        parts = re.findall(r"^(?:## |\*\*)(Context|Decision|Consequences)\b", text, re.MULTILINE)
        assert text.startswith("# ") and parts == ["Context", "Decision", "Consequences"], path
