"""`dialtree db` and `dialtree audit prove`: an upgrade is finished by a command, one audit entry is proven."""

import json
import secrets
from argparse import Namespace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, select

from flows.domain.records import AuditEntry
from gateway.cli import db
from gateway.cli.privacy import run_request
from storage.sql.features import FEATURES, database_features
from storage.sql.tables import audit
from tests.support.databases import NOW
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox


def test_an_upgrade_says_that_it_is_to_be_finished_and_finish_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dialtree.toml").write_text(
        f'public_url = "https://gw.test"\nsecret_key = "{secrets.token_hex(32)}"\n[operators.orange-ro]\n'
    )
    monkeypatch.setenv("DATABASE_URL", url := f"sqlite:///{tmp_path / 'own.db'}")
    assert db.main(Namespace(what="upgrade")) == 0
    assert capsys.readouterr().out == ""  # this release created it
    with create_engine(url).begin() as connection:
        connection.execute(delete(database_features))
    db.main(Namespace(what="upgrade"))
    assert "dialtree db finish" in capsys.readouterr().out
    db.main(Namespace(what="finish"))
    with create_engine(url).begin() as connection:
        assert set(connection.scalars(select(database_features.c.name))) == set(FEATURES)


async def prove_entry(sandbox: GatewaySandbox, line_id: int) -> int:
    return await run_request(
        sandbox.container, Namespace(command="audit", what="prove", line_id=line_id), "maria"
    )


async def test_an_audit_entry_is_proven_and_one_that_is_not_there_is_not(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.container.write_behind.record_entry(AuditEntry(OPERATOR, "+40740000101", "bill.read", NOW))
    await sandbox.container.write_behind.flush()
    newest = select(audit.c.id).order_by(audit.c.id.desc()).limit(1)
    line_id = await sandbox.container.database.read(lambda c: c.execute(newest).scalar_one())
    assert await prove_entry(sandbox, line_id) == 0
    assert json.loads(capsys.readouterr().out)["entry"]["action"] == "bill.read"
    assert await prove_entry(sandbox, line_id + 1) == 1
    assert capsys.readouterr().err.startswith("no proof")
