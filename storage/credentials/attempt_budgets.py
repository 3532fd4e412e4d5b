"""Brute-force limits on one-time codes, by source and by operator (against password spraying).

They stop an attacker who tries few codes on many numbers. They apply only to attempts over the web, where
the caller is not authenticated: subscribers on their own handset are never locked out by strangers.
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
    """Allowed wrong codes per time window."""

    most: int
    window: timedelta


SOURCE = Budget(100, timedelta(days=1))
"""Wrong codes from one source; high, because subscribers of a mobile network may share an address."""
OPERATOR = Budget(1_000, timedelta(hours=1))
"""Wrong codes from all sources at one operator; then every source is refused and an error is logged."""


class Budgets:
    """Counters in SQL: they survive a restart and the loss of Redis."""

    def __init__(self, key: bytes, source: Budget = SOURCE, operator: Budget = OPERATOR) -> None:
        self._key = key
        self._of = {"source": source, "operator": operator}
        self._tries = {name: Tries(code_budgets, budget.window) for name, budget in self._of.items()}

    def open(self, connection: Connection, operator: str, source: str, now: datetime) -> bool:
        """Return whether this source may try a code.

        Locks the source's row until the commit, so that parallel attempts run one after another.
        """
        source_key = {"subject": self._subject("source", operator, source)}
        if self._tries["source"].lock(connection, source_key, now) >= self._of["source"].most:
            return False
        budget = self._of["operator"]
        parameters = {"this": self._subject("operator", operator, ""), "after": now - budget.window}
        return (connection.execute(SPENT, parameters).scalar() or 0) < budget.most

    def count(self, connection: Connection, operator: str, source: str, now: datetime) -> None:
        """Count a wrong code; log an error when it uses up a budget."""
        for name, who in (("source", source), ("operator", "")):
            row = {"subject": self._subject(name, operator, who)}
            wrong = self._tries[name].lock(connection, row, now) + 1
            self._tries[name].add(connection, row, 1)
            if wrong == self._of[name].most:
                log.error("codes.budget_exhausted", extra={"operator": operator, "state": name})

    def _subject(self, name: str, operator: str, who: str) -> bytes:
        return mark(self._key, f"budget {name}", operator, who)
