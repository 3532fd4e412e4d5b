"""Redis errors: every exception of the client library, translated into failures."""

from hiredis import ReplyError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from flows.domain.failures import Down, Slow, Unavailable
from storage.driver_frames import drop_frames

REDIS_ERRORS = (TimeoutError, RedisError, RedisClusterException, OSError)
"""Exceptions of a Redis that cannot be used; those of a cluster do not derive from RedisError."""
CALL_ERRORS = (*REDIS_ERRORS, ReplyError, Unavailable)
"""Exceptions of a call on a pipeline: error answers and failures, too."""


def translate_error(error: Exception) -> Unavailable:
    """Translate a Redis error: no answer in time is Slow; full, gone, read-only or loading is Down.

    The client's stack frames are dropped: their variables hold the password.
    """
    drop_frames(error)
    if isinstance(error, Unavailable):
        return type(error)(str(error))
    if isinstance(error, TimeoutError | RedisTimeout):
        return Slow("redis: no answer in time")
    name = "" if isinstance(error, ReplyError) else f"{type(error).__name__}: "
    return Down(f"redis: {name}{str(error)[:80]}")
