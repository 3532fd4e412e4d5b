"""Exactly-once history check: each committed message arrives once or is visible in the outbox."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from storage.sql.engine import Database
from storage.sql.tables import outbox

WAITING_STATES = frozenset({"pending", "claimed", "again"})
VISIBLE_STATES = frozenset({"unknown", "dead", "failed", "expired", "opted_out"})
"""Outbox states that `dialtree outbox list` shows to people."""


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """The result of a history check."""

    accepted_count: int
    lost_keys: frozenset[str]
    """Keys neither received, nor in the outbox, nor dead-lettered."""
    duplicated_keys: frozenset[str]
    unknown_count: int
    """Sends whose outcome nobody could tell; the message class's policy decided."""
    waiting_count: int

    @property
    def is_exactly_once(self) -> bool:
        """Whether no message was lost and none arrived twice."""
        return not self.lost_keys and not self.duplicated_keys


def judge_history(
    promised: Collection[str], received: Mapping[str, int], states: Mapping[str, str]
) -> HistoryVerdict:
    """Compare the committed keys, the provider's own record and the outbox states."""
    kept = WAITING_STATES | VISIBLE_STATES
    return HistoryVerdict(
        accepted_count=len(promised),
        lost_keys=frozenset(key for key in promised if not received.get(key) and states.get(key) not in kept),
        duplicated_keys=frozenset(key for key, count in received.items() if count > 1),
        unknown_count=sum(states.get(key) == "unknown" for key in promised),
        waiting_count=sum(states.get(key) in WAITING_STATES for key in promised),
    )


async def read_states(database: Database) -> dict[str, str]:
    """Return the outbox state of each key."""
    statement = select(outbox.c.key, outbox.c.state)
    rows = await database.read(lambda connection: connection.execute(statement).all(), seconds=30)
    return {row.key: row.state for row in rows}
