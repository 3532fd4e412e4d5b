"""Schema revision: which migrations a database has had and this release has, without Alembic."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

MIGRATIONS_PATH = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
_CURRENT_REVISIONS = text("SELECT version_num FROM alembic_version")


def current_revisions(connection: Connection) -> frozenset[str]:
    """Return the newest revision of a database's schema; none of an empty one."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return frozenset()
    return frozenset(connection.execute(_CURRENT_REVISIONS).scalars())


@cache
def release_revisions() -> tuple[str, ...]:
    """Return this release's revisions, the newest last, by the names of its migrations: `v0028_NAME.py`."""
    return tuple(sorted(path.stem[1:5] for path in (MIGRATIONS_PATH / "versions").glob("v[0-9]*.py")))
