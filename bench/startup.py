"""Start-up benchmark: processor time to load many packs, before and after they have been checked; help; memory.

Run: python -m bench.startup [--packs 200]
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.publishing import pack_compiler

OPERATOR = "orange-ro"
HELP_COMMANDS = ("", "dial", "serve", "outbox list")
SERVERS = {
    "SQLite": ("gateway.server.app",),
    "PostgreSQL": ("gateway.server.app", "storage.sql.postgres"),
    "PostgreSQL and Redis": ("gateway.server.app", "storage.sql.postgres", "storage.sessions.connect"),
}
"""Modules that a server has loaded before the first request, by its stores."""
LOAD = """
import json, resource, sys, time
from pathlib import Path
from importlib import import_module
for module in sys.argv[3:]:
    import_module(module)
from gateway.publishing import pack_compiler
from gateway.publishing.checked_packs import checked_packs
names = pack_compiler.shipped_operators(Path(sys.argv[1]))
load = checked_packs({"XDG_CACHE_HOME": sys.argv[2]}).load_menu
pack_compiler.load_menus(names, sys.argv[1], load=load)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([time.process_time(), usage.ru_maxrss / 1024]))
"""


def copy_packs(folder: Path, count: int) -> None:
    """Copy one pack for so many operators."""
    source = pack_compiler.pack_folder(OPERATOR)
    for number in range(count):
        name = f"operator-{number}"
        copied = Path(shutil.copytree(source, pack_compiler.pack_folder(name, folder))) / "pack.yaml"
        copied.write_text(copied.read_text().replace(OPERATOR, name))


def measure_load(packs: Path, cache: Path, *modules: str) -> tuple[float, float]:
    """Return processor time in seconds and peak memory in MB of a process that loads the packs and modules."""
    done = subprocess.run([sys.executable, "-c", LOAD, packs, cache, *modules], capture_output=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def measure_help(command: str) -> float:
    """Return the processor time in seconds that the help of a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "gateway", *command.split(), "--help"]
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup")
    parser.add_argument("--packs", type=int, default=200)
    count = parser.parse_args().packs
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in HELP_COMMANDS:
        measure_help(command)  # compiled now, as an installed command is
        print(f"dialtree {command} --help: {measure_help(command):.2f} s of CPU")
    with tempfile.TemporaryDirectory() as folder:
        packs, cache, began = Path(folder) / "packs", Path(folder) / "cache", time.perf_counter()
        copy_packs(packs, count)
        print(f"{count} packs copied in {time.perf_counter() - began:.1f} s")
        for name in ("not checked before", "checked before"):
            seconds, megabytes = measure_load(packs, cache)
            print(f"{count} packs {name}: {seconds:.2f} s of CPU, {megabytes:.0f} MB")
        measure_load(pack_compiler.OPERATORS, cache)
        for stores, modules in SERVERS.items():
            seconds, megabytes = measure_load(pack_compiler.OPERATORS, cache, *modules)
            print(f"server on {stores}, shipped packs: {seconds:.2f} s of CPU, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
