"""Compare the gateway with a bare aiohttp handler: rounds of both, interleaved, as ratios."""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.cases import BenchCase, bare_journey
from bench.load import run_journeys
from bench.measure import WARM_UP_SECONDS, RoundFigures, measure_journey, require_right_answers
from bench.servers import ROOT, ProcessAndPort, start_server
from tests.support.server_processes import ProgramMissing, RedisServer, run_server

RoundPair = tuple[RoundFigures, RoundFigures]
"""The bare server's figures of a round, and ours."""


class MeasuredPlace(NamedTuple):
    """What a row of the table is about."""

    case: str
    name: str
    store: str
    """Where sessions are: `memory` or `redis`."""
    connections: int


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """One case over all rounds: medians, and the ratios to the bare server of the same round."""

    case: str
    name: str
    store: str
    connections: int
    cpu_microseconds: float
    """Processor time a request."""
    p99_milliseconds: float
    ratio: float
    """Median of the rounds' ratios: the bare server's processor time a request by ours."""
    lowest_ratio: float
    highest_ratio: float
    p99_factor: float
    """Our 99th percentile of latency by the bare server's."""
    instructions: float | None = None
    """Instructions a request, counted by callgrind; None where they were not."""
    instruction_ratio: float | None = None
    """The bare server's instructions a request by ours."""


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """How much is measured: so many rounds of so many seconds, with each number of connections."""

    rounds: int
    seconds: float
    connections: Sequence[int]


@dataclass(frozen=True, slots=True)
class ComparedServers:
    """The bare server, and a gateway for each place of sessions, all of one source tree."""

    bare: ProcessAndPort
    gateways: Mapping[str, ProcessAndPort]
    tree: Path = ROOT

    def select_pairs(self, cases: Sequence[BenchCase]) -> list[tuple[BenchCase, str]]:
        """Return each case with each place of sessions it is measured with."""
        return [(case, store) for case in cases for store in case.stores if store in self.gateways]


@contextmanager
def find_store_urls(stores: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the URL of Redis by place of sessions, empty for memory; a Redis of our own runs meanwhile."""
    with ExitStack() as stack:
        urls = {"memory": ""} if "memory" in stores else {}
        if "redis" in stores:
            try:
                urls["redis"] = stack.enter_context(run_server(RedisServer)).url
            except ProgramMissing as missing:
                report_left_out("sessions in Redis", f"{missing} is not installed")
        yield urls


@contextmanager
def start_compared(urls: Mapping[str, str], tree: Path = ROOT) -> Iterator[ComparedServers]:
    """Start all servers of a comparison on the first core, and keep the load generator on the second."""
    os.sched_setaffinity(0, {1})
    with ExitStack() as stack:
        bare = stack.enter_context(start_server("bare", 0, tree=tree))
        gateways = {
            store: stack.enter_context(start_server("ours", 0, url, tree=tree)) for store, url in urls.items()
        }
        yield ComparedServers(bare, gateways, tree)


def measure_cases(servers: ComparedServers, cases: Sequence[BenchCase], plan: RoundPlan) -> list[CaseFigures]:
    """Return the figures of every case, place of sessions and number of connections."""
    ready = [case for case in cases if _warm_up(servers, case, plan)]
    pairs: dict[MeasuredPlace, list[RoundPair]] = {}
    for _, connections in itertools.product(range(plan.rounds), plan.connections):
        for case, store, both in _measure_round(servers, ready, connections, plan.seconds):
            place = MeasuredPlace(case.key, case.name, store, connections)
            pairs.setdefault(place, []).append(both)
    return [summarise_case(place, rounds) for place, rounds in pairs.items()]


def _warm_up(servers: ComparedServers, case: BenchCase, plan: RoundPlan) -> bool:
    """Load every server of a case for a moment, uncounted; return whether all answered as they must.

    A wrong answer ends the run; of another release's tree it leaves the case out, which is said.
    """
    try:
        for _, store in servers.select_pairs([case]):
            _load_server(servers.gateways[store], case, plan.connections[0], WARM_UP_SECONDS)
        _load_bare(servers, case, plan.connections[0], WARM_UP_SECONDS)
    except SystemExit as wrong:
        if servers.tree == ROOT:
            raise
        report_left_out(case.name, str(wrong))
        return False
    return True


def _measure_round(
    servers: ComparedServers, cases: Sequence[BenchCase], connections: int, seconds: float
) -> Iterator[tuple[BenchCase, str, RoundPair]]:
    """Measure each kind's bare requests, then its cases, so that other load of the machine hits both."""
    for _, group in itertools.groupby(cases, key=lambda case: case.request_kind):
        of_kind = list(group)
        bare = _load_bare(servers, of_kind[0], connections, seconds)
        for case, store in servers.select_pairs(of_kind):
            call_as_known_callers(servers.gateways[store], case, connections)
            yield case, store, (bare, _load_server(servers.gateways[store], case, connections, seconds))


def call_as_known_callers(server: ProcessAndPort, case: BenchCase, connections: int) -> None:
    """Let each known caller of a case walk its journey once, so that all are known in what follows."""
    some = itertools.islice(case.numbers, case.known_callers)
    require_right_answers(asyncio.run(run_journeys(server[1], case.journey, some, connections)))


def _load_server(server: ProcessAndPort, case: BenchCase, connections: int, seconds: float) -> RoundFigures:
    return measure_journey([server], case.journey, case.numbers, connections, seconds)


def _load_bare(servers: ComparedServers, case: BenchCase, connections: int, seconds: float) -> RoundFigures:
    journey = bare_journey(case.journey)
    return measure_journey([servers.bare], journey, itertools.count(), connections, seconds)


def summarise_case(place: MeasuredPlace, rounds: Sequence[RoundPair]) -> CaseFigures:
    """Return the figures of a case; ratios are formed within a round."""
    ratios = [bare.cpu / own.cpu for bare, own in rounds]
    return CaseFigures(
        *place,
        cpu_microseconds=median(own.cpu for _, own in rounds),
        p99_milliseconds=median(own.p99 for _, own in rounds),
        ratio=median(ratios),
        lowest_ratio=min(ratios),
        highest_ratio=max(ratios),
        p99_factor=median(own.p99 / bare.p99 for bare, own in rounds),
    )


def report_left_out(what: str, reason: str) -> None:
    """Say loudly that something is not measured."""
    print(f"LEFT OUT: {what}: {reason}", file=sys.stderr, flush=True)
