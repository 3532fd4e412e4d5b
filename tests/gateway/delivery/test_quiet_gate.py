"""Quiet hours of an operator: bill notices wait for the morning, what a person asked for does not."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from flows.domain.records import OutboundMessage, Secret
from gateway.cli import notify
from gateway.cli.count_confirmation import is_confirmed
from menus.packfile.hours_form import QuietHoursForm
from storage.crypto import AeadCipher
from storage.outbox.backlog import read_backlog
from storage.outbox.enqueue import KEY_PURPOSE, enqueue_items
from tests.support.gateway_sandbox import GatewaySandbox

OPERATOR, ANA = "orange-ro", "+40740000101"
EVENING = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
"""22:00 in Bucharest."""
MORNING = datetime(2026, 3, 11, 6, 0, tzinfo=UTC)
"""08:00 there."""
NOTICE = OutboundMessage("k", OPERATOR, ANA, "sms", "notice", "Your bill", "en", is_unprompted=True)


@pytest.fixture
def quiet(sandbox: GatewaySandbox) -> GatewaySandbox:
    """Provide a sandbox at 22:00 whose pack has quiet hours from 21:00 to 08:00."""
    hours = QuietHoursForm.model_validate({"from": "21:00", "to": "08:00"})
    menu = sandbox.menu
    rules = menu.config.rules.model_copy(update={"quiet_hours": hours})
    config = menu.config.model_copy(update={"rules": rules})
    sandbox.container.menu_versions.publish(replace(menu, config=config, revision="quiet"))
    sandbox.clock.advance(EVENING - sandbox.clock())
    return sandbox


async def enqueue(sandbox: GatewaySandbox, *messages: OutboundMessage) -> None:
    """Put messages into the outbox."""
    cipher = AeadCipher(Secret(sandbox.container.settings.secret_key.get_secret_value()), KEY_PURPOSE)
    await sandbox.container.database.write(
        lambda connection: enqueue_items(connection, cipher, messages, sandbox.clock())
    )


async def test_what_nobody_waits_for_is_held_until_the_morning(quiet: GatewaySandbox) -> None:
    await enqueue(quiet, NOTICE, replace(NOTICE, key="c", kind="campaign", is_unprompted=False))
    assert await quiet.messages.collect_new() == []
    quiet.clock.advance(MORNING - quiet.clock() - timedelta(seconds=1))
    assert await quiet.messages.collect_new() == []
    quiet.clock.advance(timedelta(seconds=1))
    assert {each.key for each in await quiet.messages.collect_new()} == {"k", "c"}


async def test_codes_replies_receipts_and_mail_go_at_night(quiet: GatewaySandbox) -> None:
    prompted = [
        replace(NOTICE, key=kind, kind=kind, is_unprompted=False) for kind in ("code", "reply", "notice")
    ]
    mail = replace(NOTICE, key="mail", route="email", to="ana@example.net")
    await enqueue(quiet, *prompted, mail)
    found = {each.key for each in await quiet.messages.collect_new()}
    assert found == {"code", "reply", "notice", "mail"}


async def test_what_expires_at_night_is_closed_then_and_says_so(quiet: GatewaySandbox) -> None:
    await enqueue(quiet, replace(NOTICE, expires_at=EVENING + timedelta(hours=3)))
    assert await quiet.messages.collect_new() == []
    quiet.clock.advance(timedelta(hours=3))
    assert await quiet.messages.collect_new() == []
    rows = await quiet.container.database.read(
        lambda connection: connection.execute(text("SELECT state, reason FROM outbox WHERE key = 'k'")).all()
    )
    assert [tuple(row) for row in rows] == [("expired", "expired before it was sent")]


async def test_what_is_held_costs_no_attempt_and_is_no_backlog(quiet: GatewaySandbox) -> None:
    await enqueue(quiet, NOTICE)
    await quiet.messages.collect_new()
    quiet.clock.advance(timedelta(hours=5))
    backlog = await read_backlog(quiet.container.database, quiet.clock())
    assert backlog.age_seconds(quiet.clock()) == 0 and backlog.counts["again"] == 1


async def notify_now(sandbox: GatewaySandbox, **given: Any) -> int:
    """Run `dialtree notify` for the current cycle."""
    ports = sandbox.container.operators[OPERATOR]
    ports.billing = getattr(ports.billing, "inner", ports.billing)
    words = {"operator": OPERATOR, "cycle": "", "listen": False, "dry_run": False, "confirm": 0, **given}
    return await notify.run_notify(argparse.Namespace(**words), sandbox.container)


async def test_notices_of_a_bill_run_are_held_and_the_command_says_until_when(
    quiet: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await notify_now(quiet) == 0
    assert "SMS wait until 2026-03-11 08:00" in capsys.readouterr().out
    assert [each.route for each in await quiet.messages.collect_new() if each.route == "sms"] == []
    quiet.clock.advance(MORNING - quiet.clock())
    assert "sms" in {each.route for each in await quiet.messages.collect_new()}


async def test_a_large_run_without_a_terminal_needs_its_number(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = sandbox.container.settings
    section = settings.operators[OPERATOR].model_copy(update={"notify_without_asking": 1})
    asking = settings.model_copy(update={"operators": {OPERATOR: section}})
    sandbox.container = replace(sandbox.container, settings=asking)
    assert await notify_now(sandbox, confirm=2) == 2
    assert "--confirm 3" in capsys.readouterr().err
    assert await sandbox.messages.collect_new() == []
    assert await notify_now(sandbox, confirm=3) == 0
    assert len(await sandbox.messages.collect_new()) == 3


@pytest.mark.parametrize(
    ("count", "threshold", "confirmed", "typed", "may"),
    [
        (10, 10, 0, "", True),
        (11, 10, 0, "", False),
        (11, 10, 0, "11", True),
        (11, 10, 0, " 11 ", True),
        (11, 10, 0, "yes", False),
        (11, 10, 11, "", True),
        (12, 10, 11, "", False),
        (9_999_999, 0, 0, "", True),
    ],
)
def test_more_messages_than_the_setting_want_their_number_typed(
    count: int, threshold: int, confirmed: int, typed: str, *, may: bool
) -> None:
    assert is_confirmed(count, threshold, confirmed, ask=lambda _prompt: typed, can_ask=True) is may
