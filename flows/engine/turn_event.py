"""Turn event: emitted after every turn for metrics and logs; holds no phone number and no input text."""

from collections.abc import Callable

from menus.model.value import value_dataclass


@value_dataclass
class TurnEvent:
    """One answered request, whether or not it moved the conversation."""

    operator: str
    channel: str
    conversation_hash: str
    """Keyed hash shared by all turns of a conversation."""
    subscriber_hash: str
    """Keyed hash of the caller's number; empty when withheld."""
    revision: str
    language: str
    origin_screen: str
    """Screen before the turn."""
    screen: str
    """Screen after the turn."""
    answer_result: str
    """Result of the last answer: moved, page, again, empty, wrong; `begun` when there was none."""
    steps: tuple[tuple[str, str], ...]
    """Steps run in the turn, each with its outcome."""
    trail: tuple[str, ...]
    """Screens that "back" returns to, nearest last."""
    duration_seconds: float
    ends: bool
    is_first: bool = False
    """Whether the conversation begins with it; a text message after an end begins the next one."""


TurnListener = Callable[[TurnEvent], None]
"""Called after every turn; must neither block nor raise."""
