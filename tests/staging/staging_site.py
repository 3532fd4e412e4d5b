"""Everything a drill runs on: PostgreSQL, Redis, the gateway's roles, Prometheus, a provider and billing."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flows.domain.records import Secret
from gateway.console.user_file import UserFile, build_user
from gateway.demo.bss.bss_servers import tmf_settings
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.fault_modes import PUBLISHED_TMF_HABITS
from gateway.demo.bss.tmf_server import TmfBss
from gateway.http.listening import serve_app
from storage.console.sign_in_attempts import hash_staff_password
from storage.demo.world import build_operator_rows
from tests.staging.compose_services import (
    ROOT,
    ComposeRedis,
    ComposeRole,
    compose_command,
    compose_environment,
    gateway_command,
)
from tests.staging.drill_scale import DrillScale
from tests.staging.prometheus_server import PrometheusServer
from tests.staging.staging_provider import StagingTwilio
from tests.support.faults.gateway_processes import AUTH_TOKEN, HOOK_TOKEN, SECRET
from tests.support.free_ports import free_port
from tests.support.server_processes import PostgresServer, ServerProcess, find_program, run_command

OPERATOR = "orange-ro"
STAFF, STAFF_PASSWORD = "ioana", "correct horse battery"
CLIENT_ID, CLIENT_SECRET = "dialtree", "b41d7c0e5f9a263884e1"
ROLES = ("serve", "serve", "worker", "worker", "console")
"""The gateway's processes: two of each that compose.yaml scales, and the support console."""
PROGRAMS = ("postgres", "redis-server", "prometheus")
BILLING_HABITS = PUBLISHED_TMF_HABITS | {"own_limit", "past_end_404", "null_expiry"}
"""Fault modes of the billing system: what such servers do every day."""
CONFIG = f"""
turns_per_minute = 6000
[console]
public_url = "http://127.0.0.1"
port = CONSOLE_PORT
users_file = "USERS_FILE"
[operators.{OPERATOR}]
routes = {{sms = ["twilio"]}}
billing = "tmf678+BILLING_URL"
bss = BSS_TABLE
[operators.{OPERATOR}.twilio]
account_sid = "AC0"
auth_token = "{AUTH_TOKEN}"
sender = "+40700000477"
api_url = "PROVIDER_URL"
[operators.{OPERATOR}.africastalking]
username = "sandbox"
api_key = "atsk-4f1d0c9a7be25863"
hook_token = "{HOOK_TOKEN}"
"""
ReportStep = Callable[[str, str], None]
"""Tells of a step of a drill and of what was seen."""


@dataclass
class StagingSite:
    """The running parts of a drill."""

    provider: StagingTwilio
    billing: BssRecords
    roles: list[ComposeRole] = field(default_factory=list)
    prometheus: PrometheusServer = field(init=False)
    console_url: str = ""

    @property
    def webs(self) -> list[ComposeRole]:
        """The serving processes."""
        return [role for role in self.roles if role.role == "serve"]

    def last_log_lines(self, line_count: int = 5) -> list[str]:
        """Return the newest lines that each process of the gateway wrote."""
        logs = [(role.role, (role.folder / "server.log").read_text()) for role in self.roles]
        return [f"{role}: {line}" for role, text in logs for line in text.splitlines()[-line_count:]]


@asynccontextmanager
async def run_staging(scale: DrillScale, report: ReportStep) -> AsyncIterator[StagingSite]:
    """Start everything and yield it; stop it in the opposite order and delete its folder.

    Raises ProgramMissing before anything is started.
    """
    for program in PROGRAMS:
        find_program(program)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        provider = await stack.enter_async_context(StagingTwilio())
        billing = BssRecords(build_operator_rows(OPERATOR, datetime.now(UTC)), faults={*BILLING_HABITS})
        bss = TmfBss(billing, "v4", CLIENT_ID, CLIENT_SECRET).create_app()
        billing_port = await stack.enter_async_context(serve_app(bss, "127.0.0.1", 0))
        site = StagingSite(provider, billing)
        environment = start_stores(stack, folder)
        report("stores", "postgres, redis")
        write_settings(site, folder, f"http://127.0.0.1:{billing_port}")
        run_command(gateway_command(environment, *compose_command("upgrade")), folder, None)
        await start_roles(stack, site, folder, environment)
        start_prometheus(stack, site, folder, scale)
        reporting = asyncio.create_task(provider.send_reports())
        stack.callback(reporting.cancel)
        report("started", ", ".join([*ROLES, "prometheus"]))
        yield site


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's user may pass through; it is deleted with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="dialtree-staging-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def start_server(stack: AsyncExitStack, server: ServerProcess) -> None:
    """Start a server in its folder; it is stopped with the stack, also when its start fails."""
    server.folder.mkdir(exist_ok=True)
    stack.callback(server.stop)
    server.start()


def start_stores(stack: AsyncExitStack, folder: Path) -> dict[str, str]:
    """Start PostgreSQL and Redis; return the environment of the gateway's processes."""
    postgres, redis = PostgresServer(folder / "postgres"), ComposeRedis(folder / "redis")
    start_server(stack, postgres)
    start_server(stack, redis)
    given = {
        "DATABASE_URL": postgres.create_database("dialtree"),
        "REDIS_URL": redis.url,
        "DIALTREE_PUBLIC_URL": "https://gw.example.net",
        "DIALTREE_SECRET_KEY": SECRET,
        "DIALTREE_CONFIG": str(folder / "dialtree.toml"),
    }
    return compose_environment(given) | {"HOME": str(folder)}


def write_settings(site: StagingSite, folder: Path, billing_url: str) -> None:
    """Write the settings file, with what the containers' file has, and the console's file of users."""
    users, port = folder / "users.json", free_port()
    site.console_url = f"http://127.0.0.1:{port}"
    hashed = hash_staff_password(Secret(STAFF_PASSWORD))
    UserFile(users).save_user(build_user(STAFF, hashed, ["support", "operations"], [OPERATOR]))
    bss = tmf_settings(site.billing) | {
        "token_url": f"{billing_url}/token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in bss.items())
    values = {
        "CONSOLE_PORT": str(port),
        "USERS_FILE": str(users),
        "BILLING_URL": billing_url,
        "BSS_TABLE": f"{{{table}}}",
        "PROVIDER_URL": site.provider.url,
    }
    text = (ROOT / "deploy" / "dialtree.toml").read_text() + CONFIG
    for name, value in values.items():
        text = text.replace(name, value)
    (folder / "dialtree.toml").write_text(text)


async def start_roles(
    stack: AsyncExitStack, site: StagingSite, folder: Path, environment: dict[str, str]
) -> None:
    """Start the gateway's processes, which drain together in the end; Ctrl-C ends it between two of them."""
    stack.callback(stop_all, site.roles)
    for number, role in enumerate(ROLES):
        await asyncio.sleep(0)
        process = ComposeRole(folder / f"{role}{number}", role)
        process.environment = environment
        process.folder.mkdir()
        site.roles.append(process)
        process.start()
    site.provider.gateway_ports += [web.port for web in site.webs]


def stop_all(processes: Sequence[ComposeRole]) -> None:
    """Ask all to end, so that they drain at the same time, and wait for each."""
    for process in processes:
        if process.child is not None:
            process.child.send_signal(process.stop_signal)
    for process in processes:
        process.stop()


def start_prometheus(stack: AsyncExitStack, site: StagingSite, folder: Path, scale: DrillScale) -> None:
    """Start Prometheus with the project's alerts and scrape config, which asks every process."""
    site.prometheus = PrometheusServer(folder / "prometheus")
    site.prometheus.folder.mkdir()
    targets: dict[str, list[str]] = {}
    for process in site.roles:
        targets.setdefault(process.role, []).append(process.internal_address)
    scale.write_files(ROOT / "deploy" / "prometheus", site.prometheus.folder, targets)
    start_server(stack, site.prometheus)
