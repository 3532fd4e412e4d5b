"""What staff did, as an auditor reads it: every deed with who, of the auditor's operators only."""

import pytest
from sqlalchemy import Connection

from flows.domain.records import AuditEntry
from gateway.console.staff_log_page import STAFF_PATH
from storage.console.staff_log import PAGE_ENTRIES, SELECT_ENTRIES
from storage.sql.engine import connect
from tests.storage.console.test_subscriber_story import Explain
from tests.support.console_site import ConsoleServer
from tests.support.console_site import console as console
from tests.support.page_client import ANA, parse_strictly


async def test_an_auditor_sees_who_looked_at_whom(console: ConsoleServer) -> None:
    await (await console.signed_in("ioana")).look_up(ANA)
    await console.new_browser().sign_in("mihai", "wrong")
    page = await (await console.signed_in("adela")).get(STAFF_PATH)
    pseudonym = console.sandbox.container.write_behind.audit_writer.pseudonym("orange-ro", ANA)[:12]
    assert f"2026-03-10 09:00 ioana orange-ro console.view story ok {pseudonym}" in page.visible_text
    assert "mihai - console.sign_in - wrong password" in page.visible_text
    assert "adela - console.staff_log" in page.visible_text and ANA not in page.text


async def test_another_operators_entries_are_not_shown(console: ConsoleServer) -> None:
    await console.site.staff_log.record_entry(
        AuditEntry("bouygues", ANA, "console.view", console.sandbox.clock(), "console", "theirs", "ok", "ines")
    )
    page = await (await console.signed_in("adela")).get(STAFF_PATH)
    assert "theirs" not in page.text and "bouygues" not in page.text


async def test_entries_come_a_page_at_a_time(console: ConsoleServer) -> None:
    now = console.sandbox.clock()
    for n in range(PAGE_ENTRIES + 5):
        entry = AuditEntry("orange-ro", ANA, f"console.a{n}", now, "console", "", "ok", "ioana")
        await console.site.staff_log.record_entry(entry)
    browser = await console.signed_in("adela")
    first = await browser.get(STAFF_PATH)
    (older,) = [each for each in first.text.split('"') if each.startswith(f"{STAFF_PATH}/")]
    assert "console.a50" in first.text and ">console.a0<" not in first.text
    assert ">console.a0<" in (await browser.get(older)).text
    assert (await browser.get(f"{STAFF_PATH}/{'9' * 40}")).status == 200


@pytest.mark.parametrize("name", ["ioana", "oscar", "mihai"])
async def test_it_is_for_auditors_only(console: ConsoleServer, name: str) -> None:
    assert (await (await console.signed_in(name)).get(STAFF_PATH)).status == 403


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_page_is_sound_html(console: ConsoleServer, language: str) -> None:
    page = await (await console.signed_in("adela")).get(f"{STAFF_PATH}?lang={language}")
    assert parse_strictly(page).root["lang"] == language


@pytest.mark.postgres
async def test_the_entries_of_staff_are_read_by_their_index(postgres_database: str) -> None:
    database = connect(postgres_database)

    def job(connection: Connection) -> str:
        values = {"of": ["", "orange-ro"], "before": 9}
        return "\n".join(row[0] for row in connection.execute(Explain(SELECT_ENTRIES), values))

    plan = await database.read(job)
    await database.close()
    assert "ix_audit_console" in plan
