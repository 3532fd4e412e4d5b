"""Command start: imports a command's module when the command runs, and calls it."""

import os
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any

import typer


def run_module(module: str, **arguments: Any) -> None:
    """Import the command's module, run its `main` and exit with the status it returns."""
    main = import_module(f"gateway.cli.{module}").main
    raise typer.Exit(int(main(Namespace(**arguments))))


def select_packs(packs: Path | None) -> str:
    """Return the folder of further packs as a text, and let worker processes inherit it."""
    if packs is None:
        return ""
    os.environ["DIALTREE_PACKS"] = str(packs)
    return str(packs)
