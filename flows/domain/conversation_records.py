"""Conversation history: what a turn showed and what was answered, as kept for the help desk."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from menus.model.session import Session
from menus.model.value import value_dataclass

MASKED_ANSWER = "***"
"""What is kept of an answer that was, or may have been, a secret."""


@value_dataclass
class RecordedTurn:
    """One answered request, without its secrets: its screen can be rendered again from the session."""

    operator: str
    caller: str = field(repr=False)
    channel: str
    conversation_hash: str
    """Keyed hash shared by all turns of a conversation."""
    happened_at: datetime
    answers: tuple[str, ...] = field(repr=False)
    """The answers that led to the screen, each whole or masked; an empty one is silence."""
    note: str
    """Name of the note shown before the screen; empty for none."""
    replacement: str | None
    """Name of the text sent in place of the screen; empty when nothing was sent, None for the screen."""
    session: bytes = field(repr=False)
    """The session as `Session.dump` encodes it, without the spoken code and the watermark."""
    ends: bool
    keep_days: int
    """Days the turn is kept."""


TurnRecorder = Callable[[RecordedTurn], None]
"""Called after every turn that was stored; must neither block nor raise."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as it is read back."""

    happened_at: datetime
    answers: tuple[str, ...] = field(repr=False)
    note: str
    replacement: str | None
    session: Session = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation, or the part of it that one process served."""

    channel: str
    conversation_hash: str
    turns: tuple[StoredTurn, ...]
    """Empty when they cannot be read: altered, or encrypted with another secret."""
