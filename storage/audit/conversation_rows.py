"""Conversation history as encrypted rows, found by the caller's pseudonym of the audit log."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from flows.domain.conversation_records import RecordedTurn, StoredConversation, StoredTurn
from flows.domain.records import Secret
from menus.model.session import load_session
from storage.audit.trail import AuditWriter
from storage.crypto import AeadCipher
from storage.sql import bulk
from storage.sql.conversation_schema import conversations

INSERT_ROW = insert(conversations)
INSERT_ROW_BULK = bulk.build_statement(
    """
    INSERT INTO conversations (operator, actor, channel, conversation, started_at, ended_at, expires_at, turns)
    SELECT * FROM {rows}
    """,
    operator="varchar",
    actor="varchar",
    channel="varchar",
    conversation="varchar",
    started_at="timestamptz",
    ended_at="timestamptz",
    expires_at="timestamptz",
    turns="bytea",
)
MAX_SAMPLED = 4_000
"""Most rows that are read to count screens; decoding costs 50 microseconds of processor time each."""
HASH_STEPS = 16**6
"""Bounds of a share are the first six hexadecimal digits of a conversation's hash."""
HeldTurn = tuple[int, tuple[str, ...], str, str | None, bytes]
"""A turn in memory: time (ms since 1970), answers, note, replacement, session."""
HeldHead = tuple[str, str, str, str, int]
"""What all turns of a conversation share: operator, caller, channel, conversation hash, days to keep it."""
HeldConversation = tuple[HeldHead, tuple[HeldTurn, ...]]
"""A conversation in memory: what its turns share, and the turns.

Tuples of plain values are left out by the garbage collector, which would else visit every live conversation.
"""
_HEADS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ROW = conversations.c
SELECT_NEWEST = (
    select(conversations)
    .where(_ROW.operator == bindparam("of"), _ROW.actor == bindparam("actor"))
    .order_by(_ROW.id.desc())
    .limit(bindparam("most"))
)
"""Reads one caller's rows from the end of the index on operator, actor and id."""
_BEGAN = (
    _ROW.operator == bindparam("of"),
    _ROW.channel == bindparam("on"),
    _ROW.started_at >= bindparam("since", type_=_ROW.started_at.type),
)
COUNT_BEGUN = select(func.count()).select_from(conversations).where(*_BEGAN)
SELECT_SHARE = select(conversations).where(*_BEGAN, _ROW.conversation < bindparam("below")).limit(MAX_SAMPLED)
"""Reads a random share: the conversations whose keyed hash is below a bound, with all their parts."""


def extend_conversation(earlier: HeldConversation | None, turn: RecordedTurn) -> HeldConversation:
    """Return a conversation with one more turn, or a new one."""
    answers = tuple(map(str, turn.answers))  # no subclass of str, which would be visited
    milliseconds = round(turn.happened_at.timestamp() * 1000)
    held: HeldTurn = (milliseconds, answers, turn.note, turn.replacement, turn.session)
    head = turn.operator, turn.caller, turn.channel, turn.conversation_hash, turn.keep_days
    _, turns = earlier or (head, ())
    return head, (*turns, held)


class ConversationRows:
    """Encrypts conversations into rows and reads them back."""

    def __init__(self, secret: Secret) -> None:
        self._pseudonym, self._cipher = (
            AuditWriter(secret).pseudonym,
            AeadCipher(secret, "conversation history"),
        )

    def insert(self, connection: Connection, history: Sequence[HeldConversation]) -> None:
        """Write conversations within the caller's transaction."""
        insert_rows(connection, [self.encode(each) for each in history])

    def read_newest(
        self, connection: Connection, operator: str, number: str, most: int
    ) -> list[StoredConversation]:
        """Return the newest conversations of a number, the newest first."""
        values = {"of": operator, "actor": self._pseudonym(operator, number), "most": most}
        return [self._decode(row) for row in connection.execute(SELECT_NEWEST, values)]

    def read_share(
        self, connection: Connection, operator: str, channel: str, since: datetime
    ) -> tuple[float, Sequence[Any]]:
        """Return a random share of a channel's conversations that began since, 0 to 1, and their rows.

        All of them where they are few. `decode_rows` decodes the rows, which costs processor time.
        """
        values = {"of": operator, "on": channel, "since": since}
        count = connection.execute(COUNT_BEGUN, values).scalar_one()
        share = min(1.0, 0.9 * MAX_SAMPLED / count) if count > MAX_SAMPLED else 1.0
        below = f"{int(share * HASH_STEPS):06x}" if share < 1 else "g"
        return share, connection.execute(SELECT_SHARE, {**values, "below": below}).all()

    def decode_rows(self, rows: Sequence[Any]) -> list[StoredConversation]:
        """Decrypt and decode rows."""
        return [self._decode(row) for row in rows]

    def encode(self, held: HeldConversation) -> bulk.RowValues:
        """Return the row of a conversation, its turns encrypted: some 30 us of processor time."""
        (operator, caller, channel, conversation_hash, keep_days), turns = held
        actor = self._pseudonym(operator, caller)
        sealed = self._cipher.encrypt(_encode_turns(turns), _label(operator, actor, conversation_hash))
        began_at, ended_at = (_to_instant(at) for at, *_ in (turns[0], turns[-1]))
        times = began_at, ended_at, ended_at + timedelta(days=keep_days)
        return operator, actor, channel, conversation_hash, *times, sealed

    def _decode(self, row: Any) -> StoredConversation:
        try:
            plain = self._cipher.decrypt(row.turns, _label(row.operator, row.actor, row.conversation))
            turns = _decode_turns(plain)
        except ValueError:
            turns = ()
        return StoredConversation(row.channel, row.conversation, turns)


def insert_rows(connection: Connection, rows: Sequence[bulk.RowValues]) -> None:
    """Write encoded conversations within the caller's transaction."""
    bulk.execute_rows(connection, INSERT_ROW, INSERT_ROW_BULK, rows)


def _to_instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _label(operator: str, actor: str, conversation: str) -> str:
    return f"{operator} {actor} {conversation}"


def _encode_turns(turns: Sequence[HeldTurn]) -> bytes:
    """Encode turns as lines: what was answered and noted, as one JSON list, then each session as it is."""
    heads, sessions = [answered for *answered, _ in turns], [session for *_, session in turns]
    return b"\n".join((_HEADS.encode(heads).encode(), *sessions))


def _decode_turns(plain: bytes) -> tuple[StoredTurn, ...]:
    """Decode turns; ValueError where an earlier release wrote sessions of another form."""
    heads, *sessions = plain.split(b"\n")
    return tuple(
        StoredTurn(_to_instant(at), tuple(answers), note, replacement, load_session(session))
        for (at, answers, note, replacement), session in zip(json.loads(heads), sessions, strict=True)
    )
