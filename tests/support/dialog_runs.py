"""Dialog runs: every dialog is played once per test run and its result shared between the run's processes."""

import hashlib
import os
import pickle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from gateway.dialogs.format import Dialog, parse_dialog
from gateway.dialogs.recorded_transitions import FiredTransition
from gateway.publishing import pack_compiler
from tests.support.gateway_sandbox import SandboxFactory

DIALOG_FOLDER = Path(__file__).parents[1] / "dialogs"
PACK_DIALOG_PATHS = sorted(pack_compiler.OPERATORS.glob("*/dialogs/**/*.dialog"))
"""Dialogs that a shipped pack brings itself."""
DIALOG_PATHS = [*sorted(DIALOG_FOLDER.glob("*/*/*.dialog")), *PACK_DIALOG_PATHS]
SCENARIO_PATHS = [
    path
    for path in DIALOG_PATHS
    if not path.name.startswith(("coverage-", "wallet-")) and path not in PACK_DIALOG_PATHS
]
"""Dialogs of the demo world's people, without those named `coverage-*`, which exist only to cover every
transition, and those with a wallet, which other worlds do not have; both are played once."""


@dataclass(slots=True)
class PlayedDialog:
    """The result of one played dialog."""

    transcript: list[tuple[str, ...]]
    row_counts: tuple[int, ...]
    fired_transitions: set[FiredTransition] = field(repr=False)


@dataclass(slots=True)
class DialogRuns:
    """Plays dialogs on the direct line, each once per run."""

    sandboxes: SandboxFactory
    results: Path
    """A folder that all processes of this run share: what one has played the others read."""

    async def play_once(self, path: Path) -> PlayedDialog:
        """Return the result of a dialog, playing it at first use."""
        result = self.results / hashlib.sha256(str(path).encode()).hexdigest()
        if not result.exists():
            self._keep_result(result, await self._play(load_dialog(path)))
        return cast(PlayedDialog, pickle.loads(result.read_bytes()))

    def _keep_result(self, result: Path, played: PlayedDialog) -> None:
        """Write a result under its name at once, as another process may be about to read it."""
        unfinished = result.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(pickle.dumps(played))
        unfinished.rename(result)

    async def _play(self, dialog: Dialog) -> PlayedDialog:
        moves = self.sandboxes.recorded_transitions(dialog.first_argument("operator"))
        moves.fired_transitions = set()
        async with self.sandboxes.open_for(dialog) as sandbox:
            brought = await sandbox.dialog_player(sandbox.direct_line(dialog.trust)).play(dialog)
            return PlayedDialog(brought, await sandbox.count_effects(), moves.fired_transitions)


@cache
def load_dialog(path: Path) -> Dialog:
    """Load a dialog as its file was at first use."""
    return parse_dialog(read_dialog_text(path), dialog_name(path))


def read_dialog_text(path: Path) -> str:
    """Return the current text of the file."""
    return path.read_text(encoding="utf-8")


def write_dialog_text(path: Path, written: str) -> None:
    path.write_text(written, encoding="utf-8")


def paths_of_operator(operator: str) -> list[Path]:
    """Return the dialogs of one operator."""
    return [path for path in DIALOG_PATHS if load_dialog(path).first_argument("operator") == operator]


def dialog_name(path: Path) -> str:
    """Return a dialog's name in test ids: OPERATOR/CHANNEL/NAME, or PACK/dialogs/... of a pack's own."""
    roots = (DIALOG_FOLDER, pack_compiler.OPERATORS, DIALOG_FOLDER.parent)
    root = next(folder for folder in roots if path.is_relative_to(folder))
    return str(path.relative_to(root).with_suffix(""))


@pytest.fixture(scope="session")
def dialog_runs(sandboxes: SandboxFactory, tmp_path_factory: pytest.TempPathFactory) -> DialogRuns:
    """Provide the dialog runs of this test run."""
    own = tmp_path_factory.getbasetemp()
    results = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "played-dialogs"
    results.mkdir(exist_ok=True)
    return DialogRuns(sandboxes, results)


PlayDialog = Callable[[str], Awaitable[list[str]]]
"""Returns what a dialog brings, by its name: a text for each action that brought anything."""


@pytest.fixture
def play_dialog(dialog_runs: DialogRuns) -> PlayDialog:
    """Provide a function that plays a dialog once and returns its texts."""

    async def words(name: str) -> list[str]:
        brought = (await dialog_runs.play_once(DIALOG_FOLDER / f"{name}.dialog")).transcript
        return ["\n".join(lines) for lines in brought if lines]

    return words
