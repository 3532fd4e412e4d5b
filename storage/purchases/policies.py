"""Spending policies in SQL: read, and changed under a lock, once per key."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.purchase_records import PURCHASE_CATEGORIES, PolicyChange, PurchaseCategory, SpendPolicy
from flows.domain.purchase_rules import apply_change
from flows.domain.records import AuditEntry, OutboundMessage, Secret
from storage import idempotency
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from storage.sql.engine import Database
from storage.sql.tables import spend_policies

_ROW = spend_policies.c
SELECT_POLICY = select(spend_policies).where(
    _ROW.operator == bindparam("of"), _ROW.subscription == bindparam("whose")
)
LOCK_POLICY = SELECT_POLICY.with_for_update()
_KEY_COLUMNS = ("operator", "subscription")
UPSERT_POLICY = upsert(spend_policies).on_conflict_do_update(
    index_elements=_KEY_COLUMNS,
    set_={
        column.name: upsert(spend_policies).excluded[column.name]
        for column in spend_policies.c
        if column.name not in _KEY_COLUMNS
    },
)


class SqlSpendPolicies:
    """Implements the `SpendPolicies` port; `secret` encrypts the outbox's payloads."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database = database
        self._audit_writer = AuditWriter(secret)
        self._outbox_cipher = AeadCipher(secret, KEY_PURPOSE)

    async def find_policy(self, operator: str, subscription: str) -> SpendPolicy | None:
        """Return a line's policy; None when it has none."""
        return await self._database.read(
            lambda connection: read_policy(connection, operator, subscription, is_locked=False)
        )

    async def change_policy(
        self,
        change: PolicyChange,
        messages: Sequence[OutboundMessage] = (),
        entries: Sequence[AuditEntry] = (),
    ) -> SpendPolicy | None:
        """Make a change with its messages in one transaction, once per key; return the policy as it is now."""

        def job(connection: Connection) -> SpendPolicy | None:
            policy = read_policy(connection, change.operator, change.subscription, is_locked=True)
            changed = apply_change(policy, change)
            if changed is None:
                return None
            if idempotency.reserve_key(connection, change.key, "ok", None, change.changed_at) is not None:
                return policy
            connection.execute(UPSERT_POLICY, _policy_row(changed, change))
            self._audit_writer.append_entries(connection, entries)
            enqueue_items(connection, self._outbox_cipher, messages, change.changed_at)
            return changed

        policy = await self._database.write(job)
        if messages:
            self._database.wakeup.wake_waiters()
        return policy


def read_policy(
    connection: Connection, operator: str, subscription: str, *, is_locked: bool
) -> SpendPolicy | None:
    """Return a line's policy; `is_locked` makes others wait for the end of the transaction."""
    query = LOCK_POLICY if is_locked else SELECT_POLICY
    row = connection.execute(query, {"of": operator, "whose": subscription}).first()
    return None if row is None else _policy_from_row(row)


def _policy_row(policy: SpendPolicy, change: PolicyChange) -> dict[str, Any]:
    return {
        "operator": policy.operator,
        "subscription": policy.subscription,
        "is_enabled": policy.is_enabled,
        "monthly_cap": policy.monthly_cap,
        "alerts": " ".join(map(str, policy.alerts)),
        "blocked": " ".join(sorted(policy.blocked)),
        "blocked_merchants": " ".join(sorted(policy.blocked_merchants)),
        "changed_at": change.changed_at,
    }


def _policy_from_row(row: Any) -> SpendPolicy:
    known = frozenset(row.blocked.split()) & frozenset(PURCHASE_CATEGORIES)
    return SpendPolicy(
        operator=row.operator,
        subscription=row.subscription,
        is_enabled=row.is_enabled,
        monthly_cap=row.monthly_cap,
        alerts=tuple(map(Decimal, row.alerts.split())),
        blocked=cast(frozenset[PurchaseCategory], known),
        blocked_merchants=frozenset(row.blocked_merchants.split()),
    )
