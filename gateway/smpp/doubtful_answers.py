"""Redelivery: whether the SMSC may not have read our answer to a message and will repeat it."""

from collections import OrderedDict, deque

DOUBT_SECONDS = 60.0
"""Answers written this long before a connection broke are in doubt."""
REMEMBER_SECONDS = 3600.0
"""How long a doubtful answer is remembered: within it an SMSC has tried again or given up."""
START_SECONDS = 300.0
"""After the first bind every message may be a repeat: the process before us may have died before answering."""
_MAX_ANSWERS = 10_000


class AnswerLog:
    """Answers written on one connection, until a later request of ours was answered: then they were read."""

    def __init__(self) -> None:
        self._answers: deque[tuple[bytes, int, float]] = deque(maxlen=_MAX_ANSWERS)

    def add_answer(self, identity: bytes, requests_written: int, now: float) -> None:
        """Note an answer with how many requests we had written before it."""
        self._answers.append((identity, requests_written, now))

    def doubtful(self, requests_proven: int, now: float) -> list[bytes]:
        """Return the messages whose answers nothing proves read, of the last 60 s."""
        return [
            identity
            for identity, written, at in self._answers
            if written >= requests_proven and now - at <= DOUBT_SECONDS
        ]


class DoubtfulAnswers:
    """Messages of broken connections whose answers are in doubt; each is asked about once."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._started_at: float | None = None

    def begin(self, now: float) -> None:
        """Note the first bind."""
        if self._started_at is None:
            self._started_at = now

    def add_doubts(self, identities: list[bytes], now: float) -> None:
        """Remember messages whose answers may not have arrived."""
        for identity in identities:
            self._until[identity] = now + REMEMBER_SECONDS
        while len(self._until) > _MAX_ANSWERS:
            self._until.popitem(last=False)

    def may_repeat(self, identity: bytes, now: float) -> bool:
        """Return whether a message may be one we have answered; one that comes with the first bind may."""
        until = self._until.pop(identity, None)
        just_started = self._started_at is None or now - self._started_at < START_SECONDS
        return just_started or (until is not None and now < until)
