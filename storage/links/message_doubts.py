"""Message doubts: tells a message a network delivers again from the same words texted a second time.

SMPP numbers no message. Whether the network may deliver one again is the session's to say; which delivery that
would be a repeat of is stored here, so that it is known to the process that takes over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_
from sqlalchemy.dialects.postgresql import insert

from storage.sql.engine import Database
from storage.sql.tables import link_deliveries

DOUBT = timedelta(minutes=10)
"""How long after a delivery an equal one can be its repeat: networks try again sooner."""

_ROW = link_deliveries.c
_INSERT = insert(link_deliveries)
_NEW = _INSERT.excluded
RECORD_DELIVERY = _INSERT.on_conflict_do_update(
    index_elements=[_ROW.operator, _ROW.provider, _ROW.fingerprint],
    set_={"delivery": _NEW.delivery, "era": _NEW.era, "at": _NEW.at},
    where=or_(_ROW.at <= bindparam("repeated_since", type_=_ROW.at.type), _ROW.era == _NEW.era),
).returning(_ROW.delivery)
SELECT_DELIVERY = link_deliveries.select().where(
    _ROW.operator == bindparam("operator"),
    _ROW.provider == bindparam("provider"),
    _ROW.fingerprint == bindparam("fingerprint"),
)


@dataclass(frozen=True, slots=True)
class SqlMessageDoubts:
    """The last delivery of each message, shared by all processes."""

    database: Database
    now: Callable[[], datetime]
    new_delivery: Callable[[], str]
    """Returns an id no delivery had before."""

    async def identify_message(
        self, operator: str, provider: str, fingerprint: str, era: str, *, may_repeat: bool
    ) -> str:
        """Return the id of a delivery; with `may_repeat` that of an equal one of the last `DOUBT`.

        `fingerprint` is a keyed hash of the message, which may hold a password. `era` names one unbroken
        connection of one process: within it nothing is delivered twice.
        """
        now = self.now()
        names = {"operator": operator, "provider": provider, "fingerprint": fingerprint}
        since = now - DOUBT if may_repeat else now + DOUBT
        row = {**names, "delivery": self.new_delivery(), "era": era, "at": now, "repeated_since": since}

        def job(connection: Connection) -> str:
            recorded = connection.execute(RECORD_DELIVERY, row).scalar()
            return str(recorded or connection.execute(SELECT_DELIVERY, names).one().delivery)

        return await self.database.write(job)
