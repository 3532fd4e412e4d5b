"""Checked packs: remembers which packs have passed all checks, so that a start need not repeat them.

The checks render every screen in every language and take nine tenths of the time a pack needs. What is
remembered is an empty file named by a hash: nothing is ever read back but that it is there.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import flows
import menus
from gateway import publishing
from gateway.publishing.pack_compiler import OPERATORS, SHARED_PLACES, compile_draft
from menus.machine.menu import Menu
from menus.packs.loader import PackDraft, load_draft

MAX_MARKS = 1_000
"""Packs remembered; beyond that those checked longest ago are forgotten."""
CHECKING_PACKAGES = (menus, flows, publishing)
"""Packages that the outcome of the checks depends on, with the libraries below."""
CHECKING_LIBRARIES = ("dialtree", "Babel", "num2words", "transitions")
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass
class CheckedPacks:
    """Loads packs; checks those that have not passed before with these files and this release.

    `folder` is where passed checks are remembered. Without one, or where others may write to it, every pack is
    checked every time.
    """

    folder: Path | None
    checks: str = field(default="", repr=False)
    """Hash of what the outcome of a check depends on beside the pack; by default that of this release."""

    def __post_init__(self) -> None:
        self.checks = self.checks or hash_checks()

    def load_menu(self, pack: Path) -> Menu:
        """Compile a pack; PackError holds all findings when there is any."""
        draft = load_draft(pack, SHARED_PLACES)
        if self.folder is None or not _is_own_folder(self.folder):
            return compile_draft(draft)
        mark = self.mark_of(draft)
        if _is_own_file(mark):
            return draft.build_menu()
        menu = compile_draft(draft)
        _write_mark(mark)
        return menu

    def mark_of(self, draft: PackDraft) -> Path:
        """Return the file that is there once this draft has passed; ValueError without a folder."""
        if self.folder is None:
            raise ValueError("there is no folder")
        return self.folder / hashlib.sha256(f"{self.checks} {draft.digest}".encode()).hexdigest()


def checked_packs(environ: Mapping[str, str]) -> CheckedPacks:
    """Return the packs this user has checked, remembered in the cache folder (XDG: no relative ones)."""
    configured = Path(environ.get("XDG_CACHE_HOME", ""))
    try:
        cache = configured if configured.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return CheckedPacks(None)
    return CheckedPacks(cache / "dialtree" / "checked-packs")


def hash_checks() -> str:
    """Return a hash of all that the outcome of the checks depends on: code, its data and libraries."""
    versions = [sys.version, *map(version, CHECKING_LIBRARIES)]
    return hashlib.sha256(repr([*versions, *_code_files()]).encode()).hexdigest()


@cache
def hash_checks_portably() -> str:
    """Return the same hash by contents, equal on all machines with this release and these libraries.

    It covers the texts, screens and language data that all packs share, too: `hash_checks` leaves those to the
    hash of a pack's draft. Takes some ten milliseconds.
    """
    versions = [sys.version_info[:2], *map(version, CHECKING_LIBRARIES)]
    digest = hashlib.sha256(repr(versions).encode())
    for name, path in _shared_files():
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _shared_files() -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file of code and shared data, without the operators' own packs."""
    for package in CHECKING_PACKAGES:
        folder = Path(package.__path__[0])
        for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.yaml"))):
            name = path.relative_to(folder).as_posix()
            if not name.startswith(f"{OPERATORS.name}/"):
                yield f"{package.__name__}/{name}", path


def _code_files() -> Iterator[tuple[str, int, int]]:
    """Yield each file of the code that checks, with size and time of its last change in nanoseconds."""
    for package in CHECKING_PACKAGES:
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            found = path.stat()
            yield str(path), found.st_size, found.st_mtime_ns


def _is_own_folder(folder: Path) -> bool:
    """Return whether a folder, created where it is missing, is this user's and only this user's."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and _is_own(found)
    return False


def _is_own(found: os.stat_result) -> bool:
    """Return whether a file or folder is this user's and nobody else may write to it."""
    return found.st_uid == os.geteuid() and not found.st_mode & WRITABLE_BY_OTHERS


def _is_own_file(path: Path) -> bool:
    """Return whether a path is a plain file of this user."""
    with suppress(OSError):
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and _is_own(found)
    return False


def _write_mark(mark: Path) -> None:
    """Create an empty file and forget the oldest where there are too many; a full disk only costs time."""
    with suppress(OSError):
        mark.touch(mode=0o600)
        marks = sorted(mark.parent.iterdir(), key=lambda each: each.lstat().st_mtime_ns)
        for oldest in marks[:-MAX_MARKS]:
            oldest.unlink(missing_ok=True)
