"""Command `dialtree tickets`: staff list, read, answer and close what subscribers asked."""

from argparse import Namespace
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import text

from flows.domain.ticket_records import StoredTicket, TicketState
from gateway.cli import options
from gateway.cli.ticket_desk import run_action
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

PAUL, OPERATOR = "+33600000102", "orange-fr"


@pytest.fixture
async def sandbox(sandboxes: SandboxFactory) -> AsyncIterator[GatewaySandbox]:
    """A sandbox in which Paul has disputed a line of his bill by SMS."""
    async with sandboxes.open(operator=OPERATOR) as opened:
        await opened.direct_line().send_text(PAUL, "32123", "CONTESTER 03/26 1")
        await opened.messages.collect_new()
        yield opened


async def run(sandbox: GatewaySandbox, what: str, **given: object) -> int:
    arguments = {"operator": OPERATOR, "state": "open", "limit": 50, "what": what}
    return await run_action(sandbox.container, Namespace(**{**arguments, **given}))


async def only_ticket(sandbox: GatewaySandbox, state: TicketState = "open") -> StoredTicket:
    (ticket,) = await sandbox.container.tickets.list_tickets(OPERATOR, state, 9)
    return ticket


async def audited_actions(sandbox: GatewaySandbox) -> list[str]:
    await sandbox.container.write_behind.flush()
    rows = await sandbox.container.database.read(
        lambda connection: connection.execute(text("SELECT action FROM audit ORDER BY id")).scalars().all()
    )
    return [action for action in rows if action.startswith("tickets.")]


async def test_the_list_masks_the_number(sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(sandbox, "list") == 0
    shown = capsys.readouterr().out
    assert (await only_ticket(sandbox)).reference in shown and "contest" in shown
    assert PAUL not in shown and "...0102" in shown and shown.endswith("1 open\n")


async def test_a_shown_ticket_has_the_number_and_leaves_an_audit_entry(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = (await only_ticket(sandbox)).reference
    assert await run(sandbox, "show", reference=reference.lower()) == 0
    shown = capsys.readouterr().out
    assert PAUL in shown and "OFR-202603-0102" in shown
    assert await audited_actions(sandbox) == ["tickets.show"]


async def test_an_answer_is_texted_once_in_the_subscribers_language(sandbox: GatewaySandbox) -> None:
    reference = (await only_ticket(sandbox)).reference
    for _ in range(2):
        assert await run(sandbox, "answer", reference=reference, text="Erreur corrigée: 7,00 €") == 0
    (sent,) = await sandbox.messages.collect_new()
    assert sent.to == PAUL
    assert sent.body == f"Orange: réponse à votre demande {reference}: Erreur corrigée: 7,00 €"
    assert (await only_ticket(sandbox, "answered")).answer == "Erreur corrigée: 7,00 €"
    assert await audited_actions(sandbox) == ["tickets.answered"]


async def test_an_answer_longer_than_four_parts_is_refused(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    ticket = await only_ticket(sandbox)
    assert await run(sandbox, "answer", reference=ticket.reference, text="a" * 612) == 1
    assert "5 SMS parts" in capsys.readouterr().err
    assert (await only_ticket(sandbox)).answer == ""


async def test_no_answer_goes_to_a_new_owner_of_the_number(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await count_rows(sandbox.container.database, "outbox")
    statement = text("UPDATE billing_subscribers SET since = '2026-03-11' WHERE msisdn = :number")
    await sandbox.container.database.write(lambda connection: connection.execute(statement, {"number": PAUL}))
    sandbox.clock.advance(timedelta(days=30))
    reference = (await only_ticket(sandbox)).reference
    assert await run(sandbox, "answer", reference=reference, text="Corrigé") == 1
    assert "new owner" in capsys.readouterr().err
    assert await count_rows(sandbox.container.database, "outbox") == before


async def test_a_closed_ticket_is_not_answered(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = (await only_ticket(sandbox)).reference
    assert await run(sandbox, "close", reference=reference) == 0
    assert await run(sandbox, "answer", reference=reference, text="Corrigé") == 1
    assert "is closed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given", [{"operator": "nowhere"}, {"reference": "NONESUCH"}], ids=["operator", "ticket"]
)
async def test_what_is_not_there_exits_with_status_2(sandbox: GatewaySandbox, given: dict[str, str]) -> None:
    assert await run(sandbox, "show", **{"reference": "NONESUCH", **given}) == 2


def test_the_states_offered_are_those_of_tickets() -> None:
    assert get_args(options.TicketStateName) == get_args(TicketState)
