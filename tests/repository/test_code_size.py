"""Code size limits: short functions, short files, and a docstring on every public name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
LAYERS = ("gateway", "storage", "flows", "menus")
MEDIAN_LINES, MAX_FUNCTION_LINES, MAX_FILE_LINES = 7, 40, 300
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def source_files(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text()


def functions_in(*folders: str) -> Iterator[tuple[str, FunctionNode]]:
    for path, text in source_files(*folders):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, FunctionNode):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def line_count(function: FunctionNode) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_half_of_all_functions_have_seven_lines_or_fewer() -> None:
    assert median(line_count(function) for _, function in functions_in(*LAYERS)) <= MEDIAN_LINES


def test_no_function_is_longer_than_a_screen() -> None:
    long = [f"{line_count(function)} {name}" for name, function in functions_in(*LAYERS, "tests")]
    assert not [entry for entry in long if int(entry.split()[0]) > MAX_FUNCTION_LINES]


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    sizes = [(text.count("\n"), str(path)) for path, text in source_files(*LAYERS, "tests", "bench")]
    assert not [entry for entry in sizes if entry[0] > MAX_FILE_LINES]


def test_every_public_name_says_what_it_is() -> None:
    silent = []
    for path, text in source_files(*LAYERS):
        tree = ast.parse(text)
        defined = [node for node in tree.body if isinstance(node, FunctionNode | ast.ClassDef)]
        public = [node for node in defined if not node.name.startswith("_")]
        silent += [f"{path}:{node.lineno} {node.name}" for node in public if not ast.get_docstring(node)]
        silent += [] if ast.get_docstring(tree) or not tree.body else [str(path)]
    assert not silent
