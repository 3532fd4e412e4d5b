"""Slot leases: which process may hold a link, with a fencing number that grows with every owner."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, update
from sqlalchemy.dialects.postgresql import insert

from storage.sql.engine import Database
from storage.sql.tables import link_slots

SLOT_LEASE = timedelta(seconds=10)
"""How long a slot stays its owner's without being renewed; a standby process takes it over afterwards."""
STATEMENT_SECONDS = 2.0
"""Time limit of one statement: several must fit into a lease."""

_ROW = link_slots.c
_INSERT = insert(link_slots)
_NEW = _INSERT.excluded
TAKE_SLOT = _INSERT.on_conflict_do_update(
    index_elements=[_ROW.operator, _ROW.provider, _ROW.slot],
    set_={"owner": _NEW.owner, "fence": _ROW.fence + 1, "expires_at": _NEW.expires_at},
    where=or_(
        _ROW.expires_at <= bindparam("now", type_=_ROW.expires_at.type), _ROW.owner == bindparam("myself")
    ),
).returning(_ROW.fence)
"""One statement: of two processes that take the same slot at once, the database lets one have it."""
_HELD = (
    _ROW.operator == bindparam("held_operator"),
    _ROW.provider == bindparam("held_provider"),
    _ROW.slot == bindparam("held_slot"),
    _ROW.fence == bindparam("held_fence"),
)
RENEW_SLOT = (
    update(link_slots)
    .where(*_HELD, _ROW.expires_at > bindparam("now", type_=_ROW.expires_at.type))
    .values(expires_at=bindparam("until"))
    .returning(_ROW.fence)
)
FREE_SLOT = update(link_slots).where(*_HELD).values(expires_at=bindparam("now"))


@dataclass(frozen=True, slots=True)
class LinkSlot:
    """The name of one connection: as many slots as the network grants an operator connections."""

    operator: str
    provider: str
    number: int

    def __str__(self) -> str:
        """Return `operator/provider/number`, for logs."""
        return f"{self.operator}/{self.provider}/{self.number}"


class SqlSlotLeases:
    """Takes, renews and frees slots for one process, `owner`."""

    def __init__(self, database: Database, owner: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._owner = owner
        self._now = now

    async def take_slot(self, slot: LinkSlot) -> int | None:
        """Take a slot that is free, or whose lease ran out; return the fencing number, None if it is held.

        A slot this process held before is taken again with a new number.
        """
        now = self._now()
        row = {
            **{"operator": slot.operator, "provider": slot.provider, "slot": slot.number},
            **{"owner": self._owner, "myself": self._owner, "fence": 1},
            **{"expires_at": now + SLOT_LEASE, "now": now},
        }

        def job(connection: Connection) -> int | None:
            return connection.execute(TAKE_SLOT, row).scalar()

        return await self._database.write(job, seconds=STATEMENT_SECONDS)

    async def renew_slot(self, slot: LinkSlot, fence: int) -> bool:
        """Renew a lease; return False when it has run out or another process has the slot."""
        now = self._now()
        names = _held_names(slot, fence) | {"now": now, "until": now + SLOT_LEASE}

        def job(connection: Connection) -> bool:
            return connection.execute(RENEW_SLOT, names).first() is not None

        return await self._database.write(job, seconds=STATEMENT_SECONDS)

    async def free_slot(self, slot: LinkSlot, fence: int) -> None:
        """End a lease now, so that a standby process need not wait until it runs out."""
        names = _held_names(slot, fence) | {"now": self._now()}

        def job(connection: Connection) -> None:
            connection.execute(FREE_SLOT, names)

        await self._database.write(job, seconds=STATEMENT_SECONDS)


def _held_names(slot: LinkSlot, fence: int) -> dict[str, object]:
    return {
        "held_operator": slot.operator,
        "held_provider": slot.provider,
        "held_slot": slot.number,
        "held_fence": fence,
    }
