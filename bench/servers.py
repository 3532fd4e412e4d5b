"""Servers under measurement, each in a process of its own on one core."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from aiohttp import web
from sqlalchemy import Connection, insert

from flows.engine import subscriber_cache
from gateway.demo import startup
from gateway.http import listening
from gateway.observability import logging
from gateway.providers.registry import discover_providers
from gateway.server import app
from gateway.server.garbage_collection import tune_garbage_collector
from gateway.settings import Settings, load_settings
from gateway.wiring.container import Container, build_container
from storage.sql.tables import billing_bills, billing_subscribers

CALLER_COUNT = 20_000
"""Subscribers of the benchmark: more than a run uses, so that every journey meets a cold cache."""
ProcessAndPort = tuple[int, int]
"""A server's process id and port."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


async def run_bare_server() -> None:
    """Serve the ceiling: aiohttp as its documentation begins, with a constant reply."""

    async def handle(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(text="CON Bine ati venit la Orange!\n1 Buget\n0 Iesire")

    application = web.Application()
    application.router.add_post("/hooks/{operator}/{provider}/{tail:.+}", handle)
    async with listening.serve_app(application, "127.0.0.1", 0) as port:
        print(port, flush=True)
        await asyncio.Event().wait()


async def run_gateway(folder: Path, redis_url: str, port: int) -> None:
    """Serve the gateway with every protection on; on a port of its own choice, or sharing this one."""
    logging.configure_logging()
    settings = {
        **startup.default_settings({}),
        "database_url": f"sqlite:///{folder}/bench.db",
        "redis_url": redis_url,
        "turns_per_minute": 6000,
    }
    valid = load_settings(discover_providers(), Path("none"), {}, settings)
    _remember_profiles()
    async with build_container(_with_redis_patience(valid)) as built:
        await insert_subscribers(built)
        tune_garbage_collector()
        async with listening.serve_app(app.public_app(built), "127.0.0.1", port, share_port=True) as port:
            print(port, flush=True)
            await asyncio.Event().wait()


def _with_redis_patience(settings: Settings) -> Settings:
    """Return the settings with the time-out of Redis in BENCH_REDIS_SECONDS, longer than a setting may be.

    Under callgrind a server stands still for seconds as counting begins, and every call of that moment would
    count as a failure of Redis.
    """
    seconds = os.environ.get("BENCH_REDIS_SECONDS")
    return settings.model_copy(update={"redis_seconds": float(seconds)}) if seconds else settings


def _remember_profiles() -> None:
    """Keep callers' profiles for BENCH_PROFILE_SECONDS instead of half a minute.

    Under callgrind, where a turn takes fifty times as long, a known caller would not be known any more.
    """
    seconds = os.environ.get("BENCH_PROFILE_SECONDS")
    if seconds:
        subscriber_cache.CACHE_LIFETIME = timedelta(seconds=float(seconds))


async def insert_subscribers(built: Container) -> None:
    """Insert the benchmark's subscribers, each with one unpaid bill."""

    def job(connection: Connection) -> None:
        connection.execute(
            insert(billing_subscribers), [_subscriber_row(number) for number in range(CALLER_COUNT)]
        )
        connection.execute(insert(billing_bills), [_bill_row(number) for number in range(CALLER_COUNT)])

    await built.database.write(job, seconds=60)


def subscriber_number(number: int) -> str:
    """Return the phone number of a subscriber."""
    return f"+4074{number:07}"


def _subscriber_row(number: int) -> dict[str, object]:
    return {
        "operator": "orange-ro",
        "id": f"s{number}",
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
        "operator": "orange-ro",
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
def start_server(which: str, core: int, redis_url: str = "", port: int = 0) -> Iterator[ProcessAndPort]:
    """Start a server on a core; with `port`, it shares that port with others."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as errors:
        command = [sys.executable, "-m", "bench.servers", which, folder, redis_url, str(port)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            os.sched_setaffinity(child.pid, {core})
            yield child.pid, int(child.stdout.readline() if child.stdout else 0)
        finally:
            child.kill()
            child.communicate()
        require_clean_log(Path(folder) / "log")


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
    asyncio.run(run_bare_server() if which == "bare" else run_gateway(Path(folder), redis_url, int(port)))
