"""Database errors: translate driver exceptions into failures and classify transient ones by SQLSTATE."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from flows.domain.failures import Down, Overloaded, Slow

DRIVER_ERRORS = (exc.SQLAlchemyError, OSError)
"""What a job may raise when the database fails."""

TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
"""SQLSTATEs after which a retry may succeed.

Serialization failure, deadlock, lock not available, admin shutdown, crash shutdown, server starting.
"""

TIMEOUT_SQLSTATES = frozenset({"57014"})
"""SQLSTATE query_canceled: the statement exceeded `statement_timeout`."""

OVERLOAD_SQLSTATES = frozenset({"53300", "55P03"})
"""SQLSTATEs too_many_connections and lock_not_available: reported as Overloaded."""


READ_ONLY_SQLSTATE = "25006"
"""SQLSTATE read_only_sql_transaction: the server was demoted, or its disk is full."""

CHANGED_PLAN_MESSAGES = ("cached plan", "cached statement plan", "cache lookup failed")
"""Messages after a migration changed a table under a prepared statement; the driver prepares it again."""


def sqlstate_of(error: BaseException) -> str:
    """Return PostgreSQL's five-character SQLSTATE of an error, or an empty string."""
    cause = getattr(error, "orig", error)
    return str(getattr(cause, "sqlstate", None) or "")


def is_transient(error: BaseException) -> bool:
    """Return whether the same job may succeed when it is retried at once."""
    if isinstance(error, exc.TimeoutError | TimeoutError):
        return False
    if isinstance(error, OSError):
        return True
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    code = sqlstate_of(error)
    return lost or code in TRANSIENT_SQLSTATES or code.startswith("08") or is_changed_plan(error)


def is_read_only(error: BaseException) -> bool:
    """Return whether the server refused a write because it is read-only."""
    return sqlstate_of(error) == READ_ONLY_SQLSTATE


def is_changed_plan(error: BaseException) -> bool:
    """Return whether a migration changed what a prepared statement returns; prepared again it passes."""
    return isinstance(error, exc.DBAPIError) and any(part in str(error.orig) for part in CHANGED_PLAN_MESSAGES)


def _is_overload(error: BaseException) -> bool:
    cause = getattr(error, "orig", None)
    locked = isinstance(cause, sqlite3.OperationalError) and "locked" in str(cause)
    return locked or sqlstate_of(error) in OVERLOAD_SQLSTATES


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate driver exceptions into Slow, Overloaded or Down; other exceptions pass unchanged."""
    try:
        yield
    except exc.TimeoutError as error:
        raise Overloaded from error
    except TimeoutError as error:
        raise Slow from error
    except DRIVER_ERRORS as error:
        if _is_overload(error):
            raise Overloaded from error
        raise (Slow if sqlstate_of(error) in TIMEOUT_SQLSTATES else Down) from error
