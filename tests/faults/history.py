"""The history check: every promise made has its effect exactly once, or waits where a person can see it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from storage.sql.engine import Database
from storage.sql.schema import outbox

WAITING = frozenset({"pending", "claimed", "again"})
SEEN = frozenset({"unknown", "dead", "failed", "expired", "opted_out"})
"""States `dialtree outbox list` shows to people."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the promises."""

    accepted: int
    lost: frozenset[str]
    """Neither received, nor in the outbox, nor a dead letter."""
    duplicated: frozenset[str]
    unknown: int
    """Sends nobody could tell the outcome of, settled by their class's policy."""
    waiting: int

    @property
    def spotless(self) -> bool:
        """Nothing lost, nothing twice."""
        return not self.lost and not self.duplicated


def judged(promised: Collection[str], received: Mapping[str, int], states: Mapping[str, str]) -> Verdict:
    """Compare what was promised, what the provider's own recorder noted, and what the outbox says."""
    kept = WAITING | SEEN
    return Verdict(
        accepted=len(promised),
        lost=frozenset(key for key in promised if not received.get(key) and states.get(key) not in kept),
        duplicated=frozenset(key for key, count in received.items() if count > 1),
        unknown=sum(states.get(key) == "unknown" for key in promised),
        waiting=sum(states.get(key) in WAITING for key in promised),
    )


async def states_in(database: Database) -> dict[str, str]:
    """Each key's state in the outbox."""
    statement = select(outbox.c.key, outbox.c.state)
    rows = await database.read(lambda connection: connection.execute(statement).all(), seconds=30)
    return {row.key: row.state for row in rows}
