"""Command line entry point of `dialtree`: runs a command and returns its exit status."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer import Option
from typer.main import get_command

from flows.domain.failures import Unavailable
from gateway.cli.commands import app
from gateway.cli.error_output import print_error
from menus.model.user_error import UserError

EXIT_INCOMPLETE, EXIT_UNUSABLE, EXIT_INTERRUPTED = 1, 2, 130
"""Exit status: not all was done (the database does not answer, a pipe was closed), unusable input, Ctrl-C."""


def main() -> None:
    """Run the command on `sys.argv` and exit with its status."""
    sys.exit(run_piped(sys.argv[1:]))


def run_piped(words: Sequence[str]) -> int:
    """Run a command and return its exit status: EXIT_INCOMPLETE if the reader of its output has left."""
    try:
        status = run_command(words)
        sys.stdout.flush()
    except BrokenPipeError:
        status = EXIT_INCOMPLETE
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere, silently
    return status


def run_command(words: Sequence[str]) -> int:
    """Run a command and return its exit status.

    Unusable settings, packs or arguments print their findings and return 2; an unreachable database
    returns 1, Ctrl-C 130.
    """
    try:
        get_command(app).main(list(words), prog_name="dialtree")
    except SystemExit as end:
        return int(end.code or 0)
    except UserError as error:
        print_error(error)
        return EXIT_UNUSABLE
    except Unavailable as failure:
        reason = import_module("storage.sql.readiness").failure_reason(failure)
        print_error(f"database_url: the database does not answer ({reason})")
        return EXIT_INCOMPLETE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print(f"dialtree {version('dialtree')}")
        raise typer.Exit


@app.callback()
def choose_settings(
    *,
    show_version: Annotated[
        bool,
        Option(
            "--version",
            is_eager=True,
            callback=lambda value: _print_version(wanted=value),
            help="Print the version.",
        ),
    ] = False,
    config: Annotated[
        Path | None,
        Option(
            "--config",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The settings; by default dialtree.toml.",
        ),
    ] = None,
) -> None:
    """A USSD, SMS and voice gateway for telecom e-billing."""
    if config is not None:
        os.environ["DIALTREE_CONFIG"] = str(config)
