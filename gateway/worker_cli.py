"""The command `dialtree worker`: delivers what is due."""

from argparse import ArgumentParser, Namespace

from gateway import app, log
from gateway.running import inside, settings


def add_arguments(parser: ArgumentParser) -> None:
    """It takes none."""


def main(args: Namespace) -> int:
    """0 when it was told to stop."""
    log.start()
    inside(settings(), app.work)
    return 0
