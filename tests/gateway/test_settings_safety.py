"""Settings outside the demo: secrets that can be guessed and URLs without TLS stop the start by name."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from gateway.providers.registry import discover_providers
from gateway.secret_strength import find_token_weakness, find_weakness
from gateway.settings import Settings, load_settings
from gateway.settings_safety import require_safe_settings
from gateway.settings_sources import SettingsError, merge_tables

TOKEN = "p3Zk8vQm1xTfR7bYc0sLwA"
SAFE: dict[str, Any] = {
    "public_url": "https://gw.example.net",
    "secret_key": "c9a1f07d5e3b48826cb1e0f4a97d2358",
    "operators": {
        "orange-ro": {
            "africastalking": {"username": "u", "api_key": "atsk-4f1d0c9a7be25863", "hook_token": TOKEN},
            "twilio": {"account_sid": "AC1", "auth_token": "9d3f0b7c51ae48626cb1e0f4a97d2358", "sender": "477"},
        }
    },
}
AT = "operators.orange-ro.africastalking"
UNSAFE = {
    "public_url": ("http://gw.example.net", "http://10.0.0.7"),
    "secret_key": (
        "a" * 32,
        "ab" * 16,
        "0123456789abcdefghijklmnopqrstuv",
        "32 random characters or more, the same",
    ),
    f"{AT}.hook_token": (
        "x",
        "demo",
        "z" * 30,
        "with/slash" + TOKEN,
        "with space " + TOKEN,
        "demo-" + TOKEN,
        "é" * 22,
    ),
    f"{AT}.old_hook_token": ("x",),
    f"{AT}.api_key": ("...", "key"),
    "operators.orange-ro.twilio.auth_token": ("...", "demo-auth-token", "12121212121212121212"),
    "operators.orange-ro.bss.hub_token": ("x", "a long random word"),
}


def nest_field(field: str, value: str) -> dict[str, Any]:
    head, _, rest = field.partition(".")
    return {head: nest_field(rest, value) if rest else value}


def parse_settings(more: dict[str, Any]) -> Settings:
    return load_settings(discover_providers(), Path("no such file"), {}, merge_tables(SAFE, more))


def test_strong_secrets_pass() -> None:
    settings = parse_settings({})
    assert require_safe_settings(settings) is settings


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in UNSAFE for value in UNSAFE[field]])
def test_an_unsafe_value_is_refused_by_name_and_not_repeated(field: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        require_safe_settings(parse_settings(nest_field(field, value)))
    assert str(refused.value).startswith(f"{field}: ") and "\n" not in str(refused.value)
    assert len(value) < 5 or value not in str(refused.value)


@pytest.mark.parametrize("value", ["x", "demo"])
def test_the_demo_may_keep_its_samples(value: str) -> None:
    require_safe_settings(parse_settings({"demo": True, **nest_field(f"{AT}.hook_token", value)}))


def test_two_connections_may_not_share_a_token() -> None:
    copy = {"africastalking": SAFE["operators"]["orange-ro"]["africastalking"]}
    with pytest.raises(SettingsError, match=f"^operators.orange-fr.africastalking.hook_token: .* {AT}"):
        require_safe_settings(parse_settings({"operators": {"orange-fr": copy}}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_this_machine_may_be_reached_without_tls(url: str) -> None:
    require_safe_settings(parse_settings({"public_url": url}))


def test_what_our_advice_makes_is_accepted() -> None:
    for _ in range(500):
        assert find_weakness(secrets.token_hex(16)) == find_token_weakness(secrets.token_urlsafe(16)) == ""


@pytest.mark.parametrize("field", ["token", "client_secret"])
def test_a_merchant_may_not_keep_a_sample_as_its_secret(field: str) -> None:
    merchant = {"category": "parking", field: "demo-token-of-the-parkplus-merchant"}
    purchases = {"purchases": {"merchants": {"parkplus": merchant}}}
    with pytest.raises(SettingsError, match=f"operators.orange-ro.purchases.merchants.parkplus.{field}: "):
        require_safe_settings(parse_settings({"operators": {"orange-ro": purchases}}))
