"""Privacy: export, erasure, retention and pseudonyms of a line's data; tamper-evident audit trail."""

import asyncio
from argparse import Namespace
from dataclasses import replace
from datetime import date, timedelta

import pytest
from redis.asyncio import from_url
from sqlalchemy import Connection, text

from flows.domain.failures import Failure
from flows.domain.records import Change, Consent, Deed, Notice, Preference, Registration, Secret, Subscriber
from gateway.cli import notify, privacy
from gateway.demo.bss.tmf import TmfBss
from storage.audit.trail import Auditor, SqlAudit
from storage.audit.write_behind import Notebook
from storage.credentials.passwords import SqlPasswords
from storage.ledger.store import SqlLedger
from storage.privacy import retention
from storage.privacy.data_map import Owner
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database
from storage.sql.schema import metadata
from tests.sql import NOW, SECRET, dumped, rows_in
from tests.test_billing_day import listening
from tests.world import World, Worlds

ANA, OTHER = "+40740000101", "+40740000102"
SUBSCRIBER = Subscriber("s-1", "orange-ro", ANA, "a-1", "Ana", "mobile", "residential", "ro", date(2020, 1, 1))
CONSENT = Consent("e-bill", given=True, text="einvoice.ask", language="ro", channel="ussd", proof="line")


def change(key: str, owner: str = "s-1") -> Change:
    deed = Deed("orange-ro", ANA, "einvoice.activate", NOW, "ussd")
    notice = Notice(f"{key}/n", "orange-ro", ANA, "sms", "notice", "Factura 79,90", "ro")
    preference = Preference(language="ro", email="ana@mail.example.net")
    return Change(
        key,
        "orange-ro",
        owner,
        NOW,
        preference=preference,
        consents=(CONSENT,),
        notices=(notice,),
        deeds=(deed,),
    )


async def test_a_line_being_written_at_the_end_is_written_once(database: Database) -> None:
    notebook, loop = Notebook(database, Auditor(SECRET)), asyncio.get_running_loop()
    closing: asyncio.Future[asyncio.Task[None]] = loop.create_future()

    def close() -> None:
        if not closing.done():
            closing.set_result(loop.create_task(notebook.close()))

    def job(connection: Connection) -> None:
        loop.call_soon_threadsafe(close)

    notebook.note(Deed("orange-ro", ANA, "invoice.latest", NOW, "ussd"))
    notebook.later(job)
    await (await closing)

    assert await rows_in(database, "audit") == 1


async def kept(database: Database) -> SqlLedger:
    """Return a ledger with Ana's data."""
    ledger = SqlLedger(database, SECRET)
    await ledger.welcome(ANA, SUBSCRIBER, NOW, NOW.date())
    await ledger._notebook.flush()
    await ledger.commit(change("k"))
    return ledger


async def test_an_export_shows_everything_and_no_secret(database: Database) -> None:
    await kept(database)
    found = await SqlPrivacy(database, SECRET).export(Owner("orange-ro", ANA, "s-1"))
    assert found["preferences"][0]["email"] == "ana@mail.example.net"
    assert found["consents"][0]["what"] == "e-bill" and found["messages"][0]["text"] == "Factura 79,90"
    assert found["audit"][0]["action"] == "einvoice.activate"


async def test_an_export_says_what_no_longer_opens_and_shows_the_rest(database: Database) -> None:
    ledger = await kept(database)
    await SqlLedger(database, Secret("the secret before this one, now gone")).commit(change("older"))
    await ledger.commit(change("newer"))
    found = await SqlPrivacy(database, SECRET).export(Owner("orange-ro", ANA, "s-1"))
    assert [message["text"] for message in found["messages"]] == [
        "Factura 79,90",
        "unreadable",
        "Factura 79,90",
    ]


async def test_a_dry_erase_changes_nothing(database: Database) -> None:
    await kept(database)
    report = await SqlPrivacy(database, SECRET).erase(Owner("orange-ro", ANA, "s-1"), ("tag",), yes=False)
    assert report["preferences"] == "1 deleted" and report["consents"] == "1 kept"
    assert await rows_in(database, "preferences") == 1


async def test_erase_keeps_pseudonymous_rows_only(database: Database) -> None:
    await kept(database)
    await SqlPrivacy(database, SECRET).erase(Owner("orange-ro", ANA, "s-1"), ("tag",), yes=True)
    for table in ("preferences", "passwords", "outbox", "bindings", "links"):
        assert await rows_in(database, table) == 0
    for table in ("consents", "audit"):
        left = await dumped(database, table)
        assert await rows_in(database, table) == 1
        assert "s-1" not in left and "740000101" not in left and "ana@" not in left


@pytest.mark.parametrize("statement", ["UPDATE consents SET given = NOT given", "DELETE FROM consents"])
async def test_consents_can_be_added_and_nothing_else(statement: str, database: Database) -> None:
    await kept(database)
    with pytest.raises(Failure):
        await database.write(lambda connection: connection.execute(text(statement)).close())
    assert await rows_in(database, "consents") == 1


async def chained(database: Database, lines: int = 5) -> SqlAudit:
    auditor = Auditor(SECRET)
    deeds = [Deed("orange-ro", ANA, f"invoice.{n}", NOW, "ussd", f"b-{n}") for n in range(lines)]
    await database.write(lambda connection: auditor.write(connection, deeds))
    audit = SqlAudit(database, auditor)
    assert await audit.chain() >= lines
    return audit


async def test_an_untampered_audit_trail_verifies(database: Database) -> None:
    verdict = await (await chained(database)).verify(NOW)
    assert (verdict.lines, verdict.waiting, verdict.faults) == (5, 0, ())


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET outcome = 'none' WHERE seq = 3", "line 3: altered"),
        ("DELETE FROM audit WHERE seq = 3", "line 4: lines before it are missing"),
        ("DELETE FROM audit WHERE seq = 1", "line 2: the lines before are missing"),
        ("UPDATE audit SET seq = 30 WHERE seq = 3", "line 4: lines before it are missing"),
    ],
)
async def test_a_tampered_audit_trail_shows_where(statement: str, fault: str, database: Database) -> None:
    audit = await chained(database)
    await database.write(lambda connection: connection.execute(text(statement)).close())
    assert fault in (await audit.verify(NOW)).faults


async def test_the_audit_trail_holds_no_number(database: Database) -> None:
    await chained(database)
    assert "740000101" not in await dumped(database, "audit")


async def test_T8_a_recycled_number_knows_nothing_of_the_one_before(database: Database) -> None:
    ledger, passwords = await kept(database), SqlPasswords(database, workers=1)
    await passwords.put("orange-ro", ANA, Secret("ThankYou1"), "password", NOW)
    heir = replace(SUBSCRIBER, id="s-2", since=date(2026, 3, 1))
    assert await ledger.welcome(ANA, heir, NOW, NOW.date()) == Preference()
    assert await passwords.check("orange-ro", ANA, Secret("ThankYou1"), "password", NOW) == "wrong"
    assert await rows_in(database, "preferences") == 0
    assert "line.reassigned" in await dumped(database, "consents")
    passwords.close()


async def test_T8_registrations_of_and_from_a_recycled_number_are_gone(database: Database) -> None:
    ledger = await kept(database)
    for key, line, owner in (("own", ANA, "s-1"), ("other", OTHER, "s-9"), ("elsewhere", OTHER, "s-9")):
        phone = "+40740000777" if key == "elsewhere" else ANA
        made = Registration(phone, line, owner, f"a-{owner}")
        await ledger.commit(Change(key, "orange-ro", owner, NOW, registration=made))
    await ledger.welcome(ANA, replace(SUBSCRIBER, id="s-2", since=date(2026, 3, 1)), NOW, NOW.date())
    assert await ledger.registrations("orange-ro", ANA) == []
    assert [made.line for made in await ledger.registrations("orange-ro", "+40740000777")] == [OTHER]


async def reassigned(sandbox: World, number: str) -> None:
    """Reassign a number to a new subscriber."""
    new = text(
        "UPDATE billing_subscribers SET id = 'heir', account = 'heir', since = :day WHERE msisdn = :number"
    )
    heir = {"number": number, "day": "2026-03-09"}
    await sandbox.house.database.write(lambda connection: connection.execute(new, heir).close())


async def test_T8_a_number_that_moves_in_the_middle_of_a_session_begins_anew(sandbox: World) -> None:
    phone = sandbox.direct()
    await phone.call(ANA, "411")
    await phone.press("1")
    await phone.press("1")
    (notice,) = await sandbox.post.collect()
    code = "".join(filter(str.isdigit, notice.body))[:6]
    assert "de lei" in " ".join((await phone.press(f"{code}#")).lines)
    await sandbox.house.notebook.flush()
    await reassigned(sandbox, ANA)
    sandbox.clock.wait(timedelta(seconds=61))
    shown = await phone.press("1")
    assert shown.lines[0] == "Bine ați venit la Orange."


async def test_the_same_subscriber_keeps_what_was_chosen(database: Database) -> None:
    ledger = await kept(database)
    assert (await ledger.welcome(ANA, SUBSCRIBER, NOW, NOW.date())).language == "ro"
    today = replace(SUBSCRIBER, since=NOW.date())
    assert (await ledger.welcome(ANA, today, NOW, NOW.date())).language == "ro"


async def test_retention_deletes_each_kind_after_its_period(database: Database) -> None:
    await kept(database)
    await chained(database, lines=3)
    assert set((await retention.run(database, NOW)).values()) == {0}
    week = await retention.run(database, NOW + timedelta(days=8))
    assert (week["keys of changes"], week["audit trail"]) == (1, 0)
    year = await retention.run(database, NOW + timedelta(days=366))
    assert year["audit trail"] == 3
    audit = SqlAudit(database, Auditor(SECRET))
    assert (await audit.verify(NOW + timedelta(days=366))).faults == ()


async def lived(sandbox: World) -> None:
    """Create data of every kind: changes, codes, address, registration, opt-out, live sessions."""
    phone = sandbox.direct()
    for body in ("ThankYou1", "WrongOne1", "EFACTURA", "NOTIF EMAIL ana@mail.example.net", "STOP", "FACTURA"):
        await phone.text(ANA, "477", body)
    await phone.dial(ANA, "*100*1*1#")
    await sandbox.post.collect()
    made = Registration(ANA, OTHER, "orange-ro-40740000101", "40740000101")
    ledger = sandbox.house.conversations.people["orange-ro"].world.ledger
    await ledger.commit(Change("r", "orange-ro", made.subscription, sandbox.clock(), registration=made))
    await sandbox.house.notebook.flush()


async def billed(sandbox: World, bss: TmfBss) -> None:
    """Run a bill run by hand, then a BSS event about one of its bills; send everything."""
    args = Namespace(operator="orange-ro", cycle="2026-03", listen=False)
    assert await notify.run(args, sandbox.house) == 0
    assert await bss.announce("ORO-202603-0101") == [204]
    await sandbox.post.collect()


async def traces(sandbox: World) -> list[str]:
    """Return the tables, except billing's, that still hold the number, its subscription or the address."""
    own = [name for name in metadata.tables if not name.startswith("billing_")]
    rows = {name: await dumped(sandbox.house.database, f'"{name}"') for name in own}
    return [name for name, row in rows.items() if "740000101" in row or "ana@mail" in row]


@pytest.mark.redis
async def test_erase_leaves_nothing_of_a_line_anywhere_but_with_billing(
    sandboxes: Worlds, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with sandboxes.open(more={"redis_url": redis_url}) as sandbox, listening(sandbox) as (bss, _):
        await billed(sandbox, bss)
        await lived(sandbox)
        tag, client = sandbox.house.conversations.keys.mark("orange-ro", ANA), from_url(redis_url)
        before = await traces(sandbox)
        assert {"preferences", "consents", "registrations", "outbox", "passwords", "opt_outs"} <= set(before)
        assert [key async for key in client.scan_iter(f"{{{tag}}}*")]
        args = Namespace(command="erase", msisdn=ANA, operator="", yes=True)
        assert await privacy.run(sandbox.house, args) == 0
        assert not await traces(sandbox)
        assert not [key async for key in client.scan_iter(f"{{{tag}}}*")]
        await client.aclose()
        left = await sandbox.house.privacy.export(Owner("orange-ro", ANA, "orange-ro-40740000101"))
    assert {name for name, rows in left.items() if rows} == {"audit"}
    assert "live sessions dropped: 2" in capsys.readouterr().out


async def test_erase_finds_bills_told_to_an_address_only_billing_knows(sandboxes: Worlds) -> None:
    barbu = "orange-ro-40740000102"
    async with sandboxes.open() as sandbox, listening(sandbox) as (bss, _):
        ledger = sandbox.house.conversations.people["orange-ro"].world.ledger
        preference = Preference(notify="email")
        await ledger.commit(Change("k", "orange-ro", barbu, sandbox.clock(), preference=preference))
        await billed(sandbox, bss)
        assert "barbu@example.test" in await dumped(sandbox.house.database, "outbox")
        args = Namespace(command="erase", msisdn=OTHER, operator="", yes=True)
        assert await privacy.run(sandbox.house, args) == 0
        assert "barbu@example.test" not in await dumped(sandbox.house.database, "outbox")
