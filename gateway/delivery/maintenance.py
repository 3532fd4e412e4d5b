"""Periodic maintenance: hash-chain new audit entries, read bounces, apply the retention schedule."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.failures import Failure
from gateway.delivery.mail.bounce_report import BounceMailbox
from storage.audit.trail import SqlAuditChain
from storage.privacy import retention
from storage.sql.engine import Database

log = logging.getLogger("dialtree.maintenance")
CHAIN_INTERVAL_SECONDS = 5.0
"""Interval of the rounds, and the longest an audit entry waits to be chained."""
RETENTION_ROUNDS = 720
"""Rounds between two retention runs: one hour."""


@dataclass(slots=True)
class MaintenanceLoop:
    """Runs maintenance rounds until cancelled; several workers may run it, as one at a time finds work."""

    database: Database = field(repr=False)
    audit: SqlAuditChain = field(repr=False)
    now: Callable[[], datetime]
    bounce_mailboxes: Sequence[BounceMailbox] = field(default=(), repr=False)

    async def run(self) -> None:
        """Run rounds forever; a failed round is logged and the next one follows."""
        rounds = 0
        while True:
            try:
                await self.run_once(apply_retention=is_retention_due(rounds))
            except Failure as failure:
                log.warning("maintenance.postponed", extra={"failure": type(failure).__name__})
            except Exception:  # outermost handler: an error must neither end maintenance nor stop delivery
                log.exception("maintenance.failed")
            rounds += 1
            await asyncio.sleep(CHAIN_INTERVAL_SECONDS)

    async def run_once(self, *, apply_retention: bool) -> None:
        """Chain new audit entries, read bounces and, with `apply_retention`, delete rows past their term."""
        await self.audit.chain_entries()
        for mailbox in self.bounce_mailboxes:
            if count := await mailbox.read_bounces(self.now()):
                log.info("maintenance.bounces_read", extra={"count": count})
        if apply_retention:
            counts = await retention.apply_retention(self.database, self.now())
            for what, count in counts.items():
                if count:
                    log.info("retention.rows_deleted", extra={"count": count, "table": what})


def is_retention_due(round_number: int) -> bool:
    """Return whether the retention schedule runs in this round, counted from 0 at the start of the process."""
    return round_number % RETENTION_ROUNDS == 0
