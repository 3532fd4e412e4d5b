"""Opt-outs that outlive the erasure of a line, as keyed hashes: who said STOP stays unwritten to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from flows.domain.records import OutboundMessage, Secret
from storage.crypto import derive_key, keyed_hashes
from storage.sql.bulk import in_array
from storage.sql.tables import opt_outs

HASH_PREFIX = "erased:"
SUPPRESSED_KINDS = ("notice", "campaign")
"""Classes of messages that an opt-out ends; codes and direct replies still go out."""
SELECT_ERASED = select(opt_outs.c.number).where(
    opt_outs.c.operator == bindparam("operator"), in_array(opt_outs.c.number, "hashes")
)
INSERT_OPT_OUT = upsert(opt_outs).on_conflict_do_nothing(
    index_elements=[opt_outs.c.operator, opt_outs.c.number]
)


class ErasedOptOuts:
    """Finds the opt-outs of erased lines when they are to be written to again."""

    def __init__(self, secret: Secret) -> None:
        self._key = derive_key(secret, "lines")

    def hash_recipient(self, operator: str, recipient: str) -> str:
        """Return what stands in the table for a recipient that was erased."""
        return next(self._hash_recipients(operator, [recipient]))

    def pair_with_hashes(self, operator: str, recipients: Collection[str]) -> Mapping[str, str]:
        """Return recipients by what stands in the table for one that was erased."""
        return dict(zip(self._hash_recipients(operator, recipients), recipients, strict=True))

    def _hash_recipients(self, operator: str, recipients: Iterable[str]) -> Iterator[str]:
        hashes = keyed_hashes(self._key, ("opt-out", operator), recipients)
        return (HASH_PREFIX + each.hex() for each in hashes)

    def restore(
        self, connection: Connection, operator: str, messages: Collection[OutboundMessage], at: datetime
    ) -> None:
        """Write the opt-outs of these messages' recipients out again, so that the outbox drops the messages."""
        recipients = {message.to for message in messages if message.kind in SUPPRESSED_KINDS}
        if not recipients:
            return
        hashes = self.pair_with_hashes(operator, recipients)
        found = connection.execute(SELECT_ERASED, {"operator": operator, "hashes": list(hashes)}).scalars()
        rows = [{"operator": operator, "number": hashes[each], "at": at} for each in found]
        if rows:
            connection.execute(INSERT_OPT_OUT, rows)

    def keep_hash(self, connection: Connection, operator: str, recipient: str, at: datetime) -> None:
        """Store the hash of a recipient that opted out and is being erased."""
        row = {"operator": operator, "number": self.hash_recipient(operator, recipient), "at": at}
        connection.execute(INSERT_OPT_OUT, row)
