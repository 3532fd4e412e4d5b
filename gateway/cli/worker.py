"""The command `dialtree worker`: delivers what is due."""

from argparse import ArgumentParser, Namespace

from gateway.cli.common import inside, settings
from gateway.observability import logging
from gateway.server import app


def add_arguments(parser: ArgumentParser) -> None:
    """It takes none."""


def main(args: Namespace) -> int:
    """0 when it was told to stop."""
    logging.start()
    inside(settings(), app.work)
    return 0
