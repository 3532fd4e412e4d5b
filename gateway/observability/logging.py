"""JSON log formatter with redaction: allow-listed fields, masked values, no exception messages."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from gateway.observability.log_limit import LogRateLimit
from menus.text.masking import redact_text

ALLOWED_FIELDS = frozenset(
    {"node", "failure", "endpoint", "row", "state", "operator", "provider", "channel", "status", "ms"}
    | {"subscriber", "revision", "language", "path", "turns", "outcome", "findings", "count", "table"}
    | {
        "difference",
        "payment",
        "part",
        "reason",
        "port",
        "what",
        "answered",
        "claims",
        "offset",
        "strangers",
        "suppressed",
        "slot",
    }
)
"""Extra fields a log record may carry; others are dropped. `subscriber` is a keyed hash of the number."""


HASH_FORMS = {
    "subscriber": re.compile(r"[0-9a-f]{24}"),
    "revision": re.compile(r"[0-9a-f]{8}"),
    "payment": re.compile(r"[0-9a-f]{12}"),
}
"""Fields that hold a hash, and its form; a number has 15 digits at most (E.164), so 24 are never one."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON line: UTC time, level, event and allowed fields.

    An exception is logged by its type and stack frames, never its message. Of other libraries' records only the
    logger's name is kept.
    """

    now: Callable[[], datetime] | None = None
    """Clock of the lines' time; None takes the host's own, as the record has it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        instant = self.now() if self.now else datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": instant.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": redact_text(record.getMessage()) if record.name.startswith("dialtree") else record.name,
        }
        line |= {
            name: redact_field(name, str(value))
            for name, value in vars(record).items()
            if name in ALLOWED_FIELDS
        }
        if record.exc_info and record.exc_info[0]:
            line["failure"] = record.exc_info[0].__name__
            line["stack"] = _stack_frames(record)
        return json.dumps(line, ensure_ascii=False)


def redact_field(name: str, value: str) -> str:
    """Return a field's value masked, but a hash as it is: it joins logs with the audit log."""
    return value if name in HASH_FORMS and HASH_FORMS[name].fullmatch(value) else redact_text(value)


def _stack_frames(record: logging.LogRecord) -> list[str]:
    """Return file, line and function of the last 6 frames; messages and variables may hold secrets."""
    trace = record.exc_info[2] if record.exc_info else None
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-6:]]


def configure_logging(level: int = logging.INFO) -> None:
    """Send all loggers' records to standard error in this format; libraries from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(LogRateLimit())
    _skip_unused_attributes()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("dialtree").setLevel(level)


@contextmanager
def log_by_clock(now: Callable[[], datetime]) -> Iterator[None]:
    """Let log lines carry this clock's time while the block runs, so that a wrong host clock spoils no line."""
    formatters = [each.formatter for each in logging.getLogger().handlers]
    ours = [each for each in formatters if isinstance(each, JsonFormatter)]
    for formatter in ours:
        formatter.now = now
    try:
        yield
    finally:
        for formatter in ours:
            formatter.now = None


def _skip_unused_attributes() -> None:
    """Look up no caller, thread and process for a record, as no line shows them (Python's Logging HOWTO)."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def quieten_loggers(*names: str) -> None:
    """Let these loggers write errors only."""
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
