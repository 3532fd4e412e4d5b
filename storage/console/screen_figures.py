"""Screen figures: how many conversations reached each screen and ended there, from the history."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.conversation_records import StoredConversation, join_parts
from flows.domain.records import Secret
from storage.audit.conversation_rows import ConversationRows
from storage.sql.engine import Database


@dataclass(frozen=True, slots=True)
class ScreenFigures:
    """Figures of one operator's channel; numbers of conversations, and nothing of who had them."""

    conversations: int
    """Conversations counted."""
    share: float
    """Which share of all they are, 0 to 1."""
    reached: Mapping[str, int] = field(repr=False)
    """Conversations that showed a screen, once or more often, by its name."""
    ended: Mapping[str, int] = field(repr=False)
    """Conversations whose last screen it was, hung up there or come to an end."""


class SqlScreenFigures:
    """Counts the screens of the conversation history."""

    def __init__(self, database: Database, secret: Secret) -> None:
        self._database, self._rows = database, ConversationRows(secret)

    async def count_screens(self, operator: str, channel: str, since: datetime) -> ScreenFigures:
        """Count the conversations on a channel that began since; a random share where they are many."""
        share, rows = await self._database.read(
            lambda connection: self._rows.read_share(connection, operator, channel, since)
        )
        return count_stored(await asyncio.to_thread(self._rows.decode_rows, rows), share)


def count_stored(stored: Sequence[StoredConversation], share: float) -> ScreenFigures:
    """Count screens; rows that cannot be read are left out."""
    reached, ended = Counter[str](), Counter[str]()
    paths = [[turn.screen for turn in turns] for _, turns in join_parts(stored) if turns]
    for path in paths:
        reached.update(set(path))
        ended[path[-1]] += 1
    return ScreenFigures(len(paths), share, reached, ended)
