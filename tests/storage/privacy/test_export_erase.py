"""Privacy: export, erasure, retention and pseudonyms of a line's data; tamper-evident audit log."""

import asyncio
from argparse import Namespace
from dataclasses import replace
from datetime import date, timedelta

import pytest
from redis.asyncio import from_url
from sqlalchemy import Connection, text

from flows.domain.email_registration import Registration
from flows.domain.failures import Failure
from flows.domain.records import (
    AuditEntry,
    ChangeSet,
    Consent,
    OutboundMessage,
    Preference,
    Secret,
    Subscriber,
)
from gateway.cli import notify, privacy
from gateway.demo.bss.tmf_server import TmfBss
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.audit.write_behind import WriteBehind
from storage.credentials.passwords import SqlPasswords
from storage.ledger.sql_ledger import SqlLedger
from storage.privacy import retention
from storage.privacy.data_map import DataSubject
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database
from storage.sql.tables import metadata
from tests.gateway.delivery.test_bill_run import serve_bill_events
from tests.storage.audit.test_trail import write_chain
from tests.support.databases import NOW, SECRET, count_rows, dump_table
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

ANA, OTHER = "+40740000101", "+40740000102"
SUBSCRIBER = Subscriber("s-1", "orange-ro", ANA, "a-1", "Ana", "mobile", "residential", "ro", date(2020, 1, 1))
CONSENT = Consent(
    "e-bill", is_given=True, text_name="einvoice.ask", language="ro", channel="ussd", proof="line"
)


def build_change(key: str, owner: str = "s-1") -> ChangeSet:
    deed = AuditEntry("orange-ro", ANA, "einvoice.activate", NOW, "ussd")
    notice = OutboundMessage(f"{key}/n", "orange-ro", ANA, "sms", "notice", "Factura 79,90", "ro")
    preference = Preference(language="ro", email="ana@mail.example.net")
    return ChangeSet(
        key,
        "orange-ro",
        owner,
        NOW,
        preference=preference,
        consents=(CONSENT,),
        messages=(notice,),
        audit_entries=(deed,),
    )


async def test_a_line_being_written_at_the_end_is_written_once(database: Database) -> None:
    notebook, loop = WriteBehind(database, AuditWriter(SECRET)), asyncio.get_running_loop()
    closing: asyncio.Future[asyncio.Task[None]] = loop.create_future()

    def close() -> None:
        if not closing.done():
            closing.set_result(loop.create_task(notebook.close()))

    def job(connection: Connection) -> None:
        loop.call_soon_threadsafe(close)

    notebook.record_entry(AuditEntry("orange-ro", ANA, "invoice.latest", NOW, "ussd"))
    notebook.run_later(job)
    await (await closing)

    assert await count_rows(database, "audit") == 1


async def seed_ledger(database: Database) -> SqlLedger:
    """Return a ledger with Ana's data."""
    ledger = SqlLedger(database, SECRET)
    await ledger.bind_number(ANA, SUBSCRIBER, NOW, NOW.date())
    await ledger._write_behind.flush()
    await ledger.commit(build_change("k"))
    return ledger


async def test_an_export_shows_everything_and_no_secret(database: Database) -> None:
    await seed_ledger(database)
    steps = list[tuple[int, int]]()
    found = await SqlPrivacy(database, SECRET).export(
        DataSubject("orange-ro", ANA, "s-1"), lambda done, total: steps.append((done, total))
    )
    assert steps == [(done, len(found)) for done in range(1, len(found) + 1)]
    assert found["preferences"][0]["email"] == "ana@mail.example.net"
    assert found["consents"][0]["what"] == "e-bill" and found["messages"][0]["text"] == "Factura 79,90"
    assert found["audit"][0]["action"] == "einvoice.activate"


async def test_an_export_says_what_no_longer_opens_and_shows_the_rest(database: Database) -> None:
    ledger = await seed_ledger(database)
    await SqlLedger(database, Secret("the secret before this one, now gone")).commit(build_change("older"))
    await ledger.commit(build_change("newer"))
    found = await SqlPrivacy(database, SECRET).export(DataSubject("orange-ro", ANA, "s-1"))
    assert [message["text"] for message in found["messages"]] == [
        "Factura 79,90",
        "unreadable",
        "Factura 79,90",
    ]


async def test_a_dry_erase_changes_nothing(database: Database) -> None:
    await seed_ledger(database)
    report = await SqlPrivacy(database, SECRET).erase(
        DataSubject("orange-ro", ANA, "s-1"), ("tag",), confirmed=False
    )
    assert report["preferences"] == "1 deleted" and report["consents"] == "1 kept"
    assert await count_rows(database, "preferences") == 1


async def test_erase_keeps_pseudonymous_rows_only(database: Database) -> None:
    await seed_ledger(database)
    await SqlPrivacy(database, SECRET).erase(DataSubject("orange-ro", ANA, "s-1"), ("tag",), confirmed=True)
    for table in ("preferences", "passwords", "outbox", "bindings", "links"):
        assert await count_rows(database, table) == 0
    for table in ("consents", "audit"):
        left = await dump_table(database, table)
        assert await count_rows(database, table) == 1
        assert "s-1" not in left and "740000101" not in left and "ana@" not in left


@pytest.mark.parametrize("statement", ["UPDATE consents SET given = NOT given", "DELETE FROM consents"])
async def test_consents_can_be_added_and_nothing_else(statement: str, database: Database) -> None:
    await seed_ledger(database)
    with pytest.raises(Failure):
        await database.write(lambda connection: connection.execute(text(statement)).close())
    assert await count_rows(database, "consents") == 1


async def test_the_audit_trail_holds_no_number(database: Database) -> None:
    await write_chain(database)
    assert "740000101" not in await dump_table(database, "audit")


async def test_T8_a_recycled_number_knows_nothing_of_the_one_before(database: Database) -> None:
    ledger, passwords = await seed_ledger(database), SqlPasswords(database, workers=1)
    await passwords.set_password("orange-ro", ANA, Secret("ThankYou1"), "password", NOW)
    heir = replace(SUBSCRIBER, id="s-2", since=date(2026, 3, 1))
    assert await ledger.bind_number(ANA, heir, NOW, NOW.date()) == Preference()
    assert await passwords.verify_password("orange-ro", ANA, Secret("ThankYou1"), "password", NOW) == "wrong"
    assert await count_rows(database, "preferences") == 0
    assert "line.reassigned" in await dump_table(database, "consents")
    passwords.close()


async def test_T8_registrations_of_and_from_a_recycled_number_are_gone(database: Database) -> None:
    ledger = await seed_ledger(database)
    for key, line, owner in (("own", ANA, "s-1"), ("other", OTHER, "s-9"), ("elsewhere", OTHER, "s-9")):
        phone = "+40740000777" if key == "elsewhere" else ANA
        made = Registration(phone, line, owner, f"a-{owner}")
        await ledger.commit(ChangeSet(key, "orange-ro", owner, NOW, registration=made))
    await ledger.bind_number(ANA, replace(SUBSCRIBER, id="s-2", since=date(2026, 3, 1)), NOW, NOW.date())
    assert await ledger.list_registrations("orange-ro", ANA) == []
    assert [made.line for made in await ledger.list_registrations("orange-ro", "+40740000777")] == [OTHER]


async def reassign_number(sandbox: GatewaySandbox, number: str) -> None:
    """Reassign a number to a new subscriber."""
    new = text(
        "UPDATE billing_subscribers SET id = 'heir', account = 'heir', since = :day WHERE msisdn = :number"
    )
    heir = {"number": number, "day": "2026-03-09"}
    await sandbox.container.database.write(lambda connection: connection.execute(new, heir).close())


async def test_T8_a_number_that_moves_in_the_middle_of_a_session_begins_anew(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    await phone.call(ANA, "411")
    await phone.press("1")
    await phone.press("1")
    (notice,) = await sandbox.messages.collect_new()
    code = "".join(filter(str.isdigit, notice.body))[:6]
    assert "de lei" in " ".join((await phone.press(f"{code}#")).lines)
    await sandbox.container.write_behind.flush()
    await reassign_number(sandbox, ANA)
    sandbox.clock.advance(timedelta(seconds=61))
    shown = await phone.press("1")
    assert shown.lines[0] == "Bine ați venit la Orange."


async def test_the_same_subscriber_keeps_what_was_chosen(database: Database) -> None:
    ledger = await seed_ledger(database)
    assert (await ledger.bind_number(ANA, SUBSCRIBER, NOW, NOW.date())).language == "ro"
    today = replace(SUBSCRIBER, since=NOW.date())
    assert (await ledger.bind_number(ANA, today, NOW, NOW.date())).language == "ro"


async def test_retention_deletes_each_kind_after_its_period(database: Database) -> None:
    await seed_ledger(database)
    await write_chain(database, lines=3)
    assert set((await retention.apply_retention(database, NOW)).values()) == {0}
    week = await retention.apply_retention(database, NOW + timedelta(days=8))
    assert (week["keys of changes"], week["audit log"]) == (1, 0)
    year = await retention.apply_retention(database, NOW + timedelta(days=366))
    assert year["audit log"] == 3
    audit = SqlAuditChain(database, AuditWriter(SECRET))
    assert (await audit.verify_chain(NOW + timedelta(days=366))).faults == ()


async def create_history(sandbox: GatewaySandbox) -> None:
    """Create data of every kind: changes, codes, address, registration, opt-out, live sessions."""
    phone = sandbox.direct_line()
    for body in ("ThankYou1", "WrongOne1", "EFACTURA", "NOTIF EMAIL ana@mail.example.net", "STOP", "FACTURA"):
        await phone.send_text(ANA, "477", body)
    await phone.dial(ANA, "*100*1*1#")
    await sandbox.messages.collect_new()
    made = Registration(ANA, OTHER, "orange-ro-40740000101", "40740000101")
    ledger = sandbox.container.operators["orange-ro"].ledger
    await ledger.commit(ChangeSet("r", "orange-ro", made.subscription, sandbox.clock(), registration=made))
    await sandbox.container.write_behind.flush()


async def run_billing_day(sandbox: GatewaySandbox, bss: TmfBss) -> None:
    """Run a bill run by hand, then a BSS event about one of its bills; send everything."""
    args = Namespace(operator="orange-ro", cycle="2026-03", listen=False, dry_run=False, confirm=0)
    assert await notify.run_notify(args, sandbox.container) == 0
    assert await bss.announce_bill("ORO-202603-0101") == [204]
    await sandbox.messages.collect_new()


async def tables_with_traces(sandbox: GatewaySandbox) -> list[str]:
    """Return the tables, except billing's, that still hold the number, its subscription or the address."""
    own = [name for name in metadata.tables if not name.startswith("billing_")]
    rows = {name: await dump_table(sandbox.container.database, f'"{name}"') for name in own}
    return [name for name, row in rows.items() if "740000101" in row or "ana@mail" in row]


@pytest.mark.redis
async def test_erase_leaves_nothing_of_a_line_anywhere_but_with_billing(
    sandboxes: SandboxFactory, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sandboxes.open(more={"redis_url": redis_url}) as sandbox, serve_bill_events(sandbox) as (bss, _):
        await run_billing_day(sandbox, bss)
        await create_history(sandbox)
        tag, client = (
            sandbox.container.pseudonyms.keyed_hash("orange-ro", ANA),
            from_url(redis_url),
        )
        before = await tables_with_traces(sandbox)
        assert {"preferences", "consents", "registrations", "outbox", "passwords", "opt_outs"} <= set(before)
        assert [key async for key in client.scan_iter(f"{{{tag}}}*")]
        args = Namespace(command="erase", msisdn=ANA, operator="", yes=True)
        assert await privacy.run_request(sandbox.container, args, "maria") == 0
        assert not await tables_with_traces(sandbox)
        assert not [key async for key in client.scan_iter(f"{{{tag}}}*")]
        await client.aclose()
        left = await sandbox.container.privacy.export(DataSubject("orange-ro", ANA, "orange-ro-40740000101"))
    assert {name for name, rows in left.items() if rows} == {"audit", "opt_outs"}
    assert "live sessions dropped: 2" in capsys.readouterr().out


async def test_erase_finds_bills_told_to_an_address_only_billing_knows(sandboxes: SandboxFactory) -> None:
    barbu = "orange-ro-40740000102"
    async with sandboxes.open() as sandbox, serve_bill_events(sandbox) as (bss, _):
        ledger = sandbox.container.operators["orange-ro"].ledger
        preference = Preference(notify="email")
        await ledger.commit(ChangeSet("k", "orange-ro", barbu, sandbox.clock(), preference=preference))
        await run_billing_day(sandbox, bss)
        assert "barbu@example.test" in await dump_table(sandbox.container.database, "outbox")
        args = Namespace(command="erase", msisdn=OTHER, operator="", yes=True)
        assert await privacy.run_request(sandbox.container, args, "maria") == 0
        assert "barbu@example.test" not in await dump_table(sandbox.container.database, "outbox")
