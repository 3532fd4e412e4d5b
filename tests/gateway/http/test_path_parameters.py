"""Webhook paths with parameters: found by route name and number of values, their token checked."""

import pytest

from flows.domain.failures import BadRequest
from gateway.http.guard import WebhookEndpoint, find_endpoint
from gateway.providers import africastalking
from gateway.providers.contract import Connection, ProviderAnswer, WebhookRoute
from gateway.providers.registry import discover_providers

CONNECTION = Connection("orange-ro", None, "https://gw.example", "", {}, {})
ROUTE = WebhookRoute(africastalking.read_ussd, africastalking.write_ussd, path_parameters=("session",))
EMPTY = ProviderAnswer(b"", "text/plain")
PROVIDER = discover_providers()["africastalking"]
ENDPOINT = WebhookEndpoint("orange-ro/toy/ussd", PROVIDER, ROUTE, CONNECTION, (b"secret",), EMPTY)
ENDPOINTS = {("orange-ro", "toy", "ussd"): ENDPOINT}


def test_a_path_with_its_value_is_found() -> None:
    assert find_endpoint(ENDPOINTS, "orange-ro", "toy", "secret/ussd/S1") is ENDPOINT


@pytest.mark.parametrize(
    "tail", ["secret/ussd", "secret/ussd/S1/more", "wrong/ussd/S1", "ussd/S1", "secret/sms/S1"]
)
def test_any_other_path_is_unknown(tail: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        find_endpoint(ENDPOINTS, "orange-ro", "toy", tail)
    assert refusal.value.status == 404
