"""Rate limit of log records: a warning that repeats is written so many times a minute, then counted."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
MAX_RECORDS = 120
"""Records of one kind per window; a kind is logger, message without its arguments, and failure."""
OUTAGE_EVENTS = frozenset(
    {
        "database.migration_waiting",
        "link.lease_unavailable",
        "maintenance.postponed",
        "outbox.unavailable",
        "packs.revisions_unreachable",
        "server.database_unreachable",
    }
)
"""Events that repeat as long as a part is out: one per window, and the next says how many it stands for."""
MAX_KINDS = 1_000
"""Kinds that are counted; the one first seen longest ago is forgotten first."""


@dataclass(slots=True)
class _Window:
    ends_at: float
    record_count: int = 0
    suppressed_count: int = 0


@dataclass(slots=True)
class LogRateLimit:
    """A logging filter that keeps a failing part from filling the disk.

    Records below WARNING are never suppressed: there is one for each conversation, and each counts. The first
    record of a window says how many of its kind the window before suppressed (`suppressed`).
    """

    now: Callable[[], float] = time.monotonic
    windows: OrderedDict[tuple[str, str, str], _Window] = field(default_factory=OrderedDict, repr=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record."""
        if record.levelno < logging.WARNING:
            return True
        window = self._current_window(record)
        window.record_count += 1
        if window.record_count > (1 if record.msg in OUTAGE_EVENTS else MAX_RECORDS):
            window.suppressed_count += 1
            return False
        return True

    def _current_window(self, record: logging.LogRecord) -> _Window:
        kind = (record.name, str(record.msg)[:80], str(getattr(record, "failure", "")))
        window, now = self.windows.get(kind), self.now()
        if window is not None and now < window.ends_at:
            return window
        if window is not None and window.suppressed_count:
            record.suppressed = window.suppressed_count
        self.windows[kind] = fresh = _Window(now + WINDOW_SECONDS)
        self.windows.move_to_end(kind)
        if len(self.windows) > MAX_KINDS:
            self.windows.popitem(last=False)
        return fresh
