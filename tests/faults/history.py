"""Exactly-once history check: each committed message arrives once or is visible in the outbox."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from storage.sql.engine import Database
from storage.sql.schema import outbox

WAITING = frozenset({"pending", "claimed", "again"})
SEEN = frozenset({"unknown", "dead", "failed", "expired", "opted_out"})
"""Outbox states that `dialtree outbox list` shows to people."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a history check."""

    accepted: int
    lost: frozenset[str]
    """Keys neither received, nor in the outbox, nor dead-lettered."""
    duplicated: frozenset[str]
    unknown: int
    """Sends whose outcome nobody could tell; the message class's policy decided."""
    waiting: int

    @property
    def spotless(self) -> bool:
        """Whether no message was lost and none arrived twice."""
        return not self.lost and not self.duplicated


def judged(promised: Collection[str], received: Mapping[str, int], states: Mapping[str, str]) -> Verdict:
    """Compare the committed keys, the provider's own record and the outbox states."""
    kept = WAITING | SEEN
    return Verdict(
        accepted=len(promised),
        lost=frozenset(key for key in promised if not received.get(key) and states.get(key) not in kept),
        duplicated=frozenset(key for key, count in received.items() if count > 1),
        unknown=sum(states.get(key) == "unknown" for key in promised),
        waiting=sum(states.get(key) in WAITING for key in promised),
    )


async def states_in(database: Database) -> dict[str, str]:
    """Return the outbox state of each key."""
    statement = select(outbox.c.key, outbox.c.state)
    rows = await database.read(lambda connection: connection.execute(statement).all(), seconds=30)
    return {row.key: row.state for row in rows}
