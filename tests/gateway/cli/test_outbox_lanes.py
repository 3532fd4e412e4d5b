"""`dialtree outbox pause`, `resume`, `cancel` and `paused`, against a container and its worker."""

from argparse import Namespace

import pytest

from flows.domain.records import ChangeSet, OutboundMessage
from gateway.cli.outbox_lanes import run_lane_command
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA = "+40740000101"


async def run_words(sandbox: GatewaySandbox, what: str, operator: str = OPERATOR, **given: object) -> int:
    arguments: dict[str, object] = {"operator": operator, "kind": "notice", "route": "sms", "yes": False}

    async def sleep(seconds: float) -> None:
        """Return at once."""

    return await run_lane_command(Namespace(what=what, **(arguments | given)), sandbox.container, sleep)


async def enqueue_notice(sandbox: GatewaySandbox) -> None:
    notice = OutboundMessage("n", OPERATOR, ANA, "sms", "notice", "Factura este gata.", "ro")
    now = sandbox.clock()
    change = ChangeSet("put", OPERATOR, "s", now, messages=(notice,))
    await sandbox.container.operators[OPERATOR].ledger.commit(change)


async def test_a_paused_notice_leaves_after_resume(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_words(sandbox, "pause") == 0
    await enqueue_notice(sandbox)
    assert await sandbox.messages.collect_new() == []
    assert await run_words(sandbox, "paused") == 0
    assert f"{OPERATOR}" in capsys.readouterr().out
    assert await run_words(sandbox, "resume") == 0
    assert [each.body for each in await sandbox.messages.collect_new()] == ["Factura este gata."]
    assert await run_words(sandbox, "resume") == 1
    assert "not paused" in capsys.readouterr().out


async def test_cancel_without_yes_changes_nothing(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await enqueue_notice(sandbox)
    assert await run_words(sandbox, "cancel") == 2
    assert "nothing is changed" in capsys.readouterr().err
    assert await run_words(sandbox, "cancel", yes=True) == 0
    assert "1 closed unsent" in capsys.readouterr().out
    assert await sandbox.messages.collect_new() == []


async def test_an_operator_not_served_is_refused(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_words(sandbox, "pause", operator="orange-xx") == 2
    assert "orange-xx" in capsys.readouterr().err
