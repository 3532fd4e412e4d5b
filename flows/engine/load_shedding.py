"""Crowd: how many turns a process has under way, and when whoever begins is asked to dial again."""

from dataclasses import dataclass

AT_ONCE = 500
"""A turn takes about 1 ms of a processor: more at once would keep everybody waiting beyond half a second."""


@dataclass(slots=True)
class Crowd:
    """Turns under way in this process. Conversations that have begun are never turned away.

    A turn counts from when it is let in: of those who come at one moment, `most` are served.
    """

    most: int = AT_ONCE
    inside: int = 0
    turned_away: int = 0

    def __enter__(self) -> None:
        self.inside += 1

    def __exit__(self, *raised: object) -> None:
        self.inside -= 1

    def turns_away(self) -> bool:
        """Is there no room for a conversation that begins? Then it is counted."""
        full = self.inside >= self.most
        self.turned_away += full
        return full
