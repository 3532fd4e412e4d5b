"""Resume points of one process: where a caller's dropped session can be continued."""

from collections import OrderedDict
from collections.abc import Callable

from storage.sessions.use_order import UseOrder

_StoredPoint = tuple[float, float, int, bytes]
"""Its lifetime, when it expires, its number in the order, and the session's bytes."""


class ResumePoints:
    """At most `max_entries` resume points; beyond that the one stored longest ago is dropped.

    Each expires its own seconds after it was stored, by `now`. A name begins with the subscriber's keyed hash.
    """

    def __init__(self, now: Callable[[], float], max_entries: int) -> None:
        self._now = now
        self._max_entries = max_entries
        # The collector knows an ordered dictionary from the start; frozen then, it is not visited as it grows.
        self._points: OrderedDict[str, _StoredPoint] = OrderedDict()
        # By lifetime in seconds, the oldest first: each in the order of expiry.
        self._by_lifetime: dict[float, UseOrder] = {}

    def __len__(self) -> int:
        """Return how many are stored, including expired ones not yet dropped."""
        return len(self._points)

    def find_point(self, name: str) -> bytes | None:
        """Return an unexpired point's bytes."""
        stored = self._points.get(name)
        return stored[3] if stored and stored[1] > self._now() else None

    def store_point(self, name: str, seconds: float, point: bytes) -> None:
        """Store a point for some seconds, in place of the one of this name."""
        self.delete_point(name)
        self._make_room()
        number = self._by_lifetime.setdefault(seconds, UseOrder()).add_name(name)
        self._points[name] = seconds, self._now() + seconds, number, point

    def delete_point(self, name: str) -> None:
        """Delete the point of this name, if there is one."""
        stored = self._points.pop(name, None)
        if stored:
            self._by_lifetime[stored[0]].remove_number(stored[2])

    def forget_subscriber(self, prefix: str) -> None:
        """Delete the points whose names begin with a subscriber's prefix."""
        for name in [name for name in self._points if name.startswith(prefix)]:
            self.delete_point(name)

    def _make_room(self) -> None:
        """Drop at most two expired points of each lifetime: a bounded cost, and none pile up."""
        now = self._now()
        for order in self._by_lifetime.values():
            for name in order.list_oldest(2):
                if self._points[name][1] > now:
                    break
                self.delete_point(name)
        if len(self) >= self._max_entries:
            longest = max(self._by_lifetime.values(), key=len)
            self.delete_point(next(longest.list_oldest(1)))
