"""Command `dialtree worker`: delivers the outbox without an HTTP server."""

from argparse import Namespace

from gateway.cli.common import read_settings, run_in_container
from gateway.observability import logging
from gateway.server import app


def main(args: Namespace) -> int:
    """Deliver until SIGTERM or SIGINT and return 0."""
    logging.configure_logging()
    run_in_container(read_settings(), app.run_worker)
    return 0
