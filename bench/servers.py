"""Servers under measurement, each in a process of its own on one core."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, insert

from flows.domain.records import ChangeSet, MagicLink, Secret
from flows.engine import subscriber_cache
from flows.engine.deadlines import TimeBudgets
from gateway.demo import startup
from gateway.http import listening
from gateway.observability import logging
from gateway.providers.registry import discover_providers
from gateway.server import app
from gateway.settings import Settings, load_settings
from gateway.wiring.container import Container, build_container
from gateway.wiring.operators import Overrides
from storage.sql.tables import billing_bills, billing_subscribers

try:
    from gateway.server.garbage_collection import tune_garbage_collector
except ImportError:  # this file also runs on the tree of release 0.2.0
    from gateway.server.app import tune_garbage_collector  # type: ignore[attr-defined]

CALLER_COUNT = 20_000
"""Subscribers of the benchmark: more than a run uses, so that every journey meets a cold cache."""
ROOT = Path(__file__).parents[1]
OPERATOR = "orange-ro"
PUBLIC_URL = "http://127.0.0.1:8080"
SECRET_KEY = "a key for the benchmark, and for nothing else anywhere"
LINK_COUNT = 100
"""Links to the address page; looking behind one does not use it up."""
BARE_REPLY = "CON Bine ati venit la Orange!\n1 Buget\n0 Iesire"
BARE_WORDS = b"Bine ati venit"
"""Words of the bare server's constant reply."""
ProcessAndPort = tuple[int, int]
"""A server's process id and port."""
PATIENCE_VARIABLE = "BENCH_PATIENCE_SECONDS"
NO_VARIABLES: Mapping[str, str] = {}
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


async def run_bare_server() -> None:
    """Serve the ceiling: aiohttp as its documentation begins, with a constant reply."""

    async def handle(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(text=BARE_REPLY)

    application = web.Application()
    application.router.add_post("/hooks/{operator}/{provider}/{tail:.+}", handle)
    application.router.add_route("*", "/{operator}/{page}", handle)
    async with listening.serve_app(application, "127.0.0.1", 0) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """What a gateway under measurement serves, and where it keeps what it stores."""

    database_url: str
    redis_url: str = ""
    operators: Sequence[str] = ()
    """Operators it serves, with subscribers; none for all shipped ones, with subscribers and links of one."""
    packs: str = ""
    """Folder of packs beside the shipped ones."""

    def build_settings(self) -> dict[str, Any]:
        """Return the demo's settings with every protection on, and limits that the load does not meet."""
        operators = dict.fromkeys(self.operators, startup.OPERATOR_DEFAULTS)
        return {
            **startup.default_settings({}),
            **({"operators": operators} if operators else {}),
            "packs": self.packs,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "turns_per_minute": 100_000,
            "public_url": PUBLIC_URL,
            "secret_key": SECRET_KEY,
            "trusted_proxies": ["127.0.0.1/32"],
        }


async def run_gateway(place: GatewayPlace, port: int) -> None:
    """Serve the gateway with every protection on; on a port of its own choice, or sharing this one."""
    logging.configure_logging()
    valid = load_settings(discover_providers(), Path("none"), {}, place.build_settings())
    async with build_container(_with_redis_patience(valid), overrides=_with_patience()) as built:
        for operator in place.operators or (OPERATOR,):
            await insert_subscribers(built, operator)
        if not place.operators:
            await insert_links(built)
        tune_garbage_collector()
        async with listening.serve_app(app.public_app(built), "127.0.0.1", port, share_port=True) as port:
            print(port, flush=True)
            await asyncio.Event().wait()


def _with_redis_patience(settings: Settings) -> Settings:
    """Return the settings with a longer time-out of Redis: BENCH_PATIENCE_SECONDS, by default a second.

    On a busy machine Redis waits for its core for longer than a turn may, and the turn would be served from
    memory. Under callgrind a server stands still for seconds as counting begins.
    """
    return settings.model_copy(update={"redis_seconds": float(os.environ.get(PATIENCE_VARIABLE, "1"))})


def _with_patience() -> Overrides:
    """Return overrides with BENCH_PATIENCE_SECONDS for every action, where the variable is set.

    Callers' profiles are then kept for an hour instead of half a minute: under callgrind, where a turn takes
    fifty times as long, a known caller would not be known any more.
    """
    if PATIENCE_VARIABLE not in os.environ:
        return Overrides()
    subscriber_cache.CACHE_LIFETIME = timedelta(hours=1)
    seconds = float(os.environ[PATIENCE_VARIABLE])
    return Overrides(time_budgets=TimeBudgets(seconds, seconds, seconds))


async def insert_subscribers(built: Container, operator: str = OPERATOR) -> None:
    """Insert the benchmark's subscribers, each with one unpaid bill."""
    people = [_subscriber_row(operator, number) for number in range(CALLER_COUNT)]
    bills = [_bill_row(number) | {"operator": operator} for number in range(CALLER_COUNT)]

    def job(connection: Connection) -> None:
        connection.execute(insert(billing_subscribers), people)
        connection.execute(insert(billing_bills), bills)

    await built.database.write(job, seconds=60)


async def insert_links(built: Container) -> None:
    """Insert the links of the visitors of the page, good for a day."""
    now = built.clock()
    links = tuple(
        MagicLink(
            Secret(link_token(number)),
            "address",
            OPERATOR,
            subscriber_id(OPERATOR, number),
            f"a{number}",
            now + timedelta(days=1),
        )
        for number in range(LINK_COUNT)
    )
    change = ChangeSet("bench/links", OPERATOR, subscriber_id(OPERATOR, 0), now, links=links)
    await built.operators[OPERATOR].ledger.commit(change)


def link_token(number: int) -> str:
    """Return the token of a visitor's link."""
    return f"bench-link-{number:032}"


def subscriber_id(operator: str, number: int) -> str:
    """Return the id of a subscription, which no other operator's has."""
    return f"{operator}/s{number}"


def subscriber_number(number: int) -> str:
    """Return the phone number of a subscriber."""
    return f"+4074{number:07}"


def _subscriber_row(operator: str, number: int) -> dict[str, object]:
    return {
        "operator": operator,
        "id": subscriber_id(operator, number),
        "msisdn": subscriber_number(number),
        "account": f"a{number}",
        "name": "Bench",
        "kind": "mobile",
        "segment": "residential",
        "language": "ro",
        "since": date(2020, 1, 1),
        "media": "paper",
    }


def _bill_row(number: int) -> dict[str, object]:
    today = datetime.now(UTC).date().replace(day=1)
    return {
        "id": f"b{number}",
        "number": f"b{number}",
        "account": f"a{number}",
        "issued": today,
        "due": today,
        "total": Decimal("79.90"),
        "tax": Decimal("13.87"),
        "remaining": Decimal("79.90"),
    }


@contextmanager
def start_server(
    which: str, core: int, redis_url: str = "", port: int = 0, tree: Path = ROOT
) -> Iterator[ProcessAndPort]:
    """Start a server of a source tree on a core; with `port`, it shares that port with others."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*server_command(tree), which, folder, redis_url, str(port)]
        with run_server_process(command, core, tree, Path(folder) / "log") as started:
            yield started


@contextmanager
def run_server_process(
    command: Sequence[str], core: int | None, tree: Path, log: Path, variables: Mapping[str, str] = NO_VARIABLES
) -> Iterator[ProcessAndPort]:
    """Run a process that prints its port, on a core or on any; further variables join the environment.

    SystemExit when its log has what must not be there.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree), **variables}
    with log.open("wb") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=tree, env=environment)
        try:
            if core is not None:
                os.sched_setaffinity(child.pid, {core})
            yield child.pid, _read_port(child, log)
        finally:
            child.kill()
            child.communicate()
    require_clean_log(log)


def _read_port(child: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port a server prints once it serves; SystemExit with the end of its log when it ended."""
    line = child.stdout.readline() if child.stdout else b""
    if not line.strip():
        raise SystemExit(f"the server did not start: {log.read_text(errors='replace')[-600:]}")
    return int(line)


def server_command(tree: Path) -> list[str]:
    """Return the command that runs this file on the gateway of a source tree, in that tree's environment."""
    python = sys.executable if tree == ROOT else str(tree / ".venv" / "bin" / "python")
    return [python, "-P", __file__]


def require_clean_log(path: Path) -> None:
    """Raise SystemExit when a server logged a warning or an error.

    Sessions that fell back to memory say so there, and so does everything a subscriber would not be served by.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    bad = [line for line in lines if not _is_harmless(line)]
    if bad:
        raise SystemExit(
            f"the server logged {len(bad)} lines that must not be there, the first: {bad[0][:300]}"
        )


def _is_harmless(line: str) -> bool:
    """Return whether a line is a JSON record below a warning; anything else is a traceback or worse."""
    try:
        return str(json.loads(line)["level"]).lower() in ("debug", "info")
    except (ValueError, KeyError, TypeError):
        return not line.strip()


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


if __name__ == "__main__":
    which, folder, redis_url, port = sys.argv[1:]
    place = GatewayPlace(f"sqlite:///{folder}/bench.db", redis_url)
    asyncio.run(run_bare_server() if which == "bare" else run_gateway(place, int(port)))
