"""Requests about a person on the command line: in the audit log, by login account, before anything is shown."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import select, text

from flows.domain.failures import Unavailable
from gateway.cli.privacy import run_request
from storage.sql.tables import audit
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA = "+40740000101"
REFUSE_ENTRIES = "CREATE TRIGGER full_disk BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'full'); END"
REQUESTS: Mapping[str, Mapping[str, bool]] = {
    "export": {},
    "erase": {"yes": True},
    "who": {},
}


async def request(sandbox: GatewaySandbox, command: str, **more: object) -> int:
    args = Namespace(command=command, msisdn=ANA, operator=OPERATOR, **more)
    return await run_request(sandbox.container, args, "maria")


async def audit_entries(sandbox: GatewaySandbox) -> Sequence[tuple[str, ...]]:
    columns = select(audit.c.action, audit.c.outcome, audit.c.correlation, audit.c.channel)
    ours = columns.where(audit.c.action.like("privacy.%")).order_by(audit.c.id)
    return [tuple(row) for row in await sandbox.container.database.read(lambda c: c.execute(ours).all())]


@pytest.mark.parametrize("command", REQUESTS)
async def test_a_request_about_a_person_is_audited_with_the_account(
    sandbox: GatewaySandbox, command: str
) -> None:
    assert await request(sandbox, command, **REQUESTS[command]) == 0
    assert await audit_entries(sandbox) == [(f"privacy.{command}", "ok", "maria", "house")]
    assert ANA not in await dump_table(sandbox.container.database, "audit")


async def test_an_erasure_that_is_only_looked_at_is_audited_as_such(sandbox: GatewaySandbox) -> None:
    assert await request(sandbox, "erase", yes=False) == 0
    assert await audit_entries(sandbox) == [("privacy.erase", "shown", "maria", "house")]


async def test_the_person_is_not_given_the_account(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await request(sandbox, "export")
    exported = capsys.readouterr().out
    assert "maria" not in exported
    assert [row["action"] for row in json.loads(exported)["audit"]] == ["privacy.export"]


@pytest.mark.parametrize("command", REQUESTS)
async def test_nothing_is_shown_or_erased_without_the_entry(
    sandbox: GatewaySandbox, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await sandbox.direct_line().dial(ANA, "*100*1*1*1#")
    await sandbox.container.write_behind.flush()
    await sandbox.container.database.write(lambda connection: connection.execute(text(REFUSE_ENTRIES)))
    before = await dump_table(sandbox.container.database, "preferences")
    with pytest.raises(Unavailable):
        await request(sandbox, command, **REQUESTS[command])
    assert capsys.readouterr().out == ""
    assert await dump_table(sandbox.container.database, "preferences") == before
