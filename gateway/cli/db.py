"""Command `dialtree db`: upgrades the database schema to this release, finishes an upgrade."""

import asyncio
from argparse import Namespace

from gateway.cli.common import read_settings
from storage.sql.migrate import finish_url, upgrade_url


def main(args: Namespace) -> int:
    """Upgrade the database schema, or finish the upgrade, and return 0."""
    url = read_settings().database_url
    if args.what == "finish":
        asyncio.run(finish_url(url))
    elif asyncio.run(upgrade_url(url)):
        print("when no process of the previous release runs any more: dialtree db finish")
    return 0
