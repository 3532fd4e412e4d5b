"""Programs and servers of the machine for tests, which are skipped, loudly, where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server_processes import (
    AnyServerProcess,
    ProgramMissing,
    find_program,
    run_server,
    skip_missing,
)


def find_or_skip(program: str) -> str:
    """Return a program's path; skip the test (in CI: fail) when it is not installed."""
    try:
        return find_program(program)
    except ProgramMissing as missing:
        skip_missing(missing)


@contextmanager
def run_installed(kind: type[AnyServerProcess], *options: str) -> Iterator[AnyServerProcess]:
    """Run a server for the duration of the block; skip the test when it is not installed."""
    try:
        with run_server(kind, *options) as server:
            yield server
    except ProgramMissing as missing:
        skip_missing(missing)
