"""Real Redis and PostgreSQL servers for tests, as child processes on free loopback ports."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

import asyncpg
import pytest

from tests.support.free_ports import free_port

AnyServerProcess = TypeVar("AnyServerProcess", bound="ServerProcess")

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class ProgramMissing(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when a program is not installed on this machine."""


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait in 10 ms steps until a condition holds; TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:g} s still not: {what}")
        time.sleep(0.01)


async def poll_until(holds: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait in 10 ms steps until an awaited condition holds; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


class ServerProcess:
    """A child process that serves one port from one folder; it can be killed, paused and restarted."""

    user: ClassVar[str | None] = None
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_seconds: ClassVar[float] = START_SECONDS

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command_line(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self, pid: int) -> bool:
        """Return whether the child with this pid, and no other process, answers on our port."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, or restart on the same port; return once our own child answers there.

        A child that exits at once is tried again: after `kill` PostgreSQL refuses its first start
        while helpers of the dead one still hold shared memory.
        """
        end = time.monotonic() + self.start_seconds
        while not self._start_once():
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])

    def _start_once(self) -> bool:
        child = self.child = spawn_process(self.command_line(), self.folder / "server.log", self.user)
        seconds = self.start_seconds
        wait_until(lambda: child.poll() is not None or self.is_ready(child.pid), seconds, "server up")
        return child.poll() is None

    def stop(self) -> None:
        """Ask the process to end; kill it after ten seconds."""
        child, self.child = self.child, None
        if child is None:
            return
        child.send_signal(signal.SIGCONT)
        child.send_signal(self.stop_signal)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self) -> None:
        """Send SIGKILL, as a power cut would end it."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def pause(self) -> None:
        """Send SIGSTOP: the socket stays open and nothing answers."""
        assert self.child is not None
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGCONT)


def spawn_process(command: list[str], log: Path, user: str | None) -> subprocess.Popen[bytes]:
    """Start a child that dies with the thread that started it, even when we are killed."""
    owner = run_as_user(user)
    tied = ["setpriv", "--pdeathsig", "KILL", "--", *command] if shutil.which("setpriv") else command
    with log.open("ab") as out:
        groups: list[str] | None = [] if owner else None
        return subprocess.Popen(
            tied, stdout=out, stderr=out, cwd=log.parent, user=owner, group=owner, extra_groups=groups
        )


def run_as_user(user: str | None) -> str | None:
    """Return the account to run as: PostgreSQL refuses root; any other user runs it as themselves."""
    return user if os.geteuid() == 0 else None


class RedisServer(ServerProcess):
    """A Redis without persistence; options are Redis's own, such as `"--maxmemory", "3mb"`."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command_line(self) -> list[str]:
        plain = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        return [find_program("redis-server"), *plain, "--appendonly", "no", *self.options]

    def is_ready(self, pid: int) -> bool:
        return self.is_answering(pid)

    def is_answering(self, pid: int, tls: ssl.SSLContext | None = None) -> bool:
        """Return whether the server that answers is the process with this pid."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as plain:
                with tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain as link:
                    link.sendall(b"INFO server\r\n")
                    return f"process_id:{pid}\r\n".encode() in link.recv(65536)
        except OSError:
            return False


class PostgresServer(ServerProcess):
    """A PostgreSQL cluster of its own, fsync on, loopback trusted."""

    user = "postgres"
    stop_signal = signal.SIGINT

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    @property
    def data_folder(self) -> Path:
        return self.folder / "data"

    def url_of(self, name: str) -> str:
        """Return the URL of one database of this cluster."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def command_line(self) -> list[str]:
        if not self.data_folder.exists():
            self.initialise()
        places = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-k", str(self.data_folder)]
        return [find_program("postgres"), "-D", str(self.data_folder), *places, *self.options]

    def initialise(self) -> None:
        self.folder.chmod(0o755)
        self.data_folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.data_folder, "postgres", "postgres")
        how = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        run_command([find_program("initdb"), "-D", str(self.data_folder), *how], self.folder, self.user)

    def is_ready(self, pid: int) -> bool:
        """Return whether postmaster.pid names this pid (line 1) and the state `ready` (line 8)."""
        with contextlib.suppress(OSError):
            lines = (self.data_folder / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def create_database(self, name: str, like: str = "template1") -> str:
        """Create a database, empty or a copy of another, and return its URL."""
        # copying files costs two thirds of the processor time of the default, which logs each page
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}" STRATEGY FILE_COPY')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and cut the connections to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        """Execute a statement over a connection: starting psql would take three times as long."""

        async def tell() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run_in_own_loop(tell)


def run_in_own_loop(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run a coroutine in a loop of its own, callable where another loop is running."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work())).result()


def skip_missing(program: ProgramMissing) -> NoReturn:
    """Skip a test whose program is missing, loudly; in CI that is a failure."""
    reason = f"LEFT OUT: {program} is not installed (make services)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run_command(command: list[str], folder: Path, user: str | None) -> None:
    owner = run_as_user(user)
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, user=owner, group=owner)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')[-2000:]}")


def find_program(program: str) -> str:
    """Return a program's path, also in Debian's PostgreSQL folders; ProgramMissing when it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    path = shutil.which(program) or next(map(str, debian), None)
    if path is None:
        raise ProgramMissing(program)
    return path


@contextlib.contextmanager
def run_server(kind: type[AnyServerProcess], *options: str) -> Iterator[AnyServerProcess]:
    """Run a server for the duration of the block, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="dialtree-"))
    server = kind(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
