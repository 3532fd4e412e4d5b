"""Dialog coverage: plays each dialog in a sandbox and returns the menu nodes it visits."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.turn_event import TurnEvent
from gateway.dialogs.format import Dialog, DialogError, parse_dialog
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu

if TYPE_CHECKING:
    from gateway.dialogs.sandbox import Sandbox

CONVERSATION_BREAK = ""
"""Separator between two conversations in a path; no menu edge crosses it."""


def read_dialogs(folder: Path) -> list[Dialog]:
    """Read the dialogs of a file or of a folder and its subfolders.

    Raises DialogError when there is none or one cannot be read.
    """
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.dialog"))
    if not paths:
        raise DialogError(f"{folder}: no dialogs here; a dialog's name ends in .dialog")
    return [parse_dialog(path.read_text(encoding="utf-8"), str(path)) for path in paths]


def screens_visited(
    dialogs: Iterable[Dialog], load: Callable[[Path], Menu] = pack_compiler.compile_pack
) -> list[list[str]]:
    """Return, for each dialog, the nodes it visits in order, CONVERSATION_BREAK before each conversation."""
    return asyncio.run(_play_all(list(dialogs), load))


async def _play_all(dialogs: list[Dialog], load: Callable[[Path], Menu]) -> list[list[str]]:
    from gateway.dialogs.sandbox import SandboxFactory, scenario_of  # noqa: PLC0415 - imports the whole gateway, which most commands do not need

    with tempfile.TemporaryDirectory(prefix="dialtree-tour-") as folder:
        stages, now = SandboxFactory(Path(folder), load), datetime.now().astimezone()
        return [await _visited_nodes(stages.open(scenario_of(dialog, now)), dialog) for dialog in dialogs]


async def _visited_nodes(sandbox_context: "AbstractAsyncContextManager[Sandbox]", dialog: Dialog) -> list[str]:
    path: list[str] = []

    def record_turn(turn: TurnEvent) -> None:
        path.extend([CONVERSATION_BREAK] if turn.answer_result == "begun" else [])
        path.extend([turn.origin_screen, *(step for step, _ in turn.steps), turn.screen])

    async with sandbox_context as stage:
        stage.container.conversations.turn_listeners.append(record_turn)
        await stage.create_player(stage.create_direct_line()).play(dialog)
    return path
