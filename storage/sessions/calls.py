"""Script calls: what is asked of Redis, what may come of it, and who can ask."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from hiredis import pack_command
from redis.exceptions import TimeoutError as RedisTimeout

from flows.failures import Down, Slow, Unavailable

Word = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name Redis knows it by; it touches keys of one hash tag only."""

    source: str = field(repr=False)
    keys: int
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        name = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", name)


class Caller(Protocol):
    """A way to run scripts."""

    async def call(self, script: Script, *words: Word) -> Any:
        """Run it; Slow when no answer came within the budget, Down when Redis said no or broke off."""

    async def load(self, *scripts: Script) -> None:
        """Make the scripts known ahead of their first use; fails as `call` does."""

    async def aclose(self) -> None:
        """Close the connections; what is still under way fails with Down."""


@dataclass(slots=True)
class Call:
    """One run of a script, and the answer somebody awaits."""

    script: Script
    words: tuple[Word, ...]
    answer: asyncio.Future[Any]

    def packed(self, *, known: bool) -> bytes:
        """The command, by hiredis; in full where Redis does not know the script."""
        head = ("EVALSHA", self.script.sha) if known else ("EVAL", self.script.source)
        # Its stub says a tuple of one.
        command: bytes = pack_command((*head, self.script.keys, *self.words))  # type: ignore[arg-type]
        return command

    def settle(self, answer: Any) -> None:
        """Hand out what Redis said, or what went wrong, unless nobody waits any more."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(failure(answer))
        else:
            self.answer.set_result(answer)


def failure(error: Exception) -> Unavailable:
    """What an error means to us: no answer is Slow; full, gone, read-only or loading is Down.

    A new one for each who is told, for calls share an error.
    """
    if isinstance(error, Unavailable):
        return type(error)(str(error))
    kind = Slow if isinstance(error, TimeoutError | RedisTimeout) else Down
    said = "no answer in time" if kind is Slow else f"{type(error).__name__}: {str(error)[:80]}"
    meant = kind(f"redis: {said}")
    meant.__cause__ = error
    return meant
