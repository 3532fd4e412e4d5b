"""Instructions per request by callgrind: immune to whatever else the machine does.

Run: python -m bench.instructions [--redis URL]. Needs valgrind (a Debian package). User-space instructions of
the server only; the load is the known caller's journey of `bench.measure`.
"""

import argparse
import asyncio
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import load
from bench.measure import BARE_STEPS, KNOWN_CALLERS, MENU_STEPS, WEBHOOK_PATH, require_right_answers
from bench.servers import require_clean_log

CONNECTIONS = 8
WARM_UP_JOURNEYS = 60
SETTLING_SECONDS = 10.0
"""Pause before and after the journeys that are counted, in which what is written behind is written."""
PATIENCE = {"BENCH_REDIS_SECONDS": "60", "BENCH_PROFILE_SECONDS": "3600"}
"""Environment of a server that is fifty times as slow as usual: what ends by the clock must last longer."""
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def main() -> None:
    """Count the instructions of both servers and print the ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions")
    parser.add_argument("--journeys", type=int, default=150, help="journeys to count, six requests each")
    parser.add_argument("--redis", default="", help="keep sessions there instead of in memory")
    args = parser.parse_args()
    bare = count_instructions("bare", BARE_STEPS, args.journeys, "")
    ours = count_instructions("ours", MENU_STEPS, args.journeys, args.redis)
    print(f"bare aiohttp, constant reply        {bare / 1000:7.1f} k instructions a request")
    of_bare = f"{bare / ours:.3f} of bare"
    print(f"menus, caller known                 {ours / 1000:7.1f} k instructions a request: {of_bare}")


def count_instructions(which: str, steps: Sequence[load.Step], journeys: int, redis_url: str) -> float:
    """Return the instructions of a server per request of the journeys."""
    with start_counted_server(which, redis_url) as (pid, port, folder):
        _send_journeys(port, steps, WARM_UP_JOURNEYS)
        time.sleep(SETTLING_SECONDS)
        _switch_counting(pid, on=True)
        _send_journeys(port, steps, journeys)
        time.sleep(SETTLING_SECONDS)
        _switch_counting(pid, on=False)
        subprocess.run(["callgrind_control", "-d", str(pid)], check=True, capture_output=True)
        dumps = sorted(folder.glob("counts*"))
        total = sum(
            int(found[1]) for path in dumps for found in TOTALS.finditer(path.read_text(errors="replace"))
        )
    return total / (journeys * len(steps))


@contextmanager
def start_counted_server(which: str, redis_url: str) -> Iterator[tuple[int, int, Path]]:
    """Start a server under callgrind, not counting yet; yield process, port and folder of the counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/counts"]
        command = [*tool, f"--log-file={folder}/valgrind", sys.executable, "-m", "bench.servers"]
        environment = {**os.environ, "PYTHONHASHSEED": "0", **PATIENCE}
        with log.open("wb") as errors:
            child = subprocess.Popen(
                [*command, which, name, redis_url, "0"], stdout=subprocess.PIPE, stderr=errors, env=environment
            )
            try:
                yield child.pid, int(child.stdout.readline() if child.stdout else 0), folder
            finally:
                child.kill()
                child.communicate()
        require_clean_log(log)


def _send_journeys(port: int, steps: Sequence[load.Step], count: int) -> None:
    journey = load.ussd_journey(WEBHOOK_PATH, steps, KNOWN_CALLERS)
    tally = asyncio.run(load.run_journeys(port, journey, itertools.islice(_numbers, count), CONNECTIONS))
    require_right_answers(tally)


_numbers = itertools.count()


def _switch_counting(pid: int, *, on: bool) -> None:
    command = ["callgrind_control", "-i", "on" if on else "off", str(pid)]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
