"""Load shedding: limits concurrent turns per process; new sessions are refused when it is full."""

from dataclasses import dataclass

MAX_CONCURRENT_TURNS = 500
"""A turn takes about 1 ms of CPU: with more at once every caller would wait over half a second."""


@dataclass(slots=True)
class LoadShedder:
    """Limit on concurrent turns in this process, used as a context manager around each turn.

    Running conversations are never refused. A turn counts from its admission: of a burst of new sessions
    `max_turns` are served.
    """

    max_turns: int = MAX_CONCURRENT_TURNS
    active_turns: int = 0
    shed_count: int = 0

    def __enter__(self) -> None:
        self.active_turns += 1

    def __exit__(self, *raised: object) -> None:
        self.active_turns -= 1

    def should_shed(self) -> bool:
        """Return whether a new session must be refused; counts the refusal."""
        full = self.active_turns >= self.max_turns
        self.shed_count += full
        return full
