"""The command `dialtree`: every way to run the gateway and to look after it."""

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
from menus.model.errors import Unusable


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it is for, and the module that has its arguments and its `main`.

    Only the module of the command that is run is imported: to check a pack takes no database.
    """

    help: str
    module: str
    arguments: str = "add_arguments"
    """The function of the module that declares the arguments."""


COMMANDS: Mapping[str, Command] = {
    "demo": Command("serve the demo world on loopback", "demo"),
    "serve": Command("serve webhooks and pages", "serve"),
    "worker": Command("deliver what is due", "worker"),
    "dial": Command("a phone in the terminal", "dial"),
    "notify": Command("tell the subscribers of an operator that their bills are there", "notify"),
    "check": Command("look for faults in packs", "check"),
    "draw": Command("draw the map of an operator's menus", "draw"),
    "new": Command("begin a pack of your own", "new_operator"),
    "outbox": Command("look after what goes out", "outbox"),
    "export": Command("show what is held about a number", "privacy", "add_export"),
    "erase": Command("let go of what is held about a number", "privacy", "add_erase"),
    "audit": Command("look after the audit trail", "privacy", "add_audit"),
    "db": Command("look after the database", "db"),
}
"""By name, in the order of `--help`."""


def main() -> None:
    """Run the command that was typed."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run a command; its status. What cannot be used, settings or packs, ends it with 2 and the findings."""
    args = _parser(next(iter(words), "")).parse_args(words)
    if getattr(args, "beside", None):  # the processes we start need it, too
        os.environ["DIALTREE_PACKS"] = args.beside
    try:
        return int(_module(args.command).main(args))
    except Unusable as error:
        print(Colours.of(sys.stderr, os.environ).paint(str(error), "fault"), file=sys.stderr)
        return 2
    except Unavailable:
        print("database_url: the database does not answer", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(typed: str) -> argparse.ArgumentParser:
    """Knows all commands by name, and the arguments of the one that was typed."""
    parser = argparse.ArgumentParser(
        prog="dialtree", description="A USSD, SMS and voice gateway for e-billing."
    )
    parser.add_argument("--version", action="version", version=f"dialtree {version('dialtree')}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        named = commands.add_parser(name, help=command.help)
        if name == typed:
            getattr(_module(name), command.arguments)(named)
    return parser


def _module(command: str) -> ModuleType:
    return import_module(f"gateway.cli.{COMMANDS[command].module}")
