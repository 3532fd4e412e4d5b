"""Alembic: runs the migrations that a database has not had; loaded only where there are some."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from storage.sql.schema_revision import MIGRATIONS_PATH


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration bound to one connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_PATH).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def run_migrations(connection: Connection) -> None:
    """Upgrade a database to this release's newest revision."""
    command.upgrade(alembic_config(connection), "head")
