"""Dialog coverage: plays each dialog in a sandbox and returns the menu nodes it visits."""

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
"""Separator between two conversations in a path; no menu edge crosses it."""


def found(folder: Path) -> list[Dialog]:
    """Read the dialogs of a file or of a folder and its subfolders.

    Raises DialogError when there is none or one cannot be read.
    """
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.dialog"))
    if not paths:
        raise DialogError(f"{folder}: no dialogs here; a dialog's name ends in .dialog")
    return [read(path.read_text(encoding="utf-8"), str(path)) for path in paths]


def toured(dialogs: Iterable[Dialog], load: Callable[[Path], Menu] = pack_compiler.menu) -> list[list[str]]:
    """Return, for each dialog, the nodes it visits in order, CONVERSATION_BREAK before each conversation."""
    return asyncio.run(_toured(list(dialogs), load))


async def _toured(dialogs: list[Dialog], load: Callable[[Path], Menu]) -> list[list[str]]:
    from gateway.dialogs.sandbox import Stages, scene_of  # noqa: PLC0415 - imports the whole gateway, which most commands do not need

    with tempfile.TemporaryDirectory(prefix="dialtree-tour-") as folder:
        stages, now = Stages(Path(folder), load), datetime.now().astimezone()
        return [await _path(stages.open(scene_of(dialog, now)), dialog) for dialog in dialogs]


async def _path(opening: "AbstractAsyncContextManager[Stage]", dialog: Dialog) -> list[str]:
    path: list[str] = []

    def record_turn(turn: Turn) -> None:
        path.extend([BETWEEN] if turn.said == "begun" else [])
        path.extend([turn.origin, *(step for step, _ in turn.steps), turn.screen])

    async with opening as stage:
        stage.house.conversations.watchers.append(record_turn)
        await stage.player(stage.direct()).play(dialog)
    return path
