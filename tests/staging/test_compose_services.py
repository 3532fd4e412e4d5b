"""Staging starts every service of compose.yaml, with its command and environment, or says why not."""

import pytest

from tests.staging.compose_services import (
    INTERNAL_OFFSETS,
    LEFT_OUT,
    SERVICES,
    compose_command,
    compose_environment,
    gateway_command,
)
from tests.staging.staging_site import ROLES

STARTED = {"upgrade", "postgres", "redis", "prometheus", *ROLES}


def test_every_service_is_started_or_left_out_with_a_reason() -> None:
    assert STARTED | LEFT_OUT.keys() == SERVICES.keys()
    assert not STARTED & LEFT_OUT.keys()


def test_two_serve_and_two_work() -> None:
    assert [ROLES.count(role) for role in ("serve", "worker")] == [2, 2]
    assert set(ROLES) <= INTERNAL_OFFSETS.keys()


def test_a_process_is_started_with_the_command_of_the_container_and_nothing_of_the_shell() -> None:
    words = gateway_command({"PORT": "1"}, *compose_command("console"))
    assert words[-4:] == ["-m", "gateway", "console", "serve"]
    assert words[1] == "-i" and "PORT=1" in words


def test_a_variable_of_the_containers_without_a_value_stops_the_start() -> None:
    with pytest.raises(KeyError):
        compose_environment({"DATABASE_URL": "postgresql://127.0.0.1/dialtree"})
