"""Delivery receipts in every form that was recorded, and the ids they may be found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.wire.bodies import ShortMessage, SmppAddress, decode_message_id, decode_short_message
from gateway.smpp.wire.protocol import Command
from gateway.smpp.wire.receipt_parsing import id_notations, is_delivery_receipt, read_receipt
from gateway.smpp.wire.sms_records import DeliveryReceipt
from tests.gateway.smpp.recorded_pdus import read_recording

RECIPIENT, SENDER = SmppAddress("40740000101", 1, 1), SmppAddress("477", 3, 0)


def receipt_of(text: str, tlvs: dict[int, bytes] | None = None, esm_class: int = 0x04) -> DeliveryReceipt:
    message = ShortMessage(RECIPIENT, SENDER, text.encode(), esm_class=esm_class, tlvs=tlvs or {})
    assert is_delivery_receipt(message, text)
    return read_receipt(message, text)


def recorded_receipts(name: str) -> list[DeliveryReceipt]:
    found = []
    for entry in read_recording(name):
        if entry.pdu.command == Command.DELIVER_SM:
            message = decode_short_message(entry.pdu.command, entry.pdu.body)
            text = message.octets.decode("latin-1")
            found += [read_receipt(message, text)] if is_delivery_receipt(message, text) else []
    return found


def answered_ids(name: str) -> set[str]:
    responses = [entry.pdu for entry in read_recording(name) if entry.pdu.command == 0x80000004]
    return {decode_message_id(pdu.body) for pdu in responses} - {""}


def test_every_recorded_receipt_names_a_message_that_was_answered() -> None:
    name = "sms_out_all_outcomes.smpplib-to-node.jsonl"
    receipts, answered = recorded_receipts(name), answered_ids(name)
    assert len(receipts) >= 6
    assert all(answered & set(receipt.message_ids) for receipt in receipts)
    assert {receipt.state for receipt in receipts} == {"delivered", "failed"}


def test_a_receipt_without_a_usable_id_has_the_reference() -> None:
    receipt = recorded_receipts("osmo-msc_sms_in_receipt_alert.jsonl")[0]
    assert (receipt.reference, receipt.state) == (0, "delivered")


def test_a_decimal_id_is_found_by_the_hexadecimal_one_of_the_answer() -> None:
    receipt = receipt_of("id:0001715004 sub:001 dlvrd:001 submit date:2611271200 stat:DELIVRD err:000 text:x")
    assert {"0001715004", "1a2b3c", "1A2B3C", "1715004"} <= set(receipt.message_ids)
    assert receipt.message_ids[0] == "0001715004"


def test_the_tlv_goes_before_the_text() -> None:
    receipt = receipt_of("id:7 stat:UNDELIV err:0A1 text:", {0x001E: b"abc\0", 0x0427: b"\x02"})
    assert receipt.message_ids[:2] == ("abc", "7")
    assert (receipt.state, receipt.error_code) == ("delivered", "0A1")


@pytest.mark.parametrize(
    ("stat", "state", "is_final"),
    [
        ("DELIVRD", "delivered", True),
        ("UNDELIV", "failed", True),
        ("EXPIRED", "failed", True),
        ("REJECTD", "failed", True),
        ("ACCEPTD", "in_transit", False),
        ("enroute", "in_transit", False),
        ("NEWWORD", "unknown", True),
    ],
)
def test_the_word_tells_the_state(stat: str, state: str, *, is_final: bool) -> None:
    receipt = receipt_of(f"id:1 stat:{stat} err:000")
    assert (receipt.state, receipt.is_final) == (state, is_final)


def test_what_the_quoted_text_says_is_not_believed() -> None:
    receipt = receipt_of("id:1 stat:UNDELIV err:001 text:id:2 stat:DELIVRD")
    assert (receipt.state, receipt.message_ids[0]) == ("failed", "1")
    assert receipt_of("id:1 err:001 text:stat:DELIVRD").state == "unknown"
    assert receipt_of("id:1 stat:UNDELIV id:2 stat:DELIVRD").state == "failed"


def test_an_intermediate_notification_is_not_final() -> None:
    assert not receipt_of("id:1 stat:UNKNOWN err:000", esm_class=0x20).is_final


def test_a_receipt_is_known_by_its_form_where_the_mark_is_missing() -> None:
    text = "id:77 sub:001 dlvrd:001 submit date:2611271200 done date:2611271201 stat:DELIVRD err:000 text:"
    assert receipt_of(text, esm_class=0).state == "delivered"


def test_a_text_of_a_subscriber_is_no_receipt() -> None:
    assert not is_delivery_receipt(ShortMessage(RECIPIENT, SENDER, b"id: my card"), "id: my card")


@given(st.text(max_size=80))
def test_any_id_has_notations_and_none_is_its_own_twin(message_id: str) -> None:
    assert all(isinstance(other, str) for other in id_notations(message_id))


@given(
    st.text(max_size=200), st.dictionaries(st.sampled_from([0x1E, 0x204, 0x423, 0x427]), st.binary(max_size=70))
)
def test_any_receipt_is_read_without_raising(text: str, tlvs: dict[int, bytes]) -> None:
    read_receipt(ShortMessage(RECIPIENT, SENDER, esm_class=4, tlvs=tlvs), text)
