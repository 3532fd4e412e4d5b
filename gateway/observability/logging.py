"""The logging door: one JSON line a record, only fields on the list, nothing about a person."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from menus.text.masking import scrubbed

FIELDS = frozenset(
    {"node", "failure", "door", "row", "state", "operator", "provider", "channel", "status", "ms"}
    | {"subscriber", "revision", "language", "path", "turns", "outcome", "findings"}
)
"""What a record may carry besides its action name; anything else is dropped, not printed.

`subscriber` is a keyed hash of the number."""


class JsonLines(logging.Formatter):
    """UTC time, level, action, listed fields. An exception shows its type and places, never its message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "action": scrubbed(record.getMessage()) if record.name.startswith("dialtree") else record.name,
        }
        line |= {name: scrubbed(str(getattr(record, name))) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            line["failure"] = record.exc_info[0].__name__
            line["where"] = _places(record)
        return json.dumps(line, ensure_ascii=False)


def _places(record: logging.LogRecord) -> list[str]:
    """Where it broke: file, line and function; messages and variables may hold secrets."""
    trace = record.exc_info[2] if record.exc_info else None
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-6:]]


def start(level: int = logging.INFO) -> None:
    """Send every logger's records through this door, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("dialtree").setLevel(level)
