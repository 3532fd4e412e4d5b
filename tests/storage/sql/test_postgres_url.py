"""PostgreSQL URLs: what platforms and libpq's documentation write, understood or refused by name."""

import ssl
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.sql.engine import connect
from storage.sql.postgres_url import parse_postgres_url

BASE = "postgresql://dialtree:s3cr3t@db.example.net/dialtree"


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        "sslmode=prefer&channel_binding=prefer",
        "application_name=billing",
        "options=-c%20search_path%3Dpublic",
        "connect_timeout=10&keepalives=1&keepalives_idle=30",
        "sslmode=disable&gssencmode=disable",
        "target_session_attrs=read-write",
        "pgbouncer=true&connection_limit=1",
    ],
)
async def test_parameters_of_libpq_and_platforms_are_understood(postgres_database: str, query: str) -> None:
    database = connect(f"{postgres_database}?{query}")
    assert await database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    await database.close()


@pytest.mark.postgres
async def test_application_name_and_options_reach_the_server(postgres_database: str) -> None:
    database = connect(f"{postgres_database}?application_name=billing&options=-c%20search_path%3Dpg_catalog")
    settings = "SELECT current_setting('application_name'), current_setting('search_path')"
    assert await database.read(lambda c: tuple(c.execute(text(settings)).one())) == ("billing", "pg_catalog")
    await database.close()


@pytest.mark.postgres
async def test_of_several_hosts_the_one_that_answers_is_used(postgres_database: str) -> None:
    database = connect(postgres_database.replace("@127.0.0.1", "@127.0.0.1:9,127.0.0.1"))
    assert await database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    await database.close()


def test_several_hosts_lead_to_the_one_that_accepts_writes() -> None:
    assert "target_session_attrs=read-write" in parse_postgres_url(BASE.replace(".net", ".net,other")).dsn


def test_verify_full_uses_the_systems_authorities_or_those_of_the_url() -> None:
    system = parse_postgres_url(f"{BASE}?sslmode=verify-full").tls
    assert system is not None and system.check_hostname and system.verify_mode is ssl.CERT_REQUIRED
    named = parse_postgres_url(f"{BASE}?sslmode=verify-full&sslrootcert={__file__}")
    assert named.tls is None and "sslrootcert=" in named.dsn
    assert parse_postgres_url(f"{BASE}?sslrootcert=system").tls is not None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("channel_binding=require", "channel_binding"),
        ("sslmode=verify-ca", "sslmode"),
        ("sslmode=no-verify", "sslmode"),
        ("sslmode=verify-full&sslrootcert=/no/such/file", "sslrootcert"),
        ("sslrootcert=system&sslmode=require", "sslrootcert"),
        ("target_session_attrs=writable", "target_session_attrs"),
        ("connect_timeout=soon", "connect_timeout"),
        ("statement_timout=3", "statement_timout"),
    ],
)
def test_a_parameter_that_cannot_be_met_is_refused_by_its_name(query: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        connect(f"{BASE}?{query}")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:x/s3cr3t@host/name",
        "postgresql://u:x@s3cr3t@host/name",
        "postgresql://u:x#s3cr3t@host/name",
        "postgresql://u:p@host:s3cr3t/name",
        "mysql://u:s3cr3t@host/name",
        "s3cr3t",
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"postgresql://") as caught:
        connect(url)
    assert "s3cr3t" not in str(caught.value) and caught.value.__suppress_context__ | (
        caught.value.__context__ is None
    )
