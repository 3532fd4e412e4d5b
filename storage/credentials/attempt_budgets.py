"""Brute-force limits on one-time codes, by source and by operator (against password spraying).

They stop an attacker who tries few codes on many numbers. They apply only to attempts over the web, where
the caller is not authenticated: subscribers on their own handset are never locked out by strangers.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from storage.credentials.attempt_counter import AttemptCounter
from storage.crypto import keyed_hash
from storage.sql.tables import code_budgets

log = logging.getLogger("dialtree.codes")
_WINDOW_START = bindparam("after", type_=code_budgets.c.since.type)
SELECT_WRONG_COUNT = select(code_budgets.c.wrong).where(
    code_budgets.c.subject == bindparam("this"), code_budgets.c.since > _WINDOW_START
)


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """Allowed wrong codes per time window."""

    max_wrong: int
    window: timedelta


SOURCE_LIMIT = AttemptLimit(100, timedelta(days=1))
"""Wrong codes from one source; high, because subscribers of a mobile network may share an address."""
OPERATOR_LIMIT = AttemptLimit(1_000, timedelta(hours=1))
"""Wrong codes from all sources at one operator; then every source is refused and an error is logged."""


class AttemptBudgets:
    """Counters in SQL: they survive a restart and the loss of Redis."""

    def __init__(
        self,
        key: bytes,
        source_limit: AttemptLimit = SOURCE_LIMIT,
        operator_limit: AttemptLimit = OPERATOR_LIMIT,
        prefix: str = "",
    ) -> None:
        self._key = key
        self._prefix = prefix
        self._limits = {"source": source_limit, "operator": operator_limit}
        self._counters = {
            name: AttemptCounter(code_budgets, budget.window) for name, budget in self._limits.items()
        }

    def allows_attempt(self, connection: Connection, operator: str, source: str, now: datetime) -> bool:
        """Return whether this source may try a code.

        Locks the source's row until the commit, so that parallel attempts run one after another.
        """
        source_key = {"subject": self._budget_key("source", operator, source)}
        if (
            self._counters["source"].lock_and_count(connection, source_key, now)
            >= self._limits["source"].max_wrong
        ):
            return False
        budget = self._limits["operator"]
        parameters = {"this": self._budget_key("operator", operator, ""), "after": now - budget.window}
        return (connection.execute(SELECT_WRONG_COUNT, parameters).scalar() or 0) < budget.max_wrong

    def count_wrong_code(
        self, connection: Connection, operator: str, source: str, now: datetime, *, could_succeed: bool = True
    ) -> None:
        """Count a wrong attempt; log an error when it uses up a budget.

        The operator's budget counts only attempts that could have succeeded: tries at numbers without a live
        code or PIN cost an attacker's own source alone, and cannot close the operator for everybody.
        """
        targets = [("source", source), ("operator", "")] if could_succeed else [("source", source)]
        for name, who in targets:
            row = {"subject": self._budget_key(name, operator, who)}
            wrong = self._counters[name].lock_and_count(connection, row, now) + 1
            self._counters[name].add_wrong(connection, row, 1)
            if wrong == self._limits[name].max_wrong:
                log.error("codes.budget_exhausted", extra={"operator": operator, "state": name})

    def take_back(self, connection: Connection, operator: str, source: str, now: datetime) -> None:
        """Take an attempt back that was counted before it was known to be right."""
        for name, who in (("source", source), ("operator", "")):
            row = {"subject": self._budget_key(name, operator, who)}
            if self._counters[name].lock_and_count(connection, row, now) > 0:
                self._counters[name].add_wrong(connection, row, -1)

    def _budget_key(self, name: str, operator: str, source: str) -> bytes:
        return keyed_hash(self._key, f"budget {self._prefix}{name}", operator, source)
