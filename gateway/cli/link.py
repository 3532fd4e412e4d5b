"""Command `dialtree link`: holds connections to networks (SMPP) and delivers what leaves by them."""

from argparse import Namespace

from gateway.cli.common import read_settings, run_in_container
from gateway.observability import logging
from gateway.providers.registry import link_providers
from gateway.server import link_role
from gateway.settings import Settings
from gateway.settings_sources import SettingsError


def main(args: Namespace) -> int:
    """Hold links until SIGTERM or SIGINT and return 0; SettingsError when the settings name none."""
    logging.configure_logging()
    settings = read_settings()
    require_link(settings)
    run_in_container(settings, link_role.run_links)
    return 0


def require_link(settings: Settings) -> None:
    """Raise SettingsError unless an operator has a connection with a link."""
    names = link_providers().keys()
    if not any(names & section.links.keys() for section in settings.operators.values()):
        raise SettingsError(f"operators: none has a connection that is held as a link ({', '.join(names)})")
