"""Cache of the sessions this process saved last, so that a session's next turn needs no read."""

from collections import OrderedDict
from collections.abc import Callable

from menus.model.value import value_dataclass

MAX_AGE_SECONDS = 60.0
"""How long a saved session is remembered: callers answer within seconds, networks end a USSD session sooner."""
MAX_SAVED = 10_000
"""Most sessions remembered, about 700 bytes each; the one saved first is forgotten first."""
_SavedRow = tuple[float, int, int, bytes, bytes]
"""Time of the save, version, fencing token, hop, session: the garbage collector does not visit plain values."""


@value_dataclass
class SavedTurn:
    """What a turn left in the shared store."""

    version: int
    fencing_token: int
    """The token of the record that was written; no other record has it."""
    hop: bytes
    """The request that was answered."""
    session: bytes


class SavedTurns:
    """The turns saved last by this process, by the name of their session; `now` is a monotonic clock.

    What is read here may be out of date, as another process may have answered since: whoever uses it lets the
    store compare version and token as it saves.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rows: OrderedDict[str, _SavedRow] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of sessions remembered, those that are too old included."""
        return len(self._rows)

    def remember_turn(self, name: str, turn: SavedTurn) -> None:
        """Remember a session that was saved just now, in place of what was known of it."""
        now = self._now()
        self._rows.pop(name, None)  # so that the order is that of age
        self._rows[name] = (now, turn.version, turn.fencing_token, turn.hop, turn.session)
        self._forget_oldest(now)

    def take_turn(self, name: str, hop: bytes) -> SavedTurn | None:
        """Return a session's last turn and forget it, unless it is too old or answered this very request."""
        row = self._rows.get(name)
        if row is None or row[3] == hop:
            return None
        del self._rows[name]
        saved_at, version, token, known_hop, session = row
        is_fresh = saved_at + MAX_AGE_SECONDS > self._now()
        return SavedTurn(version, token, known_hop, session) if is_fresh else None

    def forget_session(self, name: str) -> None:
        """Forget a session that has ended, or is leased now."""
        self._rows.pop(name, None)

    def forget_sessions(self, prefix: str) -> None:
        """Forget all sessions whose names begin so."""
        for name in [each for each in self._rows if each.startswith(prefix)]:
            del self._rows[name]

    def acknowledge_turn(self, name: str, version: int) -> None:
        """Forget the request of this version, whose reply was sent: an equal request is a new one."""
        row = self._rows.get(name)
        if row is not None and row[1] == version:
            self._rows[name] = (row[0], version, row[2], b"", row[4])

    def _forget_oldest(self, now: float) -> None:
        """Forget the oldest while there are too many, and at most two that are too old: a bounded cost."""
        for _ in range(2):
            name, row = next(iter(self._rows.items()))
            if row[0] + MAX_AGE_SECONDS > now and len(self._rows) <= MAX_SAVED:
                return
            del self._rows[name]
