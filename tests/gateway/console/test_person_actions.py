"""Actions on a person's page: tickets, STOP, a notice again, export, erasure by two people."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.console.erasures import ERASURES_PATH
from tests.support.console_site import ConsoleServer, StaffMember, serve_console
from tests.support.console_site import console as console
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import ANA, BARBU

PAUL = "+33600000102"
HOSTILE = "</textarea><script>alert(1)</script>"


@pytest.fixture
async def french(sandboxes: SandboxFactory, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console of an operator at which Paul has disputed a line of his bill."""
    async with sandboxes.open(operator="orange-fr") as sandbox, serve_console(sandbox, tmp_path) as served:
        await served.phone.send_text(PAUL, "32123", "CONTESTER 03/26 1")
        await sandbox.messages.collect_new()
        yield served


async def open_person(
    console: ConsoleServer, name: str, number: str, operator: str = "orange-ro"
) -> StaffMember:
    """Return the browser of a user on a person's page."""
    browser = await console.signed_in(name)
    assert (await browser.look_up(number, operator)).status == 200
    return browser


async def bodies(console: ConsoleServer) -> list[str]:
    return [each.body for each in await console.sandbox.messages.collect_new()]


async def send_notice(console: ConsoleServer) -> None:
    """Have a notice sent to Ana: the confirmation of an activation."""
    await console.phone.send_text(ANA, "477", "EFACTURA")
    assert len(await bodies(console)) >= 1


async def test_an_answer_goes_to_the_phone_that_asked_once(french: ConsoleServer) -> None:
    agent = await open_person(french, "claire", PAUL, "orange-fr")
    path, hidden = agent.find_form("ticket")
    fields = hidden | {"answer": "Nous remboursons."}
    pages = [await agent.post(path, fields) for _ in range(2)]
    assert all("The ticket is changed" in page.visible_text for page in pages)
    assert ["Nous remboursons" in body for body in await bodies(french)] == [True]
    ((operator, who, reference, _),) = await french.audit_entries("console.ticket_answered")
    assert (operator, who, reference) == ("orange-fr", "claire", hidden["reference"])


async def test_a_ticket_is_closed_without_a_message(french: ConsoleServer) -> None:
    agent = await open_person(french, "claire", PAUL, "orange-fr")
    page = await agent.press("ticket", close="yes", answer="")
    assert "closed" in page.visible_text and not await bodies(french)
    assert len(await french.audit_entries("console.ticket_closed")) == 1


async def test_an_answer_that_is_too_long_is_shown_again_as_text(french: ConsoleServer) -> None:
    agent = await open_person(french, "claire", PAUL, "orange-fr")
    page = await agent.press("ticket", answer=HOSTILE + "x " * 400)
    assert page.status == 422 and "shorten it" in page.visible_text
    assert "<script" not in page.text and "&lt;script&gt;" in page.text and not await bodies(french)


async def test_a_subscribers_words_are_text(french: ConsoleServer) -> None:
    poison = text("UPDATE tickets SET detail = :words, answer = :words")
    await french.sandbox.container.database.write(lambda c: c.execute(poison, {"words": HOSTILE}))
    page = await (await french.signed_in("claire")).look_up(PAUL, "orange-fr")
    assert "<script" not in page.text and page.text.count("&lt;script&gt;") == 3


async def test_no_answer_goes_to_a_new_owner_or_unchecked(french: ConsoleServer) -> None:
    agent = await open_person(french, "claire", PAUL, "orange-fr")
    french.sandbox.faulty_billing.set_state("down")
    french.sandbox.clock.advance(timedelta(minutes=1))
    page = await agent.press("ticket", answer="Oui")
    assert "owner cannot be checked" in page.visible_text and not await bodies(french)


async def test_stop_is_lifted_for_a_reason_and_recorded(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    agent = await open_person(console, "ioana", ANA)
    path, hidden = agent.find_form("opt-out")
    assert "Choose a reason" in (await agent.post(path, hidden | {"reason": "because"})).visible_text
    pages = [await agent.post(path, hidden | {"reason": "asked_by_phone"}) for _ in range(2)]
    assert "STOP is lifted" in pages[0].visible_text and "nothing was done twice" in pages[1].visible_text
    entries = await console.audit_entries("console.opt_out_lifted")
    assert entries == [("orange-ro", "ioana", "asked_by_phone", "ok")]
    assert ANA not in await dump_table(console.sandbox.container.database, "opt_outs")


async def test_a_notice_is_sent_again_once_for_each_form(console: ConsoleServer) -> None:
    await send_notice(console)
    agent = await open_person(console, "ioana", ANA)
    path, hidden = agent.find_form("resend")
    await asyncio.gather(*(agent.post(path, hidden) for _ in range(4)))
    assert len(await bodies(console)) == 1
    assert len(await console.audit_entries("console.notice_resent")) == 1
    await agent.look_up(ANA)
    assert "goes out once more" in (await agent.press("resend")).visible_text
    assert len(await bodies(console)) == 1


async def test_after_stop_a_notice_sent_again_stays_here(console: ConsoleServer) -> None:
    await send_notice(console)
    await console.phone.send_text(ANA, "477", "STOP")
    await bodies(console)
    agent = await open_person(console, "ioana", ANA)
    await agent.press("resend")
    assert not await bodies(console)


async def test_only_a_notice_of_this_person_is_sent_again(console: ConsoleServer) -> None:
    await send_notice(console)
    await console.phone.send_text(ANA, "477", "ThankYou1")
    await bodies(console)
    ids = text("SELECT id FROM outbox WHERE kind = 'code'")
    codes = await console.sandbox.container.database.read(lambda c: [str(x) for x in c.execute(ids).scalars()])
    agent = await open_person(console, "ioana", ANA)
    _, hidden = agent.find_form("resend")
    other = await open_person(console, "ioana", BARBU)
    path = other.find_form("export")[0].replace("/export", "/resend")
    for row in [*codes, hidden["row"], "0", "x", "9" * 30]:
        fields = {"row": row, "nonce": hidden["nonce"], "form_token": form_token(console, other, path)}
        assert "Nothing was done" in (await other.post(path, fields)).visible_text
    assert codes and not await bodies(console)


def form_token(console: ConsoleServer, browser: StaffMember, path: str) -> str:
    """Return the token of a form that a page does not show."""
    return console.site.csrf_tokens.form_token(browser.session_token, path)


@pytest.mark.parametrize("action", ["ticket", "opt-out", "resend"])
async def test_an_auditor_reads_and_changes_nothing(console: ConsoleServer, action: str) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    auditor = await open_person(console, "adela", ANA)
    path = auditor.find_form("export")[0].replace("/export", f"/{action}")
    fields = {"reason": "asked_by_phone", "row": "1", "form_token": form_token(console, auditor, path)}
    assert (await auditor.post(path, fields)).status == 403
    assert "STOP is lifted" not in (await auditor.look_up(ANA)).visible_text
    assert ANA in await dump_table(console.sandbox.container.database, "opt_outs")


@pytest.mark.parametrize("action", ["opt-out", "resend", "export", "erase"])
async def test_an_action_needs_the_token_of_its_own_form(console: ConsoleServer, action: str) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    agent = await open_person(console, "ioana", ANA)
    path, hidden = agent.find_form("export")
    other = path.replace("/export", f"/{action}")
    for token in ("", "0" * 64, "" if action == "export" else hidden["form_token"]):
        fields = {"reason": "asked_by_phone", "confirmed": "yes", "row": "1", "form_token": token}
        assert (await agent.post(other, fields)).status == 403


async def test_an_export_has_everything_and_is_recorded_first(console: ConsoleServer) -> None:
    await send_notice(console)
    agent = await open_person(console, "ioana", ANA)
    page = await agent.press("export")
    exported = json.loads(page.text)
    assert exported["messages"] and exported["consents"]
    assert "attachment" in page.headers["Content-Disposition"]
    assert await console.audit_entries("console.export") == [("orange-ro", "ioana", "", "ok")]
    assert "ioana" not in page.text


async def test_an_erasure_needs_a_second_person(console: ConsoleServer) -> None:
    await send_notice(console)
    auditor = await open_person(console, "adela", ANA)
    assert "Confirm that" in (await auditor.press("erase")).visible_text
    assert "a second person" in (await auditor.press("erase", confirmed="yes")).visible_text
    await auditor.look_up(ANA)
    assert "done already" in (await auditor.press("erase", confirmed="yes")).visible_text
    page = await auditor.get(ERASURES_PATH)
    (waiting,) = await console.site.erasures.list_waiting({"orange-ro"})
    assert 'value="approve"' not in page.text and ANA not in page.text
    token = form_token(console, auditor, ERASURES_PATH)
    own = {"form_token": token, "id": waiting.id, "decision": "approve"}
    assert "another person must decide" in (await auditor.post(ERASURES_PATH, own)).visible_text
    assert ANA in await dump_table(console.sandbox.container.database, "outbox")


async def approve(console: ConsoleServer, name: str, decision: str) -> str:
    """Decide the only erasure that waits, as a user, and return what the page says."""
    browser = await console.signed_in(name)
    await browser.get(ERASURES_PATH)
    (waiting,) = await console.site.erasures.list_waiting({"orange-ro"})
    token = form_token(console, browser, ERASURES_PATH)
    fields = {"form_token": token, "id": waiting.id, "decision": decision}
    return (await browser.post(ERASURES_PATH, fields)).visible_text


async def test_what_a_second_person_approves_is_erased(console: ConsoleServer) -> None:
    await send_notice(console)
    await (await open_person(console, "adela", ANA)).press("erase", confirmed="yes")
    assert "is erased" in await approve(console, "oscar", "approve")
    for table in ("outbox", "preferences", "console_erasures"):
        assert ANA not in await dump_table(console.sandbox.container.database, table)
    who = [(await console.audit_entries(f"console.erasure_{each}"))[0][1] for each in ("requested", "approved")]
    assert who == ["adela", "oscar"] and not await console.site.erasures.list_waiting({"orange-ro"})
    assert await console.audit_entries("privacy.erase") == [("orange-ro", "oscar", "", "ok")]


async def test_what_is_refused_stays_and_can_be_asked_for_again(console: ConsoleServer) -> None:
    await send_notice(console)
    auditor = await open_person(console, "adela", ANA)
    await auditor.press("erase", confirmed="yes")
    assert "refused" in await approve(console, "oscar", "refuse")
    assert ANA in await dump_table(console.sandbox.container.database, "outbox")
    await auditor.look_up(ANA)
    assert "a second person" in (await auditor.press("erase", confirmed="yes")).visible_text


async def test_another_operators_erasures_are_out_of_reach(console: ConsoleServer) -> None:
    await (await open_person(console, "adela", ANA)).press("erase", confirmed="yes")
    assert "it is not there" in await approve(console, "ines", "approve")


async def test_an_erasure_that_a_fault_interrupts_can_be_approved_again(console: ConsoleServer) -> None:
    await (await open_person(console, "adela", ANA)).press("erase", confirmed="yes")
    fault = "CREATE TRIGGER no_delete BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END"
    database = console.sandbox.container.database
    await send_notice(console)
    await database.write(lambda connection: connection.execute(text(fault)))
    assert "Try again" in await approve(console, "oscar", "approve")
    await database.write(lambda connection: connection.execute(text("DROP TRIGGER no_delete")))
    assert "is erased" in await approve(console, "oscar", "approve")
