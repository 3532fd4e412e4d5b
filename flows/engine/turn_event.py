"""Turn event: emitted after every turn for metrics and logs; holds no phone number and no input text."""

from collections.abc import Callable

from menus.model.value import value


@value
class Turn:
    """One answered request, whether or not it moved the conversation."""

    operator: str
    channel: str
    conversation: str
    """Keyed hash shared by all turns of a conversation."""
    subscriber: str
    """Keyed hash of the caller's number; empty when withheld."""
    revision: str
    language: str
    origin: str
    """Screen before the turn."""
    screen: str
    """Screen after the turn."""
    said: str
    """Result of the last answer: moved, page, again, empty, wrong; `begun` when there was none."""
    steps: tuple[tuple[str, str], ...]
    """Steps run in the turn, each with its outcome."""
    trail: tuple[str, ...]
    """Screens that "back" returns to, nearest last."""
    seconds: float
    ends: bool


Watcher = Callable[[Turn], None]
"""Called after every turn; must neither block nor raise."""
