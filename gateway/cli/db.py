"""The command `dialtree db`: brings the database to what this release needs."""

import asyncio
from argparse import ArgumentParser, Namespace

from gateway.cli.common import settings
from storage.sql.migrate import upgrade_url


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `dialtree db`."""
    parser.add_argument("what", choices=["upgrade"])


def main(args: Namespace) -> int:
    """0 when the database is up to date."""
    asyncio.run(upgrade_url(settings().database_url))
    return 0
