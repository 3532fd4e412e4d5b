"""Guides of docs/adding, followed step by step in a copy of the tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.adding_guide import (
    GUIDE_FOLDER,
    copy_tree,
    file_hashes,
    named_files,
    names_of_paths,
    read_steps,
    run_commands,
    take_step,
)
from tests.docs.doc_pages import ROOT

GUIDES = sorted(path.stem for path in GUIDE_FOLDER.glob("*.md"))
SUITES = {
    "operator": ("tests/system/test_dialogs.py tests/gateway/dialogs/test_format.py -k acme_tel",),
}
"""Tests of the copy that what a guide adds must pass."""
PACK_OF_THE_OPERATOR_GUIDE = "menus/operators/acme_tel/"
"""The language guide begins with the pack that the operator guide writes."""


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_works_and_touches_only_the_files_it_names(name: str, tmp_path: Path) -> None:
    copy_tree(tmp_path)
    before = file_hashes(tmp_path)
    for step in read_steps(name):
        take_step(step, tmp_path)
    after = file_hashes(tmp_path)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    touched = names_of_paths(changed, named_files(name))
    extra = touched - named_files(name)
    if name == "language":
        extra = {path for path in extra if not path.startswith(PACK_OF_THE_OPERATOR_GUIDE)}
    assert not extra and named_files(name) <= touched
    for suite in SUITES.get(name, ()):
        run_tests(tmp_path, suite)


def run_tests(folder: Path, suite: str) -> None:
    """Run tests of the copy; AssertionError with what they print when one fails."""
    shutil.copytree(ROOT / "tests" / "browser", folder / "tests" / "browser", dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suite.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


def test_the_provider_of_the_guide_passes_the_tests_of_providers(tmp_path: Path) -> None:
    copy_tree(tmp_path)
    shutil.copytree(ROOT / "tests" / "browser", tmp_path / "tests" / "browser")
    for step in read_steps("provider"):
        if step.path:
            take_step(step, tmp_path)
    tests = ["contract", "wires"]
    files = [f"tests/gateway/providers/test_{name}.py" for name in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto", *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_there_is_a_guide_for_each_kind_of_addition() -> None:
    assert GUIDES == ["billing-backend", "flow", "http-provider", "language", "operator", "provider"]


def test_commands_run_the_code_of_the_copy(tmp_path: Path) -> None:
    copy_tree(tmp_path)
    (tmp_path / "gateway" / "__main__.py").write_text("print('the copy')\n")
    assert run_commands(".venv/bin/dialtree", tmp_path) == "the copy"
