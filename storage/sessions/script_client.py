"""Lua scripts of Redis and their client, as the stores see it: without redis-py, which takes 19 MB."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

ScriptArgument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script with its SHA-1 for EVALSHA; it uses keys of one hash tag only."""

    source: str = field(repr=False)
    key_count: int
    sha1: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha1", digest)


class ScriptClient(Protocol):
    """A client that runs Lua scripts in Redis."""

    async def run_script(self, script: Script, *words: ScriptArgument) -> Any:
        """Run a script with its keys and arguments, and return the answer.

        Raises Slow when no answer came within the budget, Down on an error answer or a lost connection.
        """

    async def load_scripts(self, *scripts: Script) -> None:
        """Load scripts before their first use; raises as `run_script` does."""

    async def aclose(self) -> None:
        """Close the connections; calls under way fail with Down."""
