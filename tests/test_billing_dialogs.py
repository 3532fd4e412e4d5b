"""The same conversations, whatever billing stands behind them: the Romanian dialogs over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo_bss.book import Book
from gateway.dialog import Dialog, write
from gateway.terminal import choose_language
from tests.bss import ZONE, behind, book
from tests.runs import PATHS, load, named
from tests.world import AT, OPERATOR, World, Worlds
from tests.world import worlds as worlds

ROMANIAN = [path for path in PATHS if load(path).first("operator", OPERATOR) == OPERATOR]
ONE_LANGUAGE = [path for path in ROMANIAN if not path.stem.endswith("-en")]
"""What a backend answers does not depend on the language."""
PLAYED = {"tmf678-v4": ROMANIAN, "tmf678-v5": ONE_LANGUAGE, "killbill": ONE_LANGUAGE}
CASES = [pytest.param(name, path, id=f"{name}-{named(path)}") for name in PLAYED for path in PLAYED[name]]


@asynccontextmanager
async def world_behind(
    name: str, worlds: Worlds, dialog: Dialog, folder: Path
) -> AsyncIterator[tuple[World, Book]]:
    """A dialog's world whose bills come from another backend, and the book that one is kept in."""
    async with worlds.open(dialog.first("at", AT), dialog.trust, OPERATOR) as world:
        kept = book(world.clock())
        async with behind(name, folder, kept, lambda: world.clock().astimezone(ZONE).date()) as billing:
            world.weather.inner = billing
            if language := dialog.first("language"):
                await choose_language(world.house, OPERATOR, dialog.first("from"), language)
            yield world, kept


@pytest.mark.parametrize(("name", "path"), CASES)
async def test_dialog_behind(name: str, path: Path, worlds: Worlds, tmp_path: Path) -> None:
    dialog = load(path)
    async with world_behind(name, worlds, dialog, tmp_path) as (world, _):
        brought = await world.player(world.direct(dialog.trust)).play(dialog)
    assert write(dialog, brought) == "\n".join([*dialog.lines, ""])
