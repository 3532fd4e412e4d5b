"""Settings: read once from file and environment; an invalid or missing one stops the start by name."""

from pathlib import Path
from typing import Any

import pytest

from gateway.providers.registry import discover_providers
from gateway.settings import Settings, load_settings
from gateway.settings_sources import SettingsError, read_tables

PROVIDERS = discover_providers()
VALID_TOML = """
public_url = "https://gw.example.net"
secret_key = "0123456789abcdef0123456789abcdef"
[operators.orange-ro]
routes = {sms = "africastalking"}
[operators.orange-ro.africastalking]
username = "sandbox"
api_key = "very-secret-key"
hook_token = "very-secret-token"
trust = {voice = "line"}
"""


def read_settings(tmp_path: Path, text: str = VALID_TOML, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "dialtree.toml"
    path.write_text(text)
    base: dict[str, Any] = {}
    return load_settings(PROVIDERS, path, environ or {}, base)


def test_a_file_is_enough(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    link = settings.operators["orange-ro"].links["africastalking"]
    assert settings.port == 8080 and link.trust == {"voice": "line"}
    assert link.settings.username == "sandbox"


def test_no_file_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(PROVIDERS, tmp_path / "dialtree.toml", {}, {})
    assert "public_url: Field required" in str(refused.value)
    assert f"no dialtree.toml in {tmp_path}; " in str(refused.value) and "DIALTREE_CONFIG" in str(refused.value)


def test_a_file_that_was_read_is_not_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path, 'secret_key = "short"')
    assert "DIALTREE_CONFIG" not in str(refused.value)


def test_a_folder_without_packs_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "packs"
    empty.mkdir()
    for folder in (empty, tmp_path / "pacsk"):
        with pytest.raises(SettingsError, match=r"packs: .*no pack in"):
            read_settings(tmp_path, f'packs = "{folder}"\n{VALID_TOML}')
    (empty / "acme_tel").mkdir()
    (empty / "acme_tel" / "pack.yaml").touch()
    assert read_settings(tmp_path, f'packs = "{empty}"\n{VALID_TOML}').packs == str(empty)


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    environ = {
        "PORT": "9000",
        "DATABASE_URL": "postgresql://db/x",
        "DIALTREE_OPERATORS__ORANGE_RO__AFRICASTALKING__USERNAME": "live",
        "DIALTREE_TURNS_PER_MINUTE": "7",
    }
    settings = read_settings(tmp_path, environ=environ)
    assert (settings.port, settings.turns_per_minute) == (9000, 7)
    assert settings.database_url == "postgresql://db/x"
    assert settings.operators["orange-ro"].links["africastalking"].settings.username == "live"


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ('public_url = "https://gw.example.net"', "public_url: Field required"),
        ('secret_key = "0123456789abcdef0123456789abcdef"', "secret_key: Field required"),
        ('hook_token = "very-secret-token"', "operators.orange-ro.africastalking.hook_token: Field required"),
        ('api_key = "very-secret-key"', "operators.orange-ro.africastalking.api_key: Field required"),
    ],
)
def test_a_missing_secret_stops_the_start_with_its_name(gone: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(tmp_path, VALID_TOML.replace(gone, ""))


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("https://gw.example.net", "gw.example.net", "public_url"),
        ('"0123456789abcdef0123456789abcdef"', '"short"', "secret_key"),
        ('{voice = "line"}', '{voice = "surely"}', "trust"),
        ("public_url =", "publik_url =", "publik_url"),
    ],
)
def test_a_silly_value_is_named_and_not_repeated(right: str, wrong: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path, VALID_TOML.replace(right, wrong))
    assert named in str(caught.value)
    assert "very-secret" not in str(caught.value) and "short" not in str(caught.value).replace("shorter", "")


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("DIALTREE_OPERATORS", "operators"),
        ("DIALTREE_OPERATORS__ORANGE_RO", "operators.orange-ro"),
        ("DIALTREE_OPERATORS__ORANGE_RO__AFRICASTALKING", "operators.orange-ro.africastalking"),
        ("DATABASE_URL", "database_url"),
        ("REDIS_URL", "redis_url"),
    ],
)
def test_a_word_in_place_of_a_table_or_an_address_is_named(variable: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"^{named}: ") as caught:
        read_settings(tmp_path, VALID_TOML, {variable: "mysql-secret"})
    assert "mysql" not in str(caught.value)


def test_secrets_do_not_show_in_a_repr(tmp_path: Path) -> None:
    passwords = {"DATABASE_URL": "postgresql://u:very-secret-1@h/d", "REDIS_URL": "redis://:very-secret-2@h"}
    billing = {"DIALTREE_OPERATORS__ORANGE_RO__BILLING": "mapped+postgresql://u:very-secret-3@h/d"}
    shown = repr(read_settings(tmp_path, VALID_TOML, passwords | billing))
    assert "very-secret" not in shown and "0123456789abcdef" not in shown


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        read_settings(tmp_path, "public_url = ")


@pytest.mark.parametrize(
    ("variable", "url", "named"),
    [
        ("DATABASE_URL", "postgresql://u:very-secret/1@h/d", "database_url"),
        ("DATABASE_URL", "postgresql://u:x@very-secret@h/d", "database_url"),
        ("DATABASE_URL", "postgresql://u:very-secret@h/d?channel_binding=require", "channel_binding"),
        ("DATABASE_URL", "postgresql://u:very-secret@h/d?sslrootcert=/no/file", "sslrootcert"),
        ("REDIS_URL", "redis://:very/secret@h", "redis_url"),
        ("REDIS_URL", "redis+cluster://:very-secret@h:port", "redis_url"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_without_its_password(
    variable: str, url: str, named: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        read_settings(tmp_path, VALID_TOML, {variable: url})
    assert str(caught.value).startswith(f"{variable.lower()}: ") and "secret" not in str(caught.value)


def test_tables_of_base_file_and_environment_are_merged_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / "dialtree.toml"
    path.write_text("[operators.orange-ro]\nbilling = 'sql'\n[operators.orange-ro.rates]\nsms = 1")
    base = {"port": 1, "operators": {"orange-ro": {"rates": {"sms": 9, "email": 2}}}}
    environ = {"DIALTREE_OPERATORS__ORANGE_RO__RATES__SMS": "3", "DIALTREE_TYPO": "x", "PORT": ""}
    assert read_tables(path, environ, base) == {
        "port": 1,
        "typo": "x",
        "operators": {"orange-ro": {"billing": "sql", "rates": {"sms": "3", "email": 2}}},
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("public_url", "prot = 81\npublic_url", "prot: there is no such setting; did you mean 'port'?"),
        ("api_key", "api_ky", "operators.orange-ro.africastalking.api_ky: {no}; did you mean 'api_key'?"),
        ("trust =", "trsut =", "operators.orange-ro.africastalking.trsut: {no}; did you mean 'trust'?"),
        ("routes = {sms", "routes = {smss", "operators.orange-ro.routes.smss: {no}; did you mean 'sms'?"),
        ("ro.africastalking", "ro.africastalkin", "ro.africastalkin: {no}; did you mean 'africastalking'?"),
        ("[operators.orange-ro]", "[console]\nprot = 1\n[operators.orange-ro]", "console.prot: {no}; did you"),
    ],
)
def test_an_unknown_setting_is_named_with_the_right_name(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path, VALID_TOML.replace(old, new, 1))
    assert expected.format(no="there is no such setting") in str(refused.value)
    assert "Extra inputs" not in str(refused.value)


def test_an_unknown_variable_is_named_as_the_variable_it_is(tmp_path: Path) -> None:
    environ = {"DIALTREE_REDIS_SECOND": "1", "DIALTREE_OPERATORS__ORANGE_RO__RATES__SM": "3"}
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path, environ=environ)
    assert "rates.sm: there is no such setting (from DIALTREE_OPERATORS__ORANGE_RO__RATES__SM); " in str(
        refused.value
    )
    environ.popitem()
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path, environ=environ)
    assert "redis_second: there is no such setting (from DIALTREE_REDIS_SECOND); did you mean " in str(
        refused.value
    )
    assert "'redis_seconds'?" in str(refused.value)


def test_missing_operators_are_asked_for_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path, VALID_TOML.partition("[operators")[0])
    assert "operators: must not be empty; docs/settings.md" in str(refused.value)
