"""Runs an action of `dialtree payments` in a container that is open already."""

from argparse import Namespace
from typing import Any

from gateway.cli.payments import run_action
from gateway.wiring.container import Container


async def run_payments(container: Container, operator: str, what: str, **arguments: Any) -> int:
    """Return the exit status; options that are not given have the command's own default, none."""
    options = {"state": None, "metrics": None} | arguments
    return await run_action(container, Namespace(what=what, operator=operator, **options))
