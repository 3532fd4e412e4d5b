"""Two independent SMPP codecs read what we write, and we read what they write."""

import smpp34
import smpplib.client
import smpplib.smpp
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.wire.bodies import ShortMessage, SmppAddress, decode_short_message, encode_short_message
from gateway.smpp.wire.pdu import HEADER_OCTETS, Pdu, encode_pdu
from gateway.smpp.wire.protocol import Command, Tag

CLIENT = smpplib.client.Client("127.0.0.1", 2775, allow_unknown_opt_params=True)
"""Never connected: it gives PDUs their numbers."""
digits = st.text("0123456789", min_size=1, max_size=20)
tlvs = st.dictionaries(
    st.sampled_from([Tag.ITS_SESSION_INFO, Tag.USER_MESSAGE_REFERENCE]), st.binary(min_size=2, max_size=2)
)
messages = st.builds(
    ShortMessage,
    st.builds(SmppAddress, digits, st.integers(0, 6), st.integers(0, 1)),
    st.builds(SmppAddress, digits, st.integers(0, 6), st.integers(0, 1)),
    st.binary(min_size=1, max_size=254),
    data_coding=st.sampled_from([0, 3, 8, 15, 0x48]),
    esm_class=st.sampled_from([0, 0x40]),
    service_type=st.sampled_from(["", "USSD", "CMT"]),
    registered_delivery=st.integers(0, 1),
    tlvs=tlvs,
)


def as_fields(pdu: smpp34.SubmitSm | smpp34.DeliverSm) -> ShortMessage:
    return ShortMessage(
        SmppAddress(pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi),
        SmppAddress(pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi),
        pdu.short_message,
        pdu.data_coding,
        pdu.esm_class,
        pdu.service_type,
        pdu.registered_delivery,
        {tlv.tag: tlv.value for tlv in pdu.tlvs},
    )


@given(messages)
def test_smpp34_reads_what_we_write(message: ShortMessage) -> None:
    pdu = smpp34.decode(encode_pdu(Pdu(Command.DELIVER_SM, 0, 7, encode_short_message(message))))
    assert isinstance(pdu, smpp34.DeliverSm)
    assert as_fields(pdu) == message


@given(messages)
def test_we_write_what_smpp34_writes(message: ShortMessage) -> None:
    source, destination = message.source, message.destination
    pdu = smpp34.SubmitSm(
        source.number,
        destination.number,
        message.octets,
        source_addr_ton=source.ton,
        source_addr_npi=source.npi,
        dest_addr_ton=destination.ton,
        dest_addr_npi=destination.npi,
        data_coding=message.data_coding,
        esm_class=message.esm_class,
        service_type=message.service_type,
        registered_delivery=message.registered_delivery,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in message.tlvs.items()],
        sequence_number=7,
    )
    ours = encode_pdu(Pdu(Command.SUBMIT_SM, 0, 7, encode_short_message(message)))
    assert pdu.encode() == ours
    assert decode_short_message(Command.SUBMIT_SM, pdu.encode()[HEADER_OCTETS:]) == message


@given(messages)
def test_smpplib_reads_what_we_write(message: ShortMessage) -> None:
    octets = encode_pdu(Pdu(Command.DELIVER_SM, 0, 7, encode_short_message(message)))
    pdu = smpplib.smpp.parse_pdu(octets, client=CLIENT, allow_unknown_opt_params=True)
    assert (pdu.source_addr, pdu.destination_addr) == (
        message.source.number.encode(),
        message.destination.number.encode(),
    )
    assert (pdu.short_message, pdu.data_coding, pdu.esm_class) == (
        message.octets,
        message.data_coding,
        message.esm_class,
    )
