"""Budgets of wrong codes: by source and for a whole operator, so that many numbers cannot be tried once each.

They bind only tries that came from somewhere one can be anybody (the web): whoever asks from their own
handset is never shut out by what strangers do.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from storage.credentials.attempt_counter import Tries
from storage.crypto import mark
from storage.sql.schema import code_budgets

log = logging.getLogger("dialtree.codes")
_AT = bindparam("after", type_=code_budgets.c.since.type)
SPENT = select(code_budgets.c.wrong).where(
    code_budgets.c.subject == bindparam("this"), code_budgets.c.since > _AT
)


@dataclass(frozen=True, slots=True)
class Budget:
    """So many wrong codes in so long."""

    most: int
    window: timedelta


SOURCE = Budget(100, timedelta(days=1))
"""Wrong codes from one source; many subscribers may share an address of a mobile network."""
OPERATOR = Budget(1_000, timedelta(hours=1))
"""Wrong codes from all sources together at one operator; then all of them wait; an alarm is logged."""


class Budgets:
    """Counts kept in SQL: neither a restart nor the loss of Redis forgives anything."""

    def __init__(self, key: bytes, source: Budget = SOURCE, operator: Budget = OPERATOR) -> None:
        self._key = key
        self._of = {"source": source, "operator": operator}
        self._tries = {name: Tries(code_budgets, budget.window) for name, budget in self._of.items()}

    def open(self, connection: Connection, operator: str, source: str, now: datetime) -> bool:
        """May this source try? Its own row is held until the commit: parallel tries stand in line."""
        mine = {"subject": self._subject("source", operator, source)}
        if self._tries["source"].lock(connection, mine, now) >= self._of["source"].most:
            return False
        budget = self._of["operator"]
        given = {"this": self._subject("operator", operator, ""), "after": now - budget.window}
        return (connection.execute(SPENT, given).scalar() or 0) < budget.most

    def count(self, connection: Connection, operator: str, source: str, now: datetime) -> None:
        """One more wrong code; the one that uses up a budget is an alarm."""
        for name, who in (("source", source), ("operator", "")):
            row = {"subject": self._subject(name, operator, who)}
            wrong = self._tries[name].lock(connection, row, now) + 1
            self._tries[name].add(connection, row, 1)
            if wrong == self._of[name].most:
                log.error("codes are being guessed", extra={"operator": operator, "state": name})

    def _subject(self, name: str, operator: str, who: str) -> bytes:
        return mark(self._key, f"budget {name}", operator, who)
