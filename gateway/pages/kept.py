"""Things kept under a token for a while: in memory, few enough, gone when their time is over."""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by token. Only the hash of a token is kept; beyond `most` the oldest is forgotten."""

    def __init__(self, life: timedelta, most: int) -> None:
        self._life = life
        self._most = most
        self._values: OrderedDict[bytes, tuple[datetime, T]] = OrderedDict()

    def put(self, token: str, value: T, now: datetime) -> None:
        """Keep a value from now on for its whole life; a token known already begins a new one."""
        name = _name(token)
        self._values.pop(name, None)
        self._values[name] = (now + self._life, value)
        self._sweep(now)

    def change(self, token: str, value: T) -> None:
        """Another value under the same token, no longer than the first would have been kept."""
        name = _name(token)
        if name in self._values:
            self._values[name] = (self._values[name][0], value)

    def get(self, token: str, now: datetime) -> T | None:
        """What is kept under a token; None when nothing is, or no longer."""
        found = self._values.get(_name(token))
        return found[1] if found and now < found[0] else None

    def drop(self, token: str) -> None:
        """Forget it; an unknown token is fine."""
        self._values.pop(_name(token), None)

    def _sweep(self, now: datetime) -> None:
        while self._values:
            until, _value = next(iter(self._values.values()))
            if until > now and len(self._values) <= self._most:
                return
            self._values.popitem(last=False)


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
