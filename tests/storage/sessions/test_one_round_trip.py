"""Turns of one and of two round trips: the same answers, whatever is interleaved, crashes or expires."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test
from redis import Redis

from flows.domain.ports import OpenedSession, SessionKey
from storage.sessions.connect import build_script_client
from storage.sessions.redis_store import RedisSessions
from storage.sessions.script_client import ScriptClient
from tests.support.databases import SECRET

pytestmark = pytest.mark.redis
PROCESSES = (0, 1)
LEASE_END = slice(12, 18)
"""Where a stored record has the end of its lease, in ms."""
LONG_AGO = (1).to_bytes(6)
Answer = tuple[str, bytes]
"""How a request was answered, and with what."""


@dataclass(slots=True)
class Attempt:
    """A request under way in one process."""

    process: int
    number: int
    opened: OpenedSession


@dataclass(slots=True)
class Gateways:
    """Two processes at one Redis that answer the numbered requests of one caller, as the turn engine does.

    A session is the list of the requests that moved it, and a reply is what the session was after its request.
    """

    scripts: ScriptClient
    recalls: bool
    """Whether turns are tried with one round trip."""
    key: SessionKey = field(default_factory=lambda: SessionKey(uuid.uuid4().hex[:22], "call"))
    stores: list[RedisSessions] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores = [self.start_process() for _ in PROCESSES]

    @property
    def redis_key(self) -> str:
        return f"{{{self.key.subscriber_hash}}}{self.key.session_hash}"

    def start_process(self) -> RedisSessions:
        """Return the store of a process that knows nothing yet; it does not wait for leases."""
        return RedisSessions(self.scripts, SECRET, wait_seconds=0.0, lease_seconds=60.0)

    def crash(self, process: int) -> None:
        """Replace a process by a new one; its leases stay."""
        self.stores[process] = self.start_process()

    async def begin(self, process: int, number: int) -> Attempt:
        """Begin to answer a request."""
        store = self.stores[process]
        recalled = store.recall(self.key, str(number)) if self.recalls else None
        return Attempt(process, number, recalled or await store.open(self.key, str(number)))

    async def finish(self, attempt: Attempt) -> Answer:
        """Finish an attempt; one that was recalled and refused begins again under a lease."""
        answer = await self._take_turn(attempt)
        if answer[0] != "again":
            return answer
        store = self.stores[attempt.process]
        opened = await store.open(self.key, str(attempt.number))
        return await self._take_turn(Attempt(attempt.process, attempt.number, opened))

    async def _take_turn(self, attempt: Attempt) -> Answer:
        store, opened, number = self.stores[attempt.process], attempt.opened, attempt.number
        if opened.status == "replay":
            return "answered", opened.reply or b""
        if opened.status == "busy":
            return "busy", b""
        history = (opened.session or b"").split()
        if history and int(history[-1]) >= number:
            return await self._answer_late(store, opened)
        session = b" ".join([*history, b"%d" % number])
        if await store.save(self.key, opened, str(number), session, session):
            return "answered", session
        return ("again" if opened.is_recalled else "lost"), b""

    async def _answer_late(self, store: RedisSessions, opened: OpenedSession) -> Answer:
        """Answer an old request, which moves nothing."""
        if opened.is_recalled:
            return "again", b""
        await store.release(self.key, opened)
        return "late", b""

    async def answer(self, process: int, number: int) -> Answer:
        """Answer a request at once."""
        return await self.finish(await self.begin(process, number))


class TwoGateways(RuleBasedStateMachine):
    """Sends the same to gateways with one round trip a turn and to gateways with two."""

    loop: asyncio.AbstractEventLoop
    scripts: ScriptClient
    redis: Any

    def __init__(self) -> None:
        super().__init__()
        self.pairs = [Gateways(self.scripts, recalls) for recalls in (True, False)]
        self.number = 1
        """The caller's current request; the next one follows once both gateways have answered it."""
        self.life = 0
        """How many sessions of the caller were lost."""
        self.replies: list[dict[tuple[int, int], bytes]] = [{}, {}]

    under_way = Bundle("under_way")

    def note(self, place: int, number: int, answer: Answer) -> None:
        """Check that a request that is answered again gets the same reply."""
        if answer[0] == "answered":
            assert self.replies[place].setdefault((self.life, number), answer[1]) == answer[1]

    def is_answered(self) -> bool:
        return all((self.life, self.number) in known for known in self.replies)

    @rule(target=under_way, process=st.sampled_from(PROCESSES), step=st.integers(0, 1))
    def begin(self, process: int, step: int) -> Any:
        """Begin the caller's next request in both, or the current one once more."""
        self.number += step == 1 and self.is_answered()
        attempts = [self.run(gateways.begin(process, self.number)) for gateways in self.pairs]
        return (self.life, attempts)

    @rule(attempts=consumes(under_way))
    def finish(self, attempts: tuple[int, list[Attempt]]) -> None:
        """Finish a request in both; a reply that was read before the session was lost says nothing."""
        life, both = attempts
        for place, attempt in enumerate(both):
            answer = self.run(self.pairs[place].finish(attempt))
            if attempt.opened.status != "replay" or life == self.life:
                self.note(place, attempt.number, answer)

    @rule(attempts=consumes(under_way))
    def lose(self, attempts: tuple[int, list[Attempt]]) -> None:
        """Let a request end without an answer, its lease not given back."""

    @rule(process=st.sampled_from(PROCESSES))
    def crash(self, process: int) -> None:
        for gateways in self.pairs:
            gateways.crash(process)

    @rule(process=st.sampled_from(PROCESSES), step=st.integers(-2, 1))
    def answer(self, process: int, step: int) -> None:
        """Answer the current request, the next, or an old one that arrives late, with nothing in between."""
        self.number += step == 1 and self.is_answered()
        number = max(1, self.number + min(step, 0))
        for place, gateways in enumerate(self.pairs):
            self.note(place, number, self.run(gateways.answer(process, number)))

    @rule()
    def expire_lease(self) -> None:
        for gateways in self.pairs:
            record = bytearray(self.redis.get(gateways.redis_key) or b"")
            if record and record[LEASE_END] != bytes(6):
                record[LEASE_END] = LONG_AGO
                self.redis.set(gateways.redis_key, bytes(record), keepttl=True)

    @rule()
    def expire_session(self) -> None:
        self.life += 1
        self.redis.delete(*(gateways.redis_key for gateways in self.pairs))

    def teardown(self) -> None:
        """In the end both answer the caller, and each answered request moved the session once, in its order."""
        self.expire_lease()
        self.answer(0, 0)
        for place, known in enumerate(self.replies):
            history = self.read_history(place)
            assert history == sorted(set(history)) and history[-1] == self.number
            assert {number for life, number in known if life == self.life} <= set(history)

    def read_history(self, place: int) -> list[int]:
        gateways = self.pairs[place]
        stored = self.run(gateways.stores[0].open(gateways.key, str(self.number)))
        assert stored.status == "replay"
        return [int(each) for each in (stored.session or b"").split()]

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)


@pytest.fixture
def machine(redis_url: str) -> Iterator[type[TwoGateways]]:
    """Provide the state machine at a Redis."""
    loop, client = asyncio.new_event_loop(), Redis.from_url(redis_url)
    scripts = build_script_client(redis_url, 5.0)

    class AtRedis(TwoGateways):
        pass

    AtRedis.loop, AtRedis.scripts, AtRedis.redis = loop, scripts, client
    yield AtRedis
    loop.run_until_complete(scripts.aclose())
    loop.close()
    client.close()


def test_interleaved_turns_of_one_and_of_two_round_trips_answer_alike(machine: type[TwoGateways]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=80, stateful_step_count=30))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["next", "repeat", "late", "crash", "acknowledge", "delete", "expire"]),
            st.sampled_from(PROCESSES),
        ),
        max_size=30,
    )
)
def test_one_after_the_other_turns_of_one_and_of_two_round_trips_are_the_same(
    machine: type[TwoGateways], acts: list[tuple[str, int]]
) -> None:
    assert play_acts(machine, acts, recalls=True) == play_acts(machine, acts, recalls=False)


def play_acts(machine: type[TwoGateways], acts: list[tuple[str, int]], *, recalls: bool) -> list[Answer]:
    """Play what happens one after the other; return the answers and, at last, the session and its version."""
    gateways, number, answers = Gateways(machine.scripts, recalls), 0, list[Answer]()
    run = machine.loop.run_until_complete
    for act, process in acts:
        store = gateways.stores[process]
        if act in ("next", "repeat", "late"):
            number += act == "next"
            answers.append(run(gateways.answer(process, max(1, number - (act == "late")))))
        elif act == "crash":
            gateways.crash(process)
        elif act == "acknowledge":
            run(store.acknowledge_reply(gateways.key, len(answers[-1][1].split()) if answers else 0))
        elif act == "delete":
            run(store.delete_session(gateways.key))
        else:
            machine.redis.delete(gateways.redis_key)
    final = run(gateways.stores[0].open(gateways.key, str(number + 1)))
    return [*answers, (f"{final.status} {final.version}", final.session or b"")]
