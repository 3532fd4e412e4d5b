"""Consent decisions: of equal decisions made at once on several channels, only the first is written."""

from sqlalchemy import Connection, bindparam, func, select

from flows.domain.records import ChangeSet, Secret
from storage import idempotency
from storage.audit.trail import AuditWriter
from storage.crypto import derive_key, keyed_hash
from storage.sql.consent_triggers import ERASED_PREFIX
from storage.sql.engine import Database
from storage.sql.tables import consents

SELECT_LATEST_CONSENT = select(func.max(consents.c.id)).where(
    consents.c.operator == bindparam("operator"),
    consents.c.subscription.in_(bindparam("subscriptions", expanding=True)),
    consents.c.what == bindparam("purpose"),
)


class ConsentDecisions:
    """Reserves one idempotency key per subscription, decision and preceding consent.

    Of requests that read the same latest consent and decide the same at the same time, the first to commit
    writes; the others wait for that transaction and write nothing. A later decision follows another consent
    and is new.
    """

    _database: Database
    _audit_writer: AuditWriter

    def __init__(self, secret: Secret) -> None:
        self._decision_key = derive_key(secret, "decisions")

    async def latest_consent(self, operator: str, subscription: str, purpose: str) -> int:
        """Return the id of the latest consent for a purpose, given or withdrawn; 0 when there is none.

        Consents from before an erasure count, under their pseudonym: their decisions' keys are still there.
        """
        pseudonym = ERASED_PREFIX + self._audit_writer.pseudonym(operator, subscription)
        parameters = {
            "operator": operator,
            "subscriptions": [subscription, pseudonym],
            "purpose": purpose,
        }
        latest = await self._database.read(
            lambda connection: connection.execute(SELECT_LATEST_CONSENT, parameters).scalar_one()
        )
        return int(latest or 0)

    def _is_first_decision(self, connection: Connection, change: ChangeSet) -> bool:
        """Return whether no other request has written the same decision; waits for one that is about to."""
        if change.after_consent is None:
            return True
        wishes = [f"{consent.purpose} {consent.is_given}" for consent in change.consents]
        parts = (change.operator, change.subscription, str(change.after_consent), *wishes)
        key = f"decision/{keyed_hash(self._decision_key, *parts).hex()}"
        return idempotency.reserve_key(connection, key, change.outcome, None, change.changed_at) is None
