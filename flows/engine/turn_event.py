"""Turns as they are watched: what one answer did, without a number or a word of the subscriber."""

from collections.abc import Callable

from menus.model.value import value


@value
class Turn:
    """One answered request that moved a conversation or failed to."""

    operator: str
    channel: str
    conversation: str
    """A keyed hash: the same for every turn of a conversation."""
    subscriber: str
    """A keyed hash of the number; empty when it was withheld."""
    revision: str
    language: str
    origin: str
    """The screen it was answered on."""
    screen: str
    """The screen it led to."""
    said: str
    """What the last answer did: moved, page, again, empty, wrong; `begun` when there was none."""
    steps: tuple[tuple[str, str], ...]
    """The steps passed on the way, each with its outcome."""
    trail: tuple[str, ...]
    """The screens behind the one it led to."""
    seconds: float
    ends: bool


Watcher = Callable[[Turn], None]
"""Told of every turn once it is answered; it must neither wait nor raise."""
