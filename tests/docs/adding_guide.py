"""Guides of docs/adding as steps: files to create, lines to add, commands to run in a copy of the tree."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.docs.doc_pages import ROOT
from tests.support.free_ports import free_port

GUIDE_FOLDER = ROOT / "docs" / "adding"
LAYERS = ("gateway", "storage", "flows", "menus")
STEP = re.compile(
    r"^(?:(?P<verb>Create|Add to) `(?P<path>[^`\n]+)`(?:, after `(?P<line>[^`\n]+)`)?:\n\n)?"
    r"```(?P<kind>\w+)\n(?P<body>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
TABLE_PATH = re.compile(r"^\| `([^`]+/[^`]+)` \|", re.MULTILINE)
PROGRAM = ".venv/bin/dialtree"
IGNORED = ("__pycache__", "var")
"""What running the commands leaves behind: byte code, the demo's data."""
OUTPUT_SUFFIXES = (".out", ".db", ".db-wal", ".db-shm")


@dataclass(frozen=True)
class GuideStep:
    """One step: a file to create, text to add to a file, or commands with their output."""

    verb: str
    path: str
    after_line: str
    kind: str
    body: str

    @property
    def commands(self) -> str:
        return "\n".join(line[2:] for line in self.body.splitlines() if line.startswith("$ "))

    @property
    def expected_output(self) -> str:
        return "\n".join(line for line in self.body.splitlines() if not line.startswith("$ "))


def guide_text(name: str) -> str:
    return (GUIDE_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def read_steps(name: str) -> Iterator[GuideStep]:
    """Yield the steps of a guide in their order; other code blocks only show something."""
    for found in STEP.finditer(guide_text(name)):
        if found["verb"] or found["kind"] == "console":
            yield GuideStep(*(found[key] or "" for key in ("verb", "path", "line", "kind", "body")))


def created_files(text: str) -> set[str]:
    """Return the files a page tells to create."""
    return {found["path"] for found in STEP.finditer(text) if found["verb"] == "Create"}


def named_files(name: str) -> set[str]:
    """Return the files that a guide tells to create or change, and those its tables list."""
    return {step.path for step in read_steps(name) if step.path} | set(TABLE_PATH.findall(guide_text(name)))


def copy_tree(folder: Path) -> None:
    """Copy the product into a folder, with the byte code that is there: to compile it again takes seconds."""
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, folder / layer, ignore=shutil.ignore_patterns("var"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("var", "browser"))


def take_step(step: GuideStep, folder: Path) -> None:
    """Do what the step says; AssertionError when a command fails or prints something else."""
    if step.kind == "console":
        printed = run_commands(step.commands, folder)
        assert printed == step.expected_output, printed
    elif step.verb == "Create":
        assert not (folder / step.path).exists(), step.path
        (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / step.path).write_text(step.body, encoding="utf-8")
    else:
        add_text(folder / step.path, step.after_line, step.body)


def add_text(path: Path, after_line: str, body: str) -> None:
    """Add text at the end of a file, or behind its only line that reads so."""
    text = path.read_text(encoding="utf-8")
    if not after_line:
        path.write_text(text.rstrip("\n") + "\n" + body, encoding="utf-8")
        return
    lines = text.splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.rstrip("\n") == after_line]
    path.write_text("".join([*lines[: place + 1], body, *lines[place + 1 :]]), encoding="utf-8")


def run_commands(commands: str, folder: Path) -> str:
    """Run the commands in a shell, against the code in the folder, and return what they print."""
    port = str(free_port())
    shell = commands.replace(PROGRAM, f"{sys.executable} -m gateway").replace("8080", port)
    own = {"NO_COLOR": "1", "PYTHONPATH": str(folder), "PORT": port}
    environment = {**os.environ, **own}
    script = ["bash", "-eu", "-o", "pipefail", "-c", shell]
    done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.rstrip("\n") if "new operator" not in commands else ""


def names_of_paths(paths: set[str], patterns: set[str]) -> set[str]:
    """Return the names, of those that a guide gives, that these paths bear; each path itself if it has none."""
    named = {path: {name for name in patterns if fnmatch(path, name)} or {path} for path in paths}
    return {name for names in named.values() for name in names}


def file_hashes(folder: Path) -> Mapping[str, str]:
    """Return a hash of each file below the folder, without what commands leave behind."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(OUTPUT_SUFFIXES)]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not set(path.relative_to(folder).parts) & set(IGNORED)
    }
