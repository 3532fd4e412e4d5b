"""Bodies: every recorded message is decoded and encoded again to the same octets."""

import pytest

from gateway.smpp.wire.bodies import (
    BindBody,
    ShortMessage,
    SmppAddress,
    decode_bind,
    decode_message_id,
    decode_short_message,
    encode_bind,
    encode_message_id,
    encode_short_message,
)
from gateway.smpp.wire.pdu import Pdu
from gateway.smpp.wire.protocol import Command, Tag
from tests.gateway.smpp.recorded_pdus import FILES, read_recording

MESSAGES = (Command.SUBMIT_SM, Command.DELIVER_SM, Command.DATA_SM)
WHOLE_FILES = [name for name in FILES if "broken" not in name and name != "osmo-msc_smsc.jsonl"]
CALLER, SERVICE = SmppAddress("40740000101", 1, 1), SmppAddress("477", 3, 0)


def messages_of(name: str) -> list[Pdu]:
    return [entry.pdu for entry in read_recording(name) if entry.pdu.command in MESSAGES]


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_recorded_message_is_encoded_to_the_same_octets(name: str) -> None:
    for pdu in messages_of(name):
        message = decode_short_message(pdu.command, pdu.body)
        if Tag.MESSAGE_PAYLOAD not in message.tlvs:
            assert encode_short_message(message, pdu.command) == pdu.body


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_recorded_bind_is_encoded_to_the_same_octets(name: str) -> None:
    binds = [entry.pdu for entry in read_recording(name) if entry.pdu.command == Command.BIND_TRANSCEIVER]
    for pdu in binds:
        assert encode_bind(decode_bind(pdu.body)) == pdu.body


def test_a_data_sm_carries_its_text_as_payload() -> None:
    message = ShortMessage(CALLER, SERVICE, b"x" * 300, tlvs={Tag.USER_MESSAGE_REFERENCE: b"\x00\x07"})
    body = encode_short_message(message, Command.DATA_SM)
    assert decode_short_message(Command.DATA_SM, body).octets == b"x" * 300


def test_an_error_response_without_a_body_has_no_message_id() -> None:
    assert decode_message_id(b"") == ""
    assert decode_message_id(b"1a2b3c\0") == "1a2b3c"
    assert decode_message_id(encode_message_id("7f3a6c1e-5b1d-4c59-8d35-0f7c9f5d2a11")).endswith("2a11")


@pytest.mark.parametrize(
    "message",
    [
        ShortMessage(SmppAddress("4" * 21), SERVICE),
        ShortMessage(CALLER, SERVICE, bytes(255)),
        ShortMessage(CALLER, SERVICE, service_type="TOOLONG"),
        ShortMessage(SmppAddress("47\x007"), SERVICE),
    ],
    ids=["address", "text", "service type", "NUL in an address"],
)
def test_a_field_that_does_not_fit_is_never_cut(message: ShortMessage) -> None:
    with pytest.raises(ValueError, match="fit"):
        encode_short_message(message)


def test_a_password_of_nine_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="password has 9 octets"):
        encode_bind(BindBody("dialtree", "ninechars"))


def test_neither_number_nor_text_nor_password_is_in_a_repr() -> None:
    shown = repr(ShortMessage(CALLER, SERVICE, b"ThankYou1")) + repr(BindBody("dialtree", "secret"))
    assert not [word for word in ("40740000101", "ThankYou1", "secret") if word in shown]
