"""A session on the simulated SMSC: binds, submits, receipts, incoming messages, unbind both ways."""

import asyncio

import pytest

from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.smpp.wire.bodies import ShortMessage, SmppAddress
from gateway.smpp.wire.protocol import Command, Tag
from gateway.smpp.wire.sms_records import NotSubmitted, SubmitAccepted, SubmitRefused
from tests.gateway.smpp.session_bench import SENDER, SERVICE, bound_session


@pytest.mark.parametrize(
    ("mode", "kinds"), [("transceiver", ["transceiver"]), ("pair", ["transmitter", "receiver"])]
)
async def test_a_bind_or_a_pair_sends_and_takes(mode: str, kinds: list[str]) -> None:
    async with bound_session(bind_mode=mode) as bench:
        assert [connection.bind_kind for connection in bench.smsc.connections] == kinds
        assert isinstance(await bench.submit(), SubmitAccepted)
        assert await bench.text() == 0
        assert [message.text for message in bench.messages] == ["ThankYou1"]


async def test_a_submit_says_what_an_smsc_needs() -> None:
    async with bound_session() as bench:
        outcome = await bench.submit("+40740000101", "Factura: 45,20 €", wants_receipt=True)
        (sent,) = bench.smsc.submits
    assert isinstance(outcome, SubmitAccepted)
    assert (sent.destination, sent.source) == (SmppAddress("40740000101", 1, 1), SENDER)
    assert (sent.octets, sent.data_coding, sent.registered_delivery) == (b"Factura: 45,20 \x1be", 0, 1)
    assert sent.tlvs == {Tag.USER_MESSAGE_REFERENCE: outcome.reference.to_bytes(2, "big")}


@pytest.mark.parametrize(
    ("form", "notation"),
    [("text", "decimal"), ("text", "hexadecimal"), ("tlv", "decimal"), ("tlv", "hexadecimal")],
)
async def test_a_receipt_finds_its_message_by_id(form: str, notation: str) -> None:
    modes = SmscModes(receipt_form=form, id_notation=notation)  # type: ignore[arg-type]
    async with bound_session(modes) as bench:
        outcome = await bench.submit(wants_receipt=True)
        await bench.wait_for("receipts")
        assert isinstance(outcome, SubmitAccepted)
        assert outcome.message_ids[0] in bench.receipts[0].message_ids
        assert bench.receipts[0].state == "delivered"


async def test_a_receipt_without_an_id_finds_its_message_by_reference() -> None:
    async with bound_session(SmscModes(receipt_form="reference", id_notation="meaningless")) as bench:
        outcome = await bench.submit(wants_receipt=True)
        await bench.wait_for("receipts")
        assert isinstance(outcome, SubmitAccepted)
        assert outcome.message_ids[0] not in bench.receipts[0].message_ids
        assert (bench.receipts[0].reference, bench.receipts[0].recipient.number) == (
            outcome.reference,
            "40740000101",
        )


async def test_a_receipt_that_overtakes_the_response_comes_after_the_outcome() -> None:
    modes = SmscModes(receipt_first=True, receipt_twice=True, answer_seconds=0.05)
    async with bound_session(modes) as bench:
        outcome = await bench.submit(wants_receipt=True)
        await bench.wait_for("receipts", 2)
        assert bench.events[0] == outcome


async def test_a_long_text_goes_in_parts_under_one_reference() -> None:
    async with bound_session(long_texts="udh16") as bench:
        outcome = await bench.submit(text="a" * 400)
        assert isinstance(outcome, SubmitAccepted)
        assert len(outcome.message_ids) == len(bench.smsc.submits) == 3
        assert {sent.esm_class for sent in bench.smsc.submits} == {0x40}


async def test_a_ussd_operation_is_never_split() -> None:
    tlvs = {Tag.USSD_SERVICE_OP: b"\x02", Tag.ITS_SESSION_INFO: b"\x12\x34"}
    async with bound_session() as bench:
        await bench.submit(text="a" * 182, tlvs=tlvs, service_type="USSD", gsm7_coding=15)
        (sent,) = bench.smsc.submits
    assert (len(sent.octets), sent.data_coding, sent.service_type) == (182, 15, "USSD")
    assert sent.tlvs[Tag.ITS_SESSION_INFO] == b"\x12\x34"


@pytest.mark.parametrize(
    ("status", "kind"), [(0x0B, "recipient"), (0x0A, "ours"), (0x08, "temporary"), (0x40A, "opted_out")]
)
async def test_a_refusal_tells_whose_fault_it_is(status: int, kind: str) -> None:
    async with bound_session(SmscModes(refuse_next=[status]), status_kinds={0x40A: "opted_out"}) as bench:
        outcome = await bench.submit()
    assert isinstance(outcome, SubmitRefused)
    assert (outcome.status, outcome.kind) == (status, kind)


async def test_a_text_or_number_smpp_cannot_carry_is_not_submitted() -> None:
    async with bound_session() as bench:
        assert await bench.submit("4" * 30) == NotSubmitted("unsendable")
        assert await bench.submit(text="a" * 153 * 256) == NotSubmitted("unsendable")
        assert bench.smsc.submits == []


async def test_parts_of_a_long_text_are_one_message() -> None:
    source = SmppAddress("40740000101", 1, 1)
    async with bound_session() as bench:
        for number in (2, 1):
            octets = bytes([5, 0, 3, 7, 2, number]) + (b"Pass" if number == 1 else b"word")
            assert await bench.smsc.deliver(ShortMessage(source, SERVICE, octets, esm_class=0x40)) == 0
        assert [message.text for message in bench.messages] == ["Password"]


async def test_a_ussd_operation_and_its_session_arrive() -> None:
    tlvs = {Tag.USSD_SERVICE_OP: b"\x01", Tag.ITS_SESSION_INFO: b"\xff\xfe"}
    async with bound_session() as bench:
        await bench.smsc.deliver(ShortMessage(SmppAddress("4074", 1, 1), SERVICE, b"*100#", 15, tlvs=tlvs))
        (message,) = bench.messages
    assert (message.ussd_operation, message.text) == (1, "*100#")
    assert message.tlvs[Tag.ITS_SESSION_INFO] == b"\xff\xfe"


async def test_the_status_of_the_callback_is_the_answer() -> None:
    async with bound_session() as bench:
        bench.statuses += [0x64, 0x58]
        assert [await bench.text(), await bench.text(), await bench.text()] == [0x64, 0x58, 0]


async def test_an_unbind_of_the_smsc_is_answered_and_the_session_comes_back() -> None:
    async with bound_session() as bench:
        bench.smsc.connections[0].send_request(Command.UNBIND)
        await bench.rebind()
        assert isinstance(await bench.submit(), SubmitAccepted)


async def test_draining_waits_for_the_window_and_turns_new_messages_away() -> None:
    async with bound_session(SmscModes(answer_seconds=0.1)) as bench:
        submit = asyncio.create_task(bench.submit())
        await asyncio.sleep(0)
        drain = asyncio.create_task(bench.session.drain(5))
        await asyncio.sleep(0)
        assert await bench.text() == 0x14
        await drain
        assert isinstance(await submit, SubmitAccepted)
        assert (await bench.submit(), bench.session.state) == (NotSubmitted("draining"), "down")


async def test_an_unknown_request_gets_a_nack_and_an_alert_nothing() -> None:
    async with bound_session() as bench:
        connection = bench.smsc.connections[0]
        connection.send_request(Command.ALERT_NOTIFICATION, b"\1\1" + b"4\0" + b"\0\0\0")
        connection.send_request(0x00010200, b"abc")
        assert await bench.text() == 0
        assert bench.session.counters.malformed == 0


async def test_an_smsc_that_takes_no_tlvs_gets_none() -> None:
    async with bound_session(with_reference=False) as bench:
        await bench.submit()
        assert bench.smsc.submits[0].tlvs == {}
