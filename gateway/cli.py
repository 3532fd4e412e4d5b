"""The command `dialtree`: every way to run the gateway and to look after it."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from flows.failures import Unavailable
from gateway.colours import Colours
from menus.unusable import Unusable


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
    "demo": Command("serve the demo world on loopback", "demo_cli"),
    "serve": Command("serve webhooks and pages", "serve_cli"),
    "worker": Command("deliver what is due", "worker_cli"),
    "dial": Command("a phone in the terminal", "dial_cli"),
    "notify": Command("tell the subscribers of an operator that their bills are there", "notify_cli"),
    "check": Command("look for faults in packs", "check_cli"),
    "draw": Command("draw the map of an operator's menus", "draw_cli"),
    "new": Command("begin a pack of your own", "newcomer"),
    "outbox": Command("look after what goes out", "outbox_cli"),
    "export": Command("show what is held about a number", "privacy_cli", "add_export"),
    "erase": Command("let go of what is held about a number", "privacy_cli", "add_erase"),
    "audit": Command("look after the audit trail", "privacy_cli", "add_audit"),
    "db": Command("look after the database", "db_cli"),
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
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        named = commands.add_parser(name, help=command.help)
        if name == typed:
            getattr(_module(name), command.arguments)(named)
    return parser


def _module(command: str) -> ModuleType:
    return import_module(f"gateway.{COMMANDS[command].module}")
