"""Load shedding: limits concurrent turns per process; new sessions are refused when it is full."""

from dataclasses import dataclass

AT_ONCE = 500
"""A turn takes about 1 ms of CPU: with more at once everybody would wait over half a second."""


@dataclass(slots=True)
class Crowd:
    """Limit on concurrent turns in this process, used as a context manager around each turn.

    Running conversations are never refused. A turn counts from its admission: of a burst of new sessions
    `max_turns` are served.
    """

    most: int = AT_ONCE
    inside: int = 0
    turned_away: int = 0

    def __enter__(self) -> None:
        self.inside += 1

    def __exit__(self, *raised: object) -> None:
        self.inside -= 1

    def turns_away(self) -> bool:
        """Return whether a new session must be refused; counts the refusal."""
        full = self.inside >= self.most
        self.turned_away += full
        return full
