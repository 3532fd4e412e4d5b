"""Upkeep: what the worker does beside delivering: chain the audit trail, let go of what is past its term."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.failures import Failure
from storage.audit.trail import SqlAudit
from storage.privacy import retention
from storage.sql.engine import Database

log = logging.getLogger("dialtree.upkeep")
CHAIN_SECONDS = 5.0
"""How long a line of the audit trail may wait to be chained."""
RETENTION_EVERY = 720
"""Rounds between two looks at what is past its term: an hour."""


@dataclass(slots=True)
class Upkeep:
    """Runs until it is cancelled; several workers may, one at a time has something to do."""

    database: Database = field(repr=False)
    audit: SqlAudit = field(repr=False)
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Round after round; a database that is out is waited for, and what breaks one round ends no other."""
        turn = 0
        while True:
            try:
                await self.round(retain=turn % RETENTION_EVERY == 0)
            except Failure as failure:
                log.warning("upkeep waits", extra={"failure": type(failure).__name__})
            except Exception:  # the process edge of upkeep: it must neither end unseen nor end delivery
                log.exception("upkeep broke")
            turn += 1
            await asyncio.sleep(CHAIN_SECONDS)

    async def round(self, *, retain: bool) -> None:
        """Chain what is new and, if so told, let go of what is old."""
        await self.audit.chain()
        if retain:
            counts = await retention.run(self.database, self.now())
            for what, count in counts.items():
                if count:
                    log.info("let go", extra={"row": count, "state": what})
