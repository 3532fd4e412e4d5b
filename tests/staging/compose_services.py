"""The services of compose.yaml as processes of this machine: the same commands, other ports and folders."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway.console.console_server import CONSOLE_OFFSET
from gateway.server.internal_listener import SERVER_OFFSET, WORKER_OFFSET
from tests.staging.prometheus_server import answers_ok
from tests.support.free_ports import free_port
from tests.support.server_processes import RedisServer, ServerProcess, find_program

ROOT = Path(__file__).parents[2]
SERVICES: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
INTERNAL_OFFSETS: Mapping[str, int] = {
    "serve": SERVER_OFFSET,
    "worker": WORKER_OFFSET,
    "console": CONSOLE_OFFSET,
}
"""Distance of a role's internal listener from `PORT`."""
LEFT_OUT: Mapping[str, str] = {
    "link": "no connection to a network is configured",
    "mail": "the drill's subscribers have SMS",
    "grafana": "not in Debian; its queries are asked of Prometheus",
}
"""Services of compose.yaml that a drill does not start, and why."""


def compose_command(service: str) -> list[str]:
    """Return the words after the program's name that compose.yaml starts a service with."""
    command = SERVICES[service]["command"]
    return shlex.split(command) if isinstance(command, str) else [*command]


class ComposeRedis(RedisServer):
    """Redis with the options of compose.yaml: its log on."""

    def command_line(self) -> list[str]:
        program, *_ = super().command_line()
        places = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [program, *places, *compose_command("redis")[1:]]


class ComposeRole(ServerProcess):
    """A process of the gateway, started with the command of its role in compose.yaml."""

    start_seconds = 120.0
    """It checks its menus first, which takes a while on a busy machine."""

    def __init__(self, folder: Path, role: str) -> None:
        super().__init__(folder, *compose_command(role))
        self.role = role
        self.port = free_port(*INTERNAL_OFFSETS.values())
        self.environment: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def internal_address(self) -> str:
        """Host and port of its internal listener, as Prometheus is told them."""
        return f"127.0.0.1:{self.port + INTERNAL_OFFSETS[self.role]}"

    def command_line(self) -> list[str]:
        given = self.environment | {"PORT": str(self.port)}
        return gateway_command(given, *self.options)

    def is_ready(self, pid: int) -> bool:
        return answers_ok(f"http://{self.internal_address}/healthz")


def gateway_command(environment: Mapping[str, str], *words: str) -> list[str]:
    """Return the command line of `dialtree WORDS` with this environment and nothing of ours in it."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    variables = [f"{name}={value}" for name, value in given.items()]
    return [find_program("env"), "-i", *variables, sys.executable, "-m", "gateway", *words]


def compose_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables compose.yaml gives every role, with these values in the place of its own.

    KeyError when it gives one that has no value here.
    """
    return {name: values[name] for name in SERVICES["serve"]["environment"]}
