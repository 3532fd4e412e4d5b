"""`dialtree who`: the names of a line in logs and in the audit log, for who looks after people."""

from argparse import Namespace

import pytest

from gateway.cli.privacy import run_request
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA = "+40740000101"


async def ask_who(sandbox: GatewaySandbox, number: str) -> int:
    return await run_request(
        sandbox.container, Namespace(command="who", msisdn=number, operator=OPERATOR), "maria"
    )


async def test_who_names_a_line_as_logs_and_the_audit_log_do(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await sandbox.direct_line().dial(ANA, "*100*1*1*1#")
    await sandbox.container.write_behind.flush()
    assert await ask_who(sandbox, ANA) == 0
    names = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    audit_log = await dump_table(sandbox.container.database, "audit")
    assert names[0] == sandbox.container.pseudonyms.keyed_hash(OPERATOR, ANA)
    audit_writer = sandbox.container.write_behind.audit_writer
    assert names[1] in audit_log
    assert names[2] == audit_writer.pseudonym(OPERATOR, "orange-ro-40740000101")
    assert "privacy.who" in audit_log and ANA not in audit_log


async def test_who_of_a_number_that_is_none_is_refused(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask_who(sandbox, "0800") == 2
    assert "not a number" in capsys.readouterr().err
