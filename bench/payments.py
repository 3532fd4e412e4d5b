"""Payment benchmark: the pay screen against the bill screen, on Redis and PostgreSQL, as ratios.

The ratio by this process's processor time is the one to compare: other load on the machine hardly moves it.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.servers import insert_subscribers, subscriber_number
from gateway.demo import startup
from gateway.demo.payfake import payment_settings
from gateway.dialogs.direct_line import DirectLine
from gateway.providers.registry import discover_providers
from gateway.settings import load_settings
from gateway.wiring.container import build_container
from tests.support.server_processes import PostgresServer, RedisServer, run_server

OPERATOR, TRUST = "orange-ro", {"ussd": "line"}
BILL_KEYS, PAY_KEYS = ("1", "1", "1"), ("1", "1", "7")
"""Keys that lead to each screen; the last one is timed."""
MAX_RATIO = 1.3
"""The pay screen may cost so much more: it reads the bill and its payments past every cache."""


@dataclass(frozen=True, slots=True)
class TurnTime:
    """What a turn took: milliseconds by the clock, and of this process's processor time."""

    elapsed: float
    cpu: float


async def measure_screens(database_url: str, redis_url: str, count: int) -> float:
    """Return the processor time of the pay screen by that of the bill screen (medians), and print both."""
    settings = startup.default_settings({}) | {
        "database_url": database_url,
        "redis_url": redis_url,
        "turns_per_minute": 100_000,
    }
    operator = settings["operators"][OPERATOR] | {"payments": payment_settings("http://127.0.0.1:9")}
    settings["operators"] = {OPERATOR: operator}
    async with build_container(load_settings(discover_providers(), Path("none"), {}, settings)) as built:
        await insert_subscribers(built)
        line = DirectLine(built.conversations, built.menu_versions.current_menu(OPERATOR), TRUST)
        return _print_ratio(*await _time_both(line, count))


async def _time_both(line: DirectLine, count: int) -> tuple[list[TurnTime], list[TurnTime]]:
    """Time both screens in turn, each for a caller of its own, whom no cache knows."""
    bills, payments = list[TurnTime](), list[TurnTime]()
    for number in range(count):
        bills.append(await _time_last_key(line, subscriber_number(2 * number), BILL_KEYS, "Factura"))
        payments.append(await _time_last_key(line, subscriber_number(2 * number + 1), PAY_KEYS, "Platiti"))
    return bills, payments


async def _time_last_key(line: DirectLine, caller: str, keys: Sequence[str], words: str) -> TurnTime:
    """Return the time of the last key's turn; ValueError unless it shows the words."""
    await line.dial(caller, "*100#")
    for key in keys[:-1]:
        await line.press(key)
    began, cpu = time.perf_counter(), time.process_time()
    shown = await line.press(keys[-1])
    taken = TurnTime((time.perf_counter() - began) * 1e3, (time.process_time() - cpu) * 1e3)
    if not shown.lines[0].startswith(words):
        raise ValueError(f"not the screen to measure: {shown.lines[0]}")
    return taken


def _print_ratio(bills: Sequence[TurnTime], payments: Sequence[TurnTime]) -> float:
    """Print the medians and their ratios; return the ratio by processor time."""
    ratio = 0.0
    for name, values in {"elapsed": lambda each: each.elapsed, "processor": lambda each: each.cpu}.items():
        bill, payment = median(map(values, bills)), median(map(values, payments))
        ratio = payment / bill
        print(
            f"{name} time: bill screen {bill:.2f} ms, pay screen {payment:.2f} ms (medians): {ratio:.2f} times"
        )
    print(f"by processor time at most {MAX_RATIO}")
    return ratio


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.payments")
    parser.add_argument("--count", type=int, default=300, help="callers of each screen")
    args = parser.parse_args()
    with run_server(PostgresServer) as postgres, run_server(RedisServer) as redis:
        asyncio.run(measure_screens(postgres.create_database("bench"), redis.url, args.count))


if __name__ == "__main__":
    main()
