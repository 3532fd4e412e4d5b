"""Tours: dialogs played each in a world of its own, for the nodes they come by."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from flows.turns import Turn
from gateway import packs
from gateway.dialog import Dialog, DialogError, read
from gateway.stage import Stages, scene_of
from menus.menu import Menu

BETWEEN = ""
"""Stands in a path between two conversations: no move leads over it."""


def found(folder: Path) -> list[Dialog]:
    """The dialogs of a folder and those beneath it; DialogError when there is none or one cannot be read."""
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.dialog"))
    if not paths:
        raise DialogError(f"{folder}: no dialogs here; a dialog's name ends in .dialog")
    return [read(path.read_text(encoding="utf-8"), str(path)) for path in paths]


def toured(dialogs: Iterable[Dialog], load: Callable[[Path], Menu] = packs.menu) -> list[list[str]]:
    """For each dialog the nodes it comes by, in order, with BETWEEN before each conversation."""
    return asyncio.run(_toured(list(dialogs), load))


async def _toured(dialogs: list[Dialog], load: Callable[[Path], Menu]) -> list[list[str]]:
    with tempfile.TemporaryDirectory(prefix="dialtree-tour-") as folder:
        stages = Stages(Path(folder), load)
        return [await _path(stages, dialog) for dialog in dialogs]


async def _path(stages: Stages, dialog: Dialog) -> list[str]:
    path: list[str] = []

    def passed(turn: Turn) -> None:
        path.extend([BETWEEN] if turn.said == "begun" else [])
        path.extend([turn.origin, *(step for step, _ in turn.steps), turn.screen])

    async with stages.open(scene_of(dialog, datetime.now().astimezone())) as stage:
        stage.house.conversations.watchers.append(passed)
        await stage.player(stage.direct()).play(dialog)
    return path
