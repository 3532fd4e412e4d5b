"""Dialog runs: every dialog is played once per test run and its result shared."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from gateway.dialogs.format import Dialog, read
from tests.world import Fired, Worlds

FOLDER = Path(__file__).parent / "dialogs"
PATHS = sorted(FOLDER.glob("*/*.dialog"))
CALLS = [path for path in PATHS if path.parent.name != "walks"]
"""Dialogs without those of `walks`, which exist only to cover every transition and are played once."""


@dataclass(slots=True)
class Played:
    """The result of one played dialog."""

    brought: list[tuple[str, ...]]
    counts: tuple[int, ...]
    fired: set[Fired] = field(repr=False)


@dataclass(slots=True)
class Runs:
    """Plays dialogs on the direct line, each once per run."""

    worlds: Worlds
    done: dict[Path, Played] = field(default_factory=dict)

    async def of(self, path: Path) -> Played:
        """Return the result of a dialog, playing it at first use."""
        if path not in self.done:
            self.done[path] = await self._play(load(path))
        return self.done[path]

    async def _play(self, dialog: Dialog) -> Played:
        moves = self.worlds.watched(dialog.first("operator"))
        moves.fired = set()
        async with self.worlds.of(dialog) as sandbox:
            brought = await sandbox.player(sandbox.direct(dialog.trust)).play(dialog)
            return Played(brought, await sandbox.counts(), moves.fired)


@cache
def load(path: Path) -> Dialog:
    """Load a dialog as its file was at first use."""
    return read(kept(path), str(path.relative_to(FOLDER.parent)))


def kept(path: Path) -> str:
    """Return the current text of the file."""
    return path.read_text(encoding="utf-8")


def keep(path: Path, written: str) -> None:
    path.write_text(written, encoding="utf-8")


def of_operator(operator: str) -> list[Path]:
    """Return the dialogs of one operator."""
    return [path for path in PATHS if load(path).first("operator") == operator]


def named(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


@pytest.fixture(scope="session")
def dialog_runs(sandboxes: Worlds) -> Runs:
    """Provide the dialog runs of this test run."""
    return Runs(sandboxes)


Told = Callable[[str], Awaitable[list[str]]]
"""Returns what a dialog brings, by its name: a text for each action that brought anything."""


@pytest.fixture
def play_dialog(dialog_runs: Runs) -> Told:
    """Provide a function that plays a dialog once and returns its texts."""

    async def words(name: str) -> list[str]:
        brought = (await dialog_runs.of(FOLDER / f"{name}.dialog")).brought
        return ["\n".join(lines) for lines in brought if lines]

    return words
