"""Files of a walk: the dialogs it writes for a channel, and the list of what nobody reached."""

from collections.abc import Sequence, Set
from itertools import count
from pathlib import Path

from gateway.dialogs.coverage import read_dialogs
from gateway.dialogs.format import Dialog
from gateway.dialogs.pack_transitions import PackTransition
from gateway.dialogs.pack_walk import WalkResult

UNREACHED_FILE = "unreached.txt"
UNREACHED_HEADER = """\
# Transitions that no dialog makes, as `NODE: TRIGGER`. `dialtree walk` found no way to them. Write a dialog
# for each and take it out here; what stays can only be reached in a world the demo does not have.
"""


def read_existing_dialogs(folders: Sequence[Path], operator: str) -> list[Dialog]:
    """Return an operator's dialogs in these folders and their subfolders, each once."""
    found = [each for folder in folders if any(folder.rglob("*.dialog")) for each in read_dialogs(folder)]
    own = {each.name: each for each in found if each.first_argument("operator") == operator}
    return list(own.values())


def write_walk(result: WalkResult, folder: Path) -> None:
    """Write the dialogs beside those that are there, and the list of what was not reached."""
    folder.mkdir(parents=True, exist_ok=True)
    for dialog in result.dialogs:
        _free_path(folder, dialog.label).write_text(dialog.text, encoding="utf-8")
    (folder / UNREACHED_FILE).unlink(missing_ok=True)
    if result.unreached:
        lines = [f"{node}: {trigger}\n" for trigger, node in sorted(result.unreached)]
        (folder / UNREACHED_FILE).write_text(UNREACHED_HEADER + "".join(lines), encoding="utf-8")


def _free_path(folder: Path, label: str) -> Path:
    """Return the first path `coverage-LABEL-N.dialog` that is not taken."""
    paths = (folder / f"coverage-{label}-{number}.dialog" for number in count(1))
    return next(path for path in paths if not path.exists())


def read_unreached(folder: Path) -> Set[PackTransition]:
    """Return the transitions listed as not reached; empty where there is no list."""
    path = folder / UNREACHED_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {(trigger, node) for node, trigger in pairs}
