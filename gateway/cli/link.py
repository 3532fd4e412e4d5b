"""Command `dialtree link`: holds connections to networks (SMPP) and delivers what leaves by them."""

from argparse import Namespace

from gateway.cli.common import read_settings, run_in_container
from gateway.observability import logging
from gateway.server import link_role


def main(args: Namespace) -> int:
    """Hold links until SIGTERM or SIGINT and return 0; where the settings name none, only wait."""
    logging.configure_logging()
    run_in_container(read_settings(), link_role.run_links)
    return 0
