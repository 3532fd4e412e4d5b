"""The dialogs of all packs, played against every billing backend."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from flows.engine.deadlines import Patience
from gateway.demo.bss.data import Book
from gateway.dialogs.format import Dialog, read, write
from gateway.dialogs.sandbox import choose_language
from tests.bss import behind, book
from tests.runs import CALLS, FOLDER, keep, load, named
from tests.world import AT, OPERATOR, PATIENT, World, Worlds
from tests.world import sandboxes as sandboxes

INSTEAD = Path(__file__).parent / "dialogs_instead"
"""`BACKEND/OPERATOR/NAME.dialog`: the dialog as that backend can serve it, with its honest answer."""
OTHER_LANGUAGES = ("-en", "-ar")
"""A backend's answers do not depend on the language: each dialog is played in one language."""
ONCE = [path for path in CALLS if not path.stem.endswith(OTHER_LANGUAGES)]
DIALLED = [path for path in ONCE if "sms" not in named(path) and "voice" not in named(path)]
"""USSD only: where `memory` and the second dialect differ, they would differ on any channel."""
PLAYED = {"memory": DIALLED, "tmf678-v4": ONCE, "tmf678-v5": DIALLED, "killbill": ONCE}
CASES = [pytest.param(name, path, id=f"{name}-{named(path)}") for name in PLAYED for path in PLAYED[name]]
_REFERENCE = re.compile(r"\b[A-Z2-7]{8}\b")
"""A dispute reference: it derives from the backend's own ids and differs between backends."""


@asynccontextmanager
async def world_behind(
    name: str, sandboxes: Worlds, dialog: Dialog, folder: Path, patience: Patience = PATIENT
) -> AsyncIterator[tuple[World, Book]]:
    """Open the sandbox of a dialog with bills from another backend; yield it and the backend's data.

    A call to the backend may take as long as the turn's action budget.
    """
    operator = dialog.first("operator", OPERATOR)
    async with sandboxes.open(dialog.first("at", AT), dialog.trust, operator, patience=patience) as sandbox:
        kept = book(sandbox.clock(), operator)

        def today() -> date:
            return sandbox.clock().astimezone(kept.rows.zone).date()

        async with behind(name, folder, kept, today, {"timeout_seconds": patience.action}) as billing:
            sandbox.weather.inner = billing
            if language := dialog.first("language"):
                await choose_language(sandbox.house, operator, dialog.first("from"), language)
            yield sandbox, kept


def instead(name: str, path: Path) -> Path:
    """Return the dialog's file for this backend if it has its own, else the usual file."""
    own = INSTEAD / name.partition("-")[0] / path.relative_to(FOLDER)
    return own if own.exists() else path


def renamed(name: str, kept: Book, text: str) -> str:
    """Return the dialog's text as Kill Bill answers it: it numbers its invoices 1, 2, 3."""
    if name != "killbill":
        return text
    for place, row in enumerate(kept.rows.bills):
        text = text.replace(row["number"], str(place + 1))
    return text


@pytest.mark.parametrize(("name", "path"), CASES)
async def test_dialog_has_the_same_screens_behind_every_backend(
    name: str, path: Path, sandboxes: Worlds, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = instead(name, path)
    async with world_behind(name, sandboxes, load(path), tmp_path) as (sandbox, kept):
        dialog = read(renamed(name, kept, path.read_text(encoding="utf-8")), path.name)
        brought = await sandbox.player(sandbox.direct(dialog.trust)).play(dialog)
    told = write(dialog, brought)
    if request.config.getoption("--rewrite") and path.is_relative_to(INSTEAD):
        keep(path, told)
    assert _REFERENCE.sub("{reference}", told) == _REFERENCE.sub("{reference}", "\n".join([*dialog.lines, ""]))


@pytest.mark.parametrize("path", sorted(INSTEAD.rglob("*.dialog")), ids=lambda path: path.stem)
def test_a_backend_specific_dialog_has_the_actions_of_the_usual_one(path: Path) -> None:
    backend, *_ = path.relative_to(INSTEAD).parts
    asked = iter(cues(FOLDER / path.relative_to(INSTEAD / backend)))
    assert all(cue in asked for cue in cues(path))


def cues(path: Path) -> list[str]:
    """Return the actions of a dialog, without their results."""
    return [line for line in path.read_text("utf-8").split("\n") if line[:1].strip()]
