"""Command line entry point of `dialtree`: command table, argument parser and exit codes."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from flows.domain.failures import Unavailable
from gateway.cli.colours import Colours
from menus.model.user_error import UserError


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A subcommand: its help text and the module that holds its arguments and `main`.

    Only the module of the command that runs is imported: checking a pack needs no database driver.
    """

    help: str
    module: str
    declare_arguments: str = "add_arguments"
    """Name of the module's function that declares the arguments."""


COMMANDS: Mapping[str, CommandSpec] = {
    "demo": CommandSpec("serve the demo world on loopback", "demo"),
    "serve": CommandSpec("serve webhooks and pages", "serve"),
    "worker": CommandSpec("deliver what is due", "worker"),
    "dial": CommandSpec("a phone in the terminal", "dial"),
    "notify": CommandSpec("tell the subscribers of an operator that their bills are there", "notify"),
    "check": CommandSpec("look for faults in packs", "check"),
    "draw": CommandSpec("draw the map of an operator's menus", "draw"),
    "new": CommandSpec("begin a pack of your own", "new_operator"),
    "outbox": CommandSpec("look after what goes out", "outbox"),
    "export": CommandSpec("show what is held about a number", "privacy", "add_export"),
    "erase": CommandSpec("let go of what is held about a number", "privacy", "add_erase"),
    "audit": CommandSpec("look after the audit trail", "privacy", "add_audit"),
    "db": CommandSpec("look after the database", "db"),
}
"""Subcommands by name, in the order of `--help`."""


def main() -> None:
    """Run the command on `sys.argv` and exit with its status."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(words: Sequence[str]) -> int:
    """Run a command and return its exit status.

    Unusable settings, packs or arguments print their findings and return 2; an unreachable database
    returns 1, Ctrl-C 130.
    """
    args = _build_parser(next(iter(words), "")).parse_args(words)
    if getattr(args, "beside", None):  # inherited by worker processes
        os.environ["DIALTREE_PACKS"] = args.beside
    try:
        return int(_import_command(args.command).main(args))
    except UserError as error:
        print(Colours.for_stream(sys.stderr, os.environ).paint(str(error), "fault"), file=sys.stderr)
        return 2
    except Unavailable:
        print("database_url: the database does not answer", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _build_parser(command_name: str) -> argparse.ArgumentParser:
    """Build a parser that knows all commands by name and the arguments of the given one."""
    parser = argparse.ArgumentParser(
        prog="dialtree", description="A USSD, SMS and voice gateway for e-billing."
    )
    parser.add_argument("--version", action="version", version=f"dialtree {version('dialtree')}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.help)
        if name == command_name:
            getattr(_import_command(name), command.declare_arguments)(subparser)
    return parser


def _import_command(command: str) -> ModuleType:
    return import_module(f"gateway.cli.{COMMANDS[command].module}")
