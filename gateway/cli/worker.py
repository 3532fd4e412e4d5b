"""Command `dialtree worker`: delivers the outbox without an HTTP server."""

from argparse import ArgumentParser, Namespace

from gateway.cli.common import inside, settings
from gateway.observability import logging
from gateway.server import app


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no arguments."""


def main(args: Namespace) -> int:
    """Deliver until SIGTERM or SIGINT and return 0."""
    logging.start()
    inside(settings(), app.work)
    return 0
