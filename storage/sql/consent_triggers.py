"""Triggers that keep the consent table append-only, in the SQL of SQLite and PostgreSQL."""

from collections.abc import Sequence

ERASED_PREFIX = "erased:"
"""Prefix of the pseudonym in `consents.subscription` after the subscriber was erased."""

_FROZEN_COLUMNS = ("operator", "what", "text", "language", "channel", "proof", "at", "given")
_CHANGED_ON_SQLITE = " OR ".join(f'OLD."{name}" IS NOT NEW."{name}"' for name in _FROZEN_COLUMNS)
_CHANGED_ON_POSTGRES = " OR ".join(f'OLD."{name}" IS DISTINCT FROM NEW."{name}"' for name in _FROZEN_COLUMNS)

SQLITE_TRIGGERS: Sequence[str] = (
    f"""
    CREATE TRIGGER consents_kept BEFORE UPDATE ON consents
    WHEN NEW.subscription NOT LIKE '{ERASED_PREFIX}%' OR {_CHANGED_ON_SQLITE}
    BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END
    """,
    f"""
    CREATE TRIGGER consents_stay BEFORE DELETE ON consents WHEN OLD.subscription NOT LIKE '{ERASED_PREFIX}%'
    BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END
    """,
)
POSTGRES_TRIGGERS: Sequence[str] = (
    f"""
    CREATE FUNCTION consents_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.subscription LIKE '{ERASED_PREFIX}%' THEN RETURN OLD; END IF;
        ELSIF NEW.subscription LIKE '{ERASED_PREFIX}%' AND NOT ({_CHANGED_ON_POSTGRES}) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'consents are append-only';
    END $$
    """,
    """
    CREATE TRIGGER consents_kept BEFORE UPDATE OR DELETE ON consents
    FOR EACH ROW EXECUTE FUNCTION consents_guarded()
    """,
)
"""The only update allowed replaces the subscription by a pseudonym (the erase path).

Only rows with a pseudonym may be deleted.
"""
