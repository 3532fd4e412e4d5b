"""Command statuses by their meaning for a submit, read from `statuses.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from gateway.smpp.wire.sms_records import StatusKind
from menus.packfile.yaml_source import read_yaml

STATUSES_FILE = Path(__file__).with_name("statuses.yaml")


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """What a status means: its name in the standard without `ESME_`, whose fault it is, and who says so."""

    name: str
    kind: StatusKind
    source: str


@lru_cache(maxsize=1)
def load_statuses() -> Mapping[int, StatusMeaning]:
    """Load the statuses of the standard, once; ValueError when the file is faulty."""
    entries: Any = read_yaml(STATUSES_FILE).value
    return {int(code, 16): _read_meaning(code, entry) for code, entry in entries.items()}


def _read_meaning(code: str, entry: Any) -> StatusMeaning:
    meaning = StatusMeaning(**entry)
    if meaning.kind not in get_args(StatusKind):
        raise ValueError(f"{STATUSES_FILE.name}: {code} has no kind {meaning.kind!r}")
    return meaning


def meaning_of(status: int, own_kinds: Mapping[int, StatusKind]) -> StatusMeaning:
    """Return a status's meaning; `own_kinds` are the connection's, such as the vendor's opt-out status.

    An unknown status is temporary: a message is not given up for a number nobody has explained.
    """
    known = load_statuses().get(status, StatusMeaning(f"{status:#x}", "temporary", "not in the table"))
    if status in own_kinds:
        return StatusMeaning(known.name, own_kinds[status], "settings of the connection")
    return known
