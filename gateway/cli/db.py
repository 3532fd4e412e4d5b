"""Command `dialtree db`: upgrades the database schema to this release, finishes an upgrade."""

import asyncio
from argparse import Namespace

from gateway.cli.common import read_settings
from gateway.observability import logging
from gateway.wiring.database_start import prepare_database
from storage.sql.engine import connect
from storage.sql.migrate import finish_url, upgrade_url


def main(args: Namespace) -> int:
    """Upgrade the schema, or finish the upgrade, and return 0; waits for the database as a start does."""
    logging.configure_logging()
    url = read_settings().database_url
    asyncio.run(_await_database(url))
    if args.what == "finish":
        asyncio.run(finish_url(url))
    elif asyncio.run(upgrade_url(url)):
        print("when no process of the previous release runs any more: dialtree db finish")
    return 0


async def _await_database(url: str) -> None:
    database = connect(url)
    try:
        await prepare_database(database)
    finally:
        await database.close()
