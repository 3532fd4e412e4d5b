"""Client of the wire fuzz, in a process of its own: plain sockets, one thread, several connections.

It reads its order (JSON) from standard input and writes a line of JSON per thousand requests; the last has the
counts.
"""

import json
import random
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from tests.security.fuzz_requests import FuzzRequest, FuzzTarget, RequestFactory

ANSWER_SECONDS = 15.0
REQUESTS_PER_CONNECTION = 20
BODILESS_STATUSES = (204, 304)
PROGRESS_STEP = 1_000
SECONDS_PER_REQUEST = 0.02
"""How far the gateway's clock moves with each request: limits per minute and lifetimes matter in a run."""


@dataclass(slots=True)
class FuzzOrder:
    """What one client is to do."""

    port: int
    count: int
    seed: int
    started_at: float
    """The gateway's time when the run begins, Unix seconds."""
    targets: list[dict[str, Any]]
    keys: dict[str, str]
    connections: int = 16


@dataclass(slots=True)
class FuzzCounts:
    """What one client saw."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    """Requests of each route that were answered with something else than 404."""
    unanswered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Requests that were answered 5xx."""


@dataclass(slots=True, eq=False)
class FuzzConnection:
    """One connection: a request at a time, the next one on a new socket where the last was closed."""

    port: int
    dice: random.Random
    sock: socket.socket | None = None
    request: FuzzRequest = field(default_factory=lambda: FuzzRequest(b""))
    answer: bytearray = field(default_factory=bytearray)
    used: int = 0
    deadline: float = 0.0

    def send(self, request: FuzzRequest) -> None:
        """Send a request; a connection that is broken shows when it is read."""
        if self.sock is None:
            self.sock, self.used = self._open(), 0
        self.request, self.used = request, self.used + 1
        self.deadline = time.monotonic() + ANSWER_SECONDS
        self.answer.clear()
        try:
            self.sock.sendall(request.data)
        except OSError:  # it was answered and closed before the end: the answer is still to be read
            return

    def read(self) -> int | None:
        """Read what came: the status of a whole answer, 0 when there will be none, None when more must come."""
        try:
            data = self.sock.recv(1 << 18) if self.sock else b""
        except OSError:
            data = b""
        self.answer += data
        return self._status(is_over=not data)

    def can_be_reused(self) -> bool:
        """Return whether the next request may be sent on this socket."""
        closes = b"connection: close" in bytes(self.answer[:1000]).lower()
        return self.request.is_framed and not closes and self.used < REQUESTS_PER_CONNECTION

    def close(self) -> None:
        """Close the socket."""
        if self.sock:
            self.sock.close()
            self.sock = None

    def _open(self) -> socket.socket:
        """Connect from an address of the loopback network: each is a source of its own."""
        opened = socket.socket()
        opened.settimeout(ANSWER_SECONDS)
        opened.bind((f"127.{self.dice.randrange(1, 255)}.{self.dice.randrange(256)}.1", 0))
        opened.connect(("127.0.0.1", self.port))
        return opened

    def _status(self, *, is_over: bool) -> int | None:
        head, blank, rest = bytes(self.answer).partition(b"\r\n\r\n")
        if blank and head.startswith(b"HTTP/1.1 100"):
            del self.answer[: len(head) + 4]
            return self._status(is_over=is_over)
        if not blank:
            return 0 if is_over else None
        status = int(head.split(b" ", 2)[1])
        _, _, length = head.lower().partition(b"content-length: ")
        has_all = len(rest) >= int(length.split(b"\r\n", 1)[0]) if length else status in BODILESS_STATUSES
        return status if has_all or is_over or not self.request.is_framed else None


@dataclass(slots=True)
class FuzzClient:
    """Sends all requests of an order."""

    order: FuzzOrder
    counts: FuzzCounts = field(default_factory=FuzzCounts)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    begun: int = 0

    def run(self) -> FuzzCounts:
        """Send all requests and return what came back."""
        order = self.order
        dice = random.Random(order.seed)
        targets = [FuzzTarget(**each) for each in order.targets]
        factory = RequestFactory(targets, dice, self._now, order.keys)
        connections = [
            FuzzConnection(order.port, random.Random(order.seed + 1)) for _ in range(order.connections)
        ]
        for each in connections:
            self._send_next(each, factory)
        while self.counts.sent < order.count:
            for key, _ in self.selector.select(1.0):
                self._read(key.data, factory)
            for late in [each for each in connections if each.sock and each.deadline < time.monotonic()]:
                self._finish(late, 0, factory)
        return self.counts

    def _now(self) -> int:
        return int(self.order.started_at + self.counts.sent * SECONDS_PER_REQUEST)

    def _read(self, connection: FuzzConnection, factory: RequestFactory) -> None:
        status = connection.read()
        if status == 0 and connection.used > 1:  # a kept connection that was closed meanwhile
            self._resend(connection)
        elif status is not None:
            self._finish(connection, status, factory)

    def _resend(self, connection: FuzzConnection) -> None:
        self._drop(connection)
        connection.send(connection.request)
        self.selector.register(connection.sock, selectors.EVENT_READ, connection)  # type: ignore[arg-type]

    def _finish(self, connection: FuzzConnection, status: int, factory: RequestFactory) -> None:
        """Count an answer and send the next request."""
        counts = self.counts
        counts.sent += 1
        counts.statuses[status] += 1
        counts.routes[connection.request.route] += status not in (0, 404)
        if status == 0 or status >= 500:
            faults = counts.failed if status else counts.unanswered
            faults.append(repr(connection.request.data[:600]))
        if counts.sent % PROGRESS_STEP == 0:
            _write_line({"sent": counts.sent})
        if not status or not connection.can_be_reused():
            self._drop(connection)
        self._send_next(connection, factory)

    def _send_next(self, connection: FuzzConnection, factory: RequestFactory) -> None:
        if self.begun == self.order.count:
            self._drop(connection)
            return
        self.begun += 1
        is_new = connection.sock is None
        connection.send(factory.draw())
        if is_new:
            self.selector.register(connection.sock, selectors.EVENT_READ, connection)  # type: ignore[arg-type]

    def _drop(self, connection: FuzzConnection) -> None:
        if connection.sock:
            self.selector.unregister(connection.sock)
            connection.close()


def _write_line(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the order on standard input."""
    counts = FuzzClient(FuzzOrder(**json.load(sys.stdin))).run()
    _write_line({each.name: getattr(counts, each.name) for each in fields(counts)})


if __name__ == "__main__":
    main()
