"""Tours: dialogs played each in a world of its own, for the nodes they come by."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.turn_event import Turn
from gateway.dialogs.format import Dialog, DialogError, read
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu

if TYPE_CHECKING:
    from gateway.dialogs.sandbox import Stage

BETWEEN = ""
"""Stands in a path between two conversations: no move leads over it."""


def found(folder: Path) -> list[Dialog]:
    """The dialogs of a folder and those beneath it; DialogError when there is none or one cannot be read."""
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.dialog"))
    if not paths:
        raise DialogError(f"{folder}: no dialogs here; a dialog's name ends in .dialog")
    return [read(path.read_text(encoding="utf-8"), str(path)) for path in paths]


def toured(dialogs: Iterable[Dialog], load: Callable[[Path], Menu] = pack_compiler.menu) -> list[list[str]]:
    """For each dialog the nodes it comes by, in order, with BETWEEN before each conversation."""
    return asyncio.run(_toured(list(dialogs), load))


async def _toured(dialogs: list[Dialog], load: Callable[[Path], Menu]) -> list[list[str]]:
    from gateway.dialogs.sandbox import Stages, scene_of  # noqa: PLC0415 - a whole gateway: most checks and maps need none

    with tempfile.TemporaryDirectory(prefix="dialtree-tour-") as folder:
        stages, now = Stages(Path(folder), load), datetime.now().astimezone()
        return [await _path(stages.open(scene_of(dialog, now)), dialog) for dialog in dialogs]


async def _path(opening: "AbstractAsyncContextManager[Stage]", dialog: Dialog) -> list[str]:
    path: list[str] = []

    def passed(turn: Turn) -> None:
        path.extend([BETWEEN] if turn.said == "begun" else [])
        path.extend([turn.origin, *(step for step, _ in turn.steps), turn.screen])

    async with opening as stage:
        stage.house.conversations.watchers.append(passed)
        await stage.player(stage.direct()).play(dialog)
    return path
