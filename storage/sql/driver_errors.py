"""Database errors: translate driver exceptions into failures and classify transient ones by SQLSTATE."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from flows.domain.failures import Down, Overloaded, Slow

TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
"""SQLSTATEs after which a retry may succeed.

Serialization failure, deadlock, lock not available, admin shutdown, crash shutdown, server starting.
"""

TIMEOUT_SQLSTATES = frozenset({"57014"})
"""SQLSTATE query_canceled: the statement exceeded `statement_timeout`."""

OVERLOAD_SQLSTATES = frozenset({"53300", "55P03"})
"""SQLSTATEs too_many_connections and lock_not_available: reported as Overloaded."""


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
    return lost or code in TRANSIENT_SQLSTATES or code.startswith("08")


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
    except (exc.SQLAlchemyError, OSError) as error:
        if _is_overload(error):
            raise Overloaded from error
        raise (Slow if sqlstate_of(error) in TIMEOUT_SQLSTATES else Down) from error
