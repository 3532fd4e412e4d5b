"""Conversations over SMPP: activations in every dialect, codes by SMS, repeats, hang-ups, a full house."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.domain.failures import Overloaded
from flows.domain.records import OutboundMessage
from flows.engine.conversation import TurnEngine
from gateway.providers._shared import running_turns
from gateway.providers._smpp.dialect import load_dialects
from gateway.providers.contract import Link
from gateway.server.health import Health
from gateway.smpp.wire.protocol import Status
from storage.outbox.sql_outbox import OutboxRow
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.server_processes import poll_until
from tests.support.smpp_phone import connect_smpp, hold_links, smpp_settings
from tests.support.smsc_server import serve_smsc

ANA = "+40740000101"
DIALECTS = [name for name, each in load_dialects().items() if not each.unusable]
BY_SMPP = {"routes": {"sms": "smpp"}}


async def sent_row(sandbox: GatewaySandbox) -> OutboxRow:
    (row,) = [*await sandbox.container.outbox.list_rows("sent", 9)]
    return row


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_e_invoicing_is_activated(dialect: str, sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, dialect) as (phone, sandbox):
        screens = [await phone.dial(ANA, "*100#")]
        screens += [await phone.press(key) for key in ("1", "1", "3", "1")]
        sent = await sandbox.messages.collect_new()
    assert screens[0].lines[0] == "Bine ati venit la Orange!"
    assert [screen.ends for screen in screens] == [False] * 4 + [True]
    assert screens[-1].lines[0].startswith("Gata! Factura electronica este activa pentru 07***101.")
    assert [notice.body.split(":")[0] for notice in sent] == ["Orange"]


@pytest.mark.parametrize("dialect", ["plain", "sixdee", "notify-end"])
async def test_the_code_can_be_dialled_again_after_the_end(dialect: str, sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, dialect) as (phone, _):
        await phone.dial(ANA, "*100#")
        assert (await phone.press("0")).ends
        phone.session_numbers = iter([phone.session])
        again = await phone.dial(ANA, "*100#")
    assert again.lines[0] == "Bine ati venit la Orange!" and not again.ends


async def test_a_password_texted_to_477_earns_a_code_by_sms(sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, more=BY_SMPP) as (phone, sandbox):
        connection = await phone.smsc.bound()
        assert await connection.deliver(phone.write_sms(ANA, "477", "ThankYou1")) == Status.OK
        await sandbox.container.outbox_worker.run_once()
        (message,) = phone.smsc.taken
        row = await sent_row(sandbox)
    assert message.source.number == "477" and message.destination.number == ANA[1:]
    assert b"codul dvs. este" in message.octets and message.registered_delivery == 1
    assert (row.provider, row.message_id) == ("smpp", "orange-ro/1a2b1")


@pytest.mark.parametrize("written", ["1a2b1", "0000107185", "107185"])
async def test_a_receipt_finds_its_message_in_any_notation(written: str, sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, more=BY_SMPP) as (phone, sandbox):
        connection = await phone.smsc.bound()
        await connection.deliver(phone.write_sms(ANA, "477", "ThankYou1"))
        await sandbox.container.outbox_worker.run_once()
        row = await sent_row(sandbox)
        text = f"id:{written} sub:001 dlvrd:001 done date:2611271200 stat:DELIVRD err:000 text:"
        receipt = replace(phone.write_sms(ANA, "477", text), esm_class=0x04)
        assert await connection.deliver(receipt) == Status.OK
        found = await sandbox.container.outbox.find_row(row.id)
    assert found is not None and found.state == "delivered"


@pytest.mark.parametrize("kind", ["ussd", "sms"])
async def test_the_same_words_twice_are_two_moves(kind: str, sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes) as (phone, _):
        if kind == "ussd":
            await phone.dial(ANA, "*100#")
            shown = [await phone.press("1") for _ in range(2)]
        else:
            shown = [await phone.send_text(ANA, "477", "HELP") for _ in range(2)]
    assert all(screen.lines for screen in shown)
    assert (shown[0] == shown[1]) == (kind == "sms")


async def test_a_key_delivered_again_before_its_screen_was_taken_moves_once(sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes) as (phone, _):
        await phone.dial(ANA, "*100#")
        phone.smsc.status_for = lambda message: Status.SYSTEM_ERROR
        connection = await phone.smsc.bound()
        await connection.deliver(phone.write_ussd((18,), "1"))
        await phone.smsc.wait_until(lambda: len(phone.smsc.taken) == 2)
        phone.smsc.status_for = lambda message: Status.OK
        screen = await phone.repeat_last()
    assert screen.lines[0] == "Buget"


async def test_a_text_delivered_again_after_the_link_broke_is_answered_once(
    sandboxes: SandboxFactory,
) -> None:
    async with connect_smpp(sandboxes) as (phone, sandbox):
        first = await phone.send_text(ANA, "477", "FACTURA")
        assert phone.last is not None and first.lines
        phone.smsc.drop_connections()
        await phone.smsc.wait_until(lambda: not phone.smsc.connections)
        connection = await phone.smsc.bound()
        assert await connection.deliver(phone.last) == Status.OK
        assert not (await phone.collect_reply()).lines
        assert await count_rows(sandbox.container.database, "outbox") == 1


async def fail_turn(*_: object) -> None:
    raise Overloaded


async def test_a_text_that_could_not_be_stored_is_left_to_the_smsc(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_smpp(sandboxes) as (phone, _):
        connection = await phone.smsc.bound()
        with monkeypatch.context() as broken:
            broken.setattr(TurnEngine, "run_turn", fail_turn)
            refused = await connection.deliver(phone.write_sms(ANA, "477", "FACTURA"))
        taken = await connection.deliver(phone.write_sms(ANA, "477", "FACTURA"))
        reply = await phone.collect_reply()
    assert (refused, taken) == (Status.TEMPORARY_APP_ERROR, Status.OK) and reply.lines


async def test_a_caller_who_hangs_up_is_gone(sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes) as (phone, sandbox):
        await phone.dial(ANA, "*100#")
        ended: list[str] = []
        sandbox.container.conversations.close_listeners.append(ended.append)
        await phone.hang_up()
    assert len(ended) == 1


async def test_a_new_caller_for_whom_there_is_no_room_gets_an_apology(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_smpp(sandboxes) as (phone, sandbox):
        monkeypatch.setattr(running_turns, "MAX_TURNS", 0)
        screen = await phone.dial(ANA, "*100#")
        (link,) = sandbox.container.links.pool.links.values()
    assert screen.ends and screen.lines[0]
    assert link.report().turned_away == 1


async def test_a_failure_ends_with_a_screen_not_with_silence(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_smpp(sandboxes) as (phone, _):
        monkeypatch.setattr(TurnEngine, "run_turn", fail_turn)
        screen = await phone.dial(ANA, "*100#")
    assert screen.lines[0] and screen.ends


async def has_state(link: Link, state: str) -> bool:
    return link.report().state == state


async def test_a_wrong_password_is_refused_and_shows(sandboxes: SandboxFactory) -> None:
    async with serve_smsc("another") as smsc:
        settings = {"operators": {"orange-ro": {"smpp": smpp_settings(smsc.port)}}}
        async with sandboxes.open(more=settings) as sandbox, hold_links(sandbox):
            await smsc.wait_until(lambda: smsc.refused_binds == 1)
            (link,) = sandbox.container.links.pool.links.values()
            await poll_until(lambda: has_state(link, "refused"), 20)
            health = Health(sandbox.container, needs_links=True)
            exposition = sandbox.container.metrics_registry.render_exposition().decode()
            assert await health.find_faults() == ["link orange-ro/smpp/0: refused"]
    labels = '{operator="orange-ro",provider="smpp",slot="0"}'
    assert f"dialtree_link_up{labels} 0.0" in exposition
    assert f"dialtree_link_refused{labels} 1.0" in exposition


async def test_a_bound_link_shows_in_the_metrics_and_makes_ready(sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes) as (phone, sandbox):
        await phone.dial(ANA, "*100#")
        exposition = sandbox.container.metrics_registry.render_exposition().decode()
        faults = await Health(sandbox.container, needs_links=True).find_faults()
    labels = '{operator="orange-ro",provider="smpp",slot="0"}'
    assert f"dialtree_link_up{labels} 1.0" in exposition and faults == []
    assert f"dialtree_link_last_pdu_age_seconds{labels} " in exposition


async def test_the_rate_counts_every_submit_of_a_long_text(sandboxes: SandboxFactory) -> None:
    async with connect_smpp(sandboxes, more={**BY_SMPP, "rates": {"sms": 3}}) as (phone, sandbox):
        route = sandbox.container.outbox_worker.routes["orange-ro", "sms"]
        long_text = OutboundMessage("k", "orange-ro", ANA, "sms", "notice", "a" * 307, "ro")
        (link,) = sandbox.container.links.pool.links.values()
        await poll_until(lambda: has_state(link, "up"), 20)
        assert route.reserve_or_delay(long_text) is None
        await route.send([long_text])
        later = route.reserve_or_delay(replace(long_text, key="l", body="short"))
        assert len(phone.smsc.taken) == 3 and later == sandbox.clock() + timedelta(seconds=1 / 3)
