"""Texts by data_coding: what other programs sent is read, what we send is what the SMSC expects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.wire.bodies import decode_short_message
from gateway.smpp.wire.concatenation import UserDataHeader, read_udh
from gateway.smpp.wire.data_coding import CodingRules, alphabet_of, decode_text, encode_text, octets_for_wire
from gateway.smpp.wire.protocol import Command
from menus.text.gsm import to_wire_text
from tests.gateway.smpp.recorded_pdus import read_recording

RULES, PACKED = CodingRules(), CodingRules("gsm7-packed")
RECORDED_TEXTS = {
    0x3FB: "COD 12€",
    0x3FC: "COD 12",
    0x3FD: "prêté ç",
    0x3FE: "فاتورة",
    0x3FF: "ok 👍",
    0x400: "EFACTURA",
    0x408: "ş",
    0x409: "x",
}
"""By sequence number: GSM-7, IA5, Latin-1, UCS-2, a surrogate pair, a final NUL, a shift table, a port."""


@pytest.mark.parametrize("sequence", RECORDED_TEXTS, ids=hex)
def test_recorded_texts_are_read(sequence: int) -> None:
    recorded = [entry.pdu for entry in read_recording("sms_in_all_forms.node-from-node.jsonl")]
    (pdu,) = [pdu for pdu in recorded if (pdu.command, pdu.sequence) == (Command.DELIVER_SM, sequence)]
    message = decode_short_message(pdu.command, pdu.body)
    udh = read_udh(message.octets) if message.has_udh else UserDataHeader()
    shifts = (udh.locking_shift, udh.single_shift)
    text = decode_text(message.octets[udh.octets :], message.data_coding, RULES, udh.octets, shifts)
    assert text == RECORDED_TEXTS[sequence]


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0, "gsm7"),
        (1, "gsm7"),
        (3, "latin1"),
        (4, "binary"),
        (8, "ucs2"),
        (15, "gsm7"),
        (17, "ucs2"),
        (24, "ucs2"),
        (72, "ucs2"),
        (64, "gsm7"),
        (240, "gsm7"),
        (244, "binary"),
        (224, "ucs2"),
    ],
)
def test_a_data_coding_names_an_alphabet(data_coding: int, alphabet: str) -> None:
    assert alphabet_of(data_coding) == alphabet


@given(st.text(max_size=200), st.sampled_from(["gsm7", "gsm7-packed", "latin1"]))
def test_what_we_send_is_read_again(text: str, alphabet: str) -> None:
    rules = CodingRules(alphabet)  # type: ignore[arg-type]
    encoded = encode_text(text, rules)
    octets = octets_for_wire(encoded.octets, encoded.alphabet, rules)
    read = decode_text(octets, encoded.data_coding, rules)
    sent = to_wire_text(text).encode("utf-16-be", "replace").decode("utf-16-be")
    assert read.rstrip("\0@\r") == sent.rstrip("\0@\r")


@given(st.binary(max_size=160), st.integers(0, 255), st.sampled_from([RULES, PACKED, CodingRules("latin1")]))
def test_any_octets_are_read_without_raising(octets: bytes, data_coding: int, rules: CodingRules) -> None:
    decode_text(octets, data_coding, rules, 6)


def test_a_text_of_the_alphabet_is_gsm7_and_any_other_ucs2() -> None:
    rules = CodingRules(gsm7_coding=15, ucs2_coding=0x48)
    assert encode_text("Factură", rules).data_coding == 0x48
    assert encode_text("Facture: 45,20 €", rules) == encode_text("Facture:\u00a045,20 €", rules)
    assert encode_text("Facture: 45,20 €", rules).data_coding == 15


def test_a_single_nul_is_a_text_and_a_final_one_is_not() -> None:
    assert decode_text(b"\0", 0, RULES) == "@"
    assert decode_text(b"AB\0", 0, RULES) == "AB"
