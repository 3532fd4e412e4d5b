"""Known-plaintext check of the secret key: a start with another key is refused."""

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from flows.domain.records import Secret
from storage.crypto import AeadCipher
from storage.outbox.enqueue import KEY_PURPOSE
from storage.sql.engine import Database
from storage.sql.tables import key_checks, outbox

KNOWN_PLAINTEXT = b"dialtree"
KEY_ERROR = (
    "is not the key this database was written with: use the key of the other processes"
    " (docs/security.md tells how it is changed)"
)
TRIED_ROWS = 20
"""Encrypted rows tried in a database without a sample: one that opens is proof."""

SELECT_SAMPLE = select(key_checks.c.sample).where(key_checks.c.purpose == KEY_PURPOSE)
INSERT_SAMPLE = insert(key_checks).on_conflict_do_nothing(index_elements=[key_checks.c.purpose])
SELECT_ENCRYPTED_ROWS = (
    select(outbox.c.key, outbox.c.payload)
    .where(outbox.c.payload.is_not(None))
    .order_by(outbox.c.id.desc())
    .limit(bindparam("count", type_=outbox.c.attempt.type))
)


async def verify_secret_key(database: Database, secret: Secret) -> None:
    """Check that the database was written with this key; the first start stores an encrypted sample.

    Raises ValueError when it was not.
    """
    cipher = AeadCipher(secret, KEY_PURPOSE)
    if not await database.write(lambda connection: _sample_opens(connection, cipher)):
        raise ValueError(KEY_ERROR)


def _sample_opens(connection: Connection, cipher: AeadCipher) -> bool:
    """Decrypt the sample, or store one unless the rows of the outbox were written with another key."""
    sample = connection.execute(SELECT_SAMPLE).scalar()
    if sample is None and _has_foreign_rows(connection, cipher):
        return False
    if sample is None:
        encrypted = cipher.encrypt(KNOWN_PLAINTEXT, KEY_PURPOSE)
        connection.execute(INSERT_SAMPLE, {"purpose": KEY_PURPOSE, "sample": encrypted})
        sample = connection.execute(SELECT_SAMPLE).scalar_one()
    return _can_decrypt(cipher, sample, KEY_PURPOSE)


def _has_foreign_rows(connection: Connection, cipher: AeadCipher) -> bool:
    """Return whether there are encrypted rows and none of the newest opens."""
    rows = connection.execute(SELECT_ENCRYPTED_ROWS, {"count": TRIED_ROWS}).all()
    return bool(rows) and not any(_can_decrypt(cipher, row.payload, row.key) for row in rows)


def _can_decrypt(cipher: AeadCipher, ciphertext: bytes, label: str) -> bool:
    try:
        cipher.decrypt(ciphertext, label)
    except ValueError:
        return False
    return True
