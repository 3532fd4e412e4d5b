"""Command `dialtree db`: upgrades the database schema to this release (Alembic)."""

import asyncio
from argparse import Namespace

from gateway.cli.common import read_settings
from storage.sql.migrate import upgrade_url


def main(args: Namespace) -> int:
    """Upgrade the database schema and return 0."""
    asyncio.run(upgrade_url(read_settings().database_url))
    return 0
