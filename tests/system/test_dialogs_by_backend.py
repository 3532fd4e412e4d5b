"""The dialogs of all packs, played against every billing backend."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from flows.engine.deadlines import TimeBudgets
from gateway.demo.bss.data import BssRecords
from gateway.dialogs.format import Dialog, format_dialog, parse_dialog
from gateway.dialogs.sandbox import preset_language
from tests.support.billing.backends import build_book, open_backend
from tests.support.dialog_runs import DIALOG_FOLDER, SCENARIO_PATHS, dialog_name, load_dialog, write_dialog_text
from tests.support.gateway_sandbox import (
    DEFAULT_TIME,
    LONG_TIME_BUDGETS,
    OPERATOR,
    GatewaySandbox,
    SandboxFactory,
)
from tests.support.gateway_sandbox import sandboxes as sandboxes

BACKEND_DIALOG_FOLDER = Path(__file__).parents[1] / "dialogs_by_backend"
"""`BACKEND/OPERATOR/CHANNEL/NAME.dialog`: the dialog as that backend can serve it, with its honest answer."""
OTHER_LANGUAGES = ("-en", "-ar")
"""A backend's answers do not depend on the language: each dialog is played in one language."""
ONE_LANGUAGE_PATHS = [path for path in SCENARIO_PATHS if not path.stem.endswith(OTHER_LANGUAGES)]
USSD_PATHS = [
    path for path in ONE_LANGUAGE_PATHS if "sms" not in dialog_name(path) and "voice" not in dialog_name(path)
]
"""What a backend tells does not depend on the channel: one backend is played on all, the others on USSD."""
KILL_BILL_PATHS = [
    path
    for path in ONE_LANGUAGE_PATHS
    if path in USSD_PATHS or (BACKEND_DIALOG_FOLDER / "killbill" / path.relative_to(DIALOG_FOLDER)).exists()
]
"""Besides those on USSD, each whose texts differ behind Kill Bill."""
PATHS_BY_BACKEND = {
    "memory": USSD_PATHS,
    "tmf678-v4": ONE_LANGUAGE_PATHS,
    "tmf678-v5": USSD_PATHS,
    "killbill": KILL_BILL_PATHS,
}
CASES = [
    pytest.param(name, path, id=f"{name}-{dialog_name(path)}")
    for name in PATHS_BY_BACKEND
    for path in PATHS_BY_BACKEND[name]
]
_REFERENCE = re.compile(r"\b[A-Z2-7]{8}\b")
"""A dispute reference: it derives from the backend's own ids and differs between backends."""


@asynccontextmanager
async def open_with_backend(
    name: str,
    sandboxes: SandboxFactory,
    dialog: Dialog,
    folder: Path,
    patience: TimeBudgets = LONG_TIME_BUDGETS,
) -> AsyncIterator[tuple[GatewaySandbox, BssRecords]]:
    """Open the sandbox of a dialog with bills from another backend; yield it and the backend's data.

    A call to the backend may take as long as the turn's action budget.
    """
    operator = dialog.first_argument("operator", OPERATOR)
    async with sandboxes.open(
        dialog.first_argument("at", DEFAULT_TIME), dialog.trust, operator, patience=patience
    ) as sandbox:
        kept = build_book(sandbox.clock(), operator)

        def today() -> date:
            return sandbox.clock().astimezone(kept.rows.zone).date()

        async with open_backend(
            name,
            folder,
            kept,
            today,
            dict.fromkeys(("timeout_seconds", "connect_seconds"), patience.action_seconds),
        ) as billing:
            sandbox.faulty_billing.inner = billing
            if language := dialog.first_argument("language"):
                await preset_language(sandbox.container, operator, dialog.first_argument("from"), language)
            yield sandbox, kept


def path_for_backend(name: str, path: Path) -> Path:
    """Return the dialog's file for this backend if it has its own, else the usual file."""
    own = BACKEND_DIALOG_FOLDER / name.partition("-")[0] / path.relative_to(DIALOG_FOLDER)
    return own if own.exists() else path


def renumber_invoices(name: str, kept: BssRecords, text: str) -> str:
    """Return the dialog's text as Kill Bill answers it: it numbers its invoices 1, 2, 3."""
    if name != "killbill":
        return text
    for place, row in enumerate(kept.rows.bills):
        text = text.replace(row["number"], str(place + 1))
    return text


@pytest.mark.parametrize(("name", "path"), CASES)
async def test_dialog_has_the_same_screens_behind_every_backend(
    name: str, path: Path, sandboxes: SandboxFactory, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = path_for_backend(name, path)
    async with open_with_backend(name, sandboxes, load_dialog(path), tmp_path) as (sandbox, kept):
        dialog = parse_dialog(renumber_invoices(name, kept, path.read_text(encoding="utf-8")), path.name)
        brought = await sandbox.dialog_player(sandbox.direct_line(dialog.trust)).play(dialog)
    told = format_dialog(dialog, brought)
    if request.config.getoption("--rewrite") and path.is_relative_to(BACKEND_DIALOG_FOLDER):
        write_dialog_text(path, told)
    assert _REFERENCE.sub("{reference}", told) == _REFERENCE.sub("{reference}", "\n".join([*dialog.lines, ""]))


@pytest.mark.parametrize("path", sorted(BACKEND_DIALOG_FOLDER.rglob("*.dialog")), ids=lambda path: path.stem)
def test_a_backend_specific_dialog_has_the_actions_of_the_usual_one(path: Path) -> None:
    backend, *_ = path.relative_to(BACKEND_DIALOG_FOLDER).parts
    asked = iter(dialog_cues(DIALOG_FOLDER / path.relative_to(BACKEND_DIALOG_FOLDER / backend)))
    assert all(cue in asked for cue in dialog_cues(path))


def dialog_cues(path: Path) -> list[str]:
    """Return the actions of a dialog, without their results."""
    return [line for line in path.read_text("utf-8").split("\n") if line[:1].strip()]
