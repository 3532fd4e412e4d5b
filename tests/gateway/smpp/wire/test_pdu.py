"""PDUs: framing of a byte stream, TLVs, and what broken ones raise."""

import pytest

from gateway.smpp.wire.bodies import decode_short_message
from gateway.smpp.wire.pdu import (
    MAX_PDU_OCTETS,
    LostFraming,
    MalformedPdu,
    Pdu,
    PduFramer,
    encode_pdu,
    encode_response,
    encode_tlv,
    read_tlvs,
)
from gateway.smpp.wire.protocol import Command
from tests.gateway.smpp.recorded_pdus import BROKEN_CASES, FILES, read_recording

MALFORMED = {
    "tlv_longer_than_pdu",
    "tlv_half_header",
    "no_terminator",
    "address_too_long",
    "sm_length_past_end",
    "empty_deliver",
}
LOST = {"length_15", "length_huge"}


@pytest.mark.parametrize("name", FILES)
def test_a_recording_arrives_whole_however_the_stream_is_cut(name: str) -> None:
    recorded = [entry.octets for entry in read_recording(name)]
    stream, framer = b"".join(recorded), PduFramer()
    pieces = [stream[at : at + 7] for at in range(0, len(stream), 7)]
    pdus = [pdu for piece in pieces for pdu in framer.feed(piece)]
    assert [encode_pdu(pdu) for pdu in pdus] == recorded


def test_many_pdus_in_one_piece_arrive_in_order() -> None:
    pdus = [Pdu(Command.ENQUIRE_LINK, 0, number) for number in range(1, 50)]
    assert list(PduFramer().feed(b"".join(map(encode_pdu, pdus)))) == pdus


@pytest.mark.parametrize("name", sorted(LOST))
def test_an_impossible_length_loses_the_framing(name: str) -> None:
    with pytest.raises(LostFraming):
        list(PduFramer().feed(BROKEN_CASES[name]))


def test_an_impossible_length_is_noticed_before_the_header_is_there() -> None:
    with pytest.raises(LostFraming):
        list(PduFramer().feed((MAX_PDU_OCTETS + 1).to_bytes(4, "big")))


def decode_case(name: str) -> Pdu:
    (pdu,) = PduFramer().feed(BROKEN_CASES[name])
    return pdu


@pytest.mark.parametrize("name", sorted(MALFORMED))
def test_fields_that_do_not_fit_are_a_malformed_pdu(name: str) -> None:
    pdu = decode_case(name)
    with pytest.raises(MalformedPdu):
        decode_short_message(pdu.command, pdu.body)


@pytest.mark.parametrize(
    "name", ["text_and_payload", "vendor_tlv_twice", "session_high_byte", "dc_0x48", "data_sm"]
)
def test_odd_but_whole_pdus_are_read(name: str) -> None:
    pdu = decode_case(name)
    assert decode_short_message(pdu.command, pdu.body).octets


def test_of_a_text_and_a_payload_the_text_counts() -> None:
    pdu = decode_case("text_and_payload")
    assert decode_short_message(pdu.command, pdu.body).octets == b"short"


def test_of_a_tlv_that_comes_twice_the_first_counts() -> None:
    pdu = decode_case("vendor_tlv_twice")
    assert decode_short_message(pdu.command, pdu.body).tlvs == {0x1400: b"\xff\x00"}


def test_a_response_repeats_the_sequence_number() -> None:
    octets = encode_response(Pdu(Command.DELIVER_SM, 0, 0x3E9), 0x08)
    assert octets.hex() == "000000108000000500000008000003e9"


def test_a_tlv_of_more_than_its_length_field_is_refused() -> None:
    assert read_tlvs(encode_tlv(0x0424, bytes(65_535)), 0) == {0x0424: bytes(65_535)}
    with pytest.raises(ValueError, match="65,535 fit"):
        encode_tlv(0x0424, bytes(65_536))
