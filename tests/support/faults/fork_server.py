"""Fork server for fault tests: imports everything once and forks gateway processes quickly.

It reads one JSON command a line and answers one line: `{"start": role, "settings": {...}, "point":
"kill@handed", "ahead": seconds, "log": path}` with the pid (the clock is so far ahead), `{"wait": pid}` with
the exit status (negative: the signal). Its children end with it.
"""

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gateway.clock import MonotonicClock
from gateway.observability import logging
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.server import app, link_role
from gateway.settings import load_settings
from gateway.wiring.container import Container, build_container
from gateway.wiring.operators import Overrides
from menus.machine.menu import Menu
from storage.credentials.passwords import SqlPasswords
from tests.support.databases import CHEAP_HASHER
from tests.support.faults.failpoints import arm_failpoint
from tests.support.faults.payment_life import run_payment_life, run_payment_tasks

PR_SET_PDEATHSIG = 1


class ShiftedClock(MonotonicClock):
    """The gateway's own clock, so much ahead."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__()
        self.ahead = ahead

    def __call__(self) -> datetime:
        return super().__call__() + self.ahead


def with_newer_revision(built: Container) -> Container:
    """Publish the same menus under a newer revision, as a deploy does while sessions are live."""
    shelf = built.menu_versions
    for name in built.settings.operators:
        shelf.publish(replace(shelf.current_menu(name), revision="newer"))
    return built


ROLES: Mapping[str, Callable[[Container], Awaitable[None]]] = {
    "worker": app.run_worker,
    "link": link_role.run_links,
    "web": lambda built: app.serve(built, app.ProcessRole()),
    "newer": lambda built: app.serve(with_newer_revision(built), app.ProcessRole()),
    "payments": run_payment_life,
    "payment_tasks": run_payment_tasks,
    "both": lambda built: app.serve(built, app.ProcessRole(delivers=True)),
}


async def run_gateway(command: Mapping[str, Any], menus: Mapping[str, Menu]) -> None:
    """Run what `dialtree serve` and `dialtree worker` run, with a failpoint in it."""
    told = load_settings(discover_providers(), Path("none"), {}, command["settings"])
    passwords = partial(SqlPasswords, hasher=CHEAP_HASHER)
    given = Overrides(now=ShiftedClock(timedelta(seconds=command["ahead"])), passwords=passwords)

    def load(folder: Path) -> Menu:
        """Return a pack's menu, compiled before the fork for the operator that most tests use."""
        return menus.get(folder.name) or pack_compiler.compile_pack(folder)

    async with build_container(told, overrides=given, load=load) as built:
        await ROLES[command["start"]](arm_failpoint(built, command["point"]))


def fork_gateway(command: Mapping[str, Any], menus: Mapping[str, Menu]) -> int:
    """Fork a gateway and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with Path(command["log"]).open("ab", buffering=0) as out, Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        logging.configure_logging()
        asyncio.run(run_gateway(command, menus))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Answer commands until standard input ends."""
    menus = {
        pack_compiler.pack_folder(name).name: pack_compiler.compile_pack(pack_compiler.pack_folder(name))
        for name in ("orange-ro",)
    }
    discover_providers()  # imports the providers' packages, once for all gateways
    gc.freeze()
    print("ready", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            command = json.loads(line)
            if "wait" in command:
                print(os.waitstatus_to_exitcode(os.waitpid(command["wait"], 0)[1]), flush=True)
            else:
                print(fork_gateway(command, menus), flush=True)


if __name__ == "__main__":
    main()
