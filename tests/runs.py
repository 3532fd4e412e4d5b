"""Runs: the dialogs, each played once in a test run whoever asks."""

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
"""Without the walks, which only see to it that every move of every menu is made: once is enough for them."""


@dataclass(slots=True)
class Played:
    """What one dialog brought."""

    brought: list[tuple[str, ...]]
    counts: tuple[int, ...]
    fired: set[Fired] = field(repr=False)


@dataclass(slots=True)
class Runs:
    """Dialogs played on the direct line, each once in a run."""

    worlds: Worlds
    done: dict[Path, Played] = field(default_factory=dict)

    async def of(self, path: Path) -> Played:
        """What a dialog brings."""
        if path not in self.done:
            self.done[path] = await self._play(load(path))
        return self.done[path]

    async def _play(self, dialog: Dialog) -> Played:
        moves = self.worlds.watched(dialog.first("operator"))
        moves.fired = set()
        async with self.worlds.of(dialog) as world:
            brought = await world.player(world.direct(dialog.trust)).play(dialog)
            return Played(brought, await world.counts(), moves.fired)


@cache
def load(path: Path) -> Dialog:
    """A dialog as its file stood when it was first asked for."""
    return read(kept(path), str(path.relative_to(FOLDER.parent)))


def kept(path: Path) -> str:
    """What the file holds now."""
    return path.read_text(encoding="utf-8")


def keep(path: Path, written: str) -> None:
    path.write_text(written, encoding="utf-8")


def of_operator(operator: str) -> list[Path]:
    """The dialogs with one operator."""
    return [path for path in PATHS if load(path).first("operator") == operator]


def named(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


@pytest.fixture(scope="session")
def runs(worlds: Worlds) -> Runs:
    """The dialogs of this run."""
    return Runs(worlds)


Told = Callable[[str], Awaitable[list[str]]]
"""What a dialog brings, by its name: a text for each thing done that brought anything."""


@pytest.fixture
def told(runs: Runs) -> Told:
    """Plays a dialog once and tells what it brought."""

    async def words(name: str) -> list[str]:
        brought = (await runs.of(FOLDER / f"{name}.dialog")).brought
        return ["\n".join(lines) for lines in brought if lines]

    return words
