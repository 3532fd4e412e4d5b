"""Database errors: translate driver exceptions into failures and classify transient ones by SQLSTATE."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from flows.domain.failures import Down, Overloaded, Slow

TRANSIENT = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
"""SQLSTATEs after which a retry may succeed.

Serialization failure, deadlock, lock not available, admin shutdown, crash shutdown, server starting.
"""

SLOW = frozenset({"57014"})
"""SQLSTATE query_canceled: the statement exceeded `statement_timeout`."""

CROWDED = frozenset({"53300", "55P03"})
"""SQLSTATEs too_many_connections and lock_not_available: reported as Overloaded."""


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's five-character SQLSTATE of an error, or an empty string."""
    cause = getattr(error, "orig", error)
    return str(getattr(cause, "sqlstate", None) or "")


def transient(error: BaseException) -> bool:
    """Return whether the same job may succeed when it is retried at once."""
    if isinstance(error, exc.TimeoutError | TimeoutError):
        return False
    if isinstance(error, OSError):
        return True
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    code = sqlstate(error)
    return lost or code in TRANSIENT or code.startswith("08")


def _crowded(error: BaseException) -> bool:
    cause = getattr(error, "orig", None)
    locked = isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause)
    return locked or sqlstate(error) in CROWDED


@contextmanager
def translated() -> Iterator[None]:
    """Translate driver exceptions into Slow, Overloaded or Down; other exceptions pass unchanged."""
    try:
        yield
    except exc.TimeoutError as error:
        raise Overloaded from error
    except TimeoutError as error:
        raise Slow from error
    except (exc.SQLAlchemyError, OSError) as error:
        if _crowded(error):
            raise Overloaded from error
        raise (Slow if sqlstate(error) in SLOW else Down) from error
