"""What goes wrong in a database, in the words of `flows.domain.failures`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from flows.domain.failures import Down, Overloaded, Slow

TRANSIENT = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
"""Serialization, deadlock, lock not free, server stopped, crashed, starting: the next try may pass."""

SLOW = frozenset({"57014"})
"""Stopped by the statement's own time limit."""

CROWDED = frozenset({"53300", "55P03"})
"""Too many connections; a lock that did not come free."""


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five-letter code of an error, empty when it has none."""
    cause = getattr(error, "orig", error)
    return str(getattr(cause, "sqlstate", None) or "")


def transient(error: BaseException) -> bool:
    """May the same job pass when it is run once more?"""
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
    """Turn whatever the driver raises into Slow, Overloaded or Down; failures pass as they are."""
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
