"""Outbox outage: the log's words when a worker's outbox stops answering and when it answers again."""

import logging
from dataclasses import dataclass

from flows.domain.failures import Failure
from storage.sql.readiness import failure_reason

log = logging.getLogger("dialtree.delivery")


@dataclass(slots=True)
class OutboxOutage:
    """Whether the outbox of one worker answered when it was last asked."""

    is_out: bool = False

    def record_failure(self, failure: Failure) -> None:
        """Log that the outbox did not answer, and why; the log's limit makes one line a minute of it."""
        self.is_out = True
        reason = failure_reason(failure)
        log.warning("outbox.unavailable", extra={"failure": type(failure).__name__, "reason": reason})

    def record_answer(self) -> None:
        """Log the first answer after an outage; others are not worth a line."""
        if self.is_out:
            log.info("outbox.available")
        self.is_out = False
