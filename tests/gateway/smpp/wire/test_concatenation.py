"""Long messages: parts by UDH, sar_ TLVs and payload, and put together in any order."""

from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.wire.bodies import ShortMessage, SmppAddress, decode_short_message
from gateway.smpp.wire.concatenation import (
    LongTextMethod,
    PartAssembler,
    PartPlace,
    TextPart,
    UserDataHeader,
    esm_class_of,
    place_of,
    read_udh,
    split_text,
)
from gateway.smpp.wire.data_coding import CodingRules, decode_text, encode_text
from gateway.smpp.wire.protocol import Command
from tests.gateway.smpp.recorded_pdus import read_recording

RULES = CodingRules()
CALLER, SERVICE = SmppAddress("40740000101", 1, 1), SmppAddress("477", 3, 0)
METHODS = get_args(LongTextMethod)


def as_incoming(part: TextPart, data_coding: int = 0) -> ShortMessage:
    return ShortMessage(
        CALLER,
        SERVICE,
        part.octets or part.tlvs.get(0x0424, b""),
        data_coding,
        esm_class_of(part),
        tlvs=part.tlvs,
    )


def assemble(messages: list[ShortMessage], rules: CodingRules = RULES) -> str | None:
    assembler, whole = PartAssembler(), None
    for message in messages:
        udh = read_udh(message.octets) if message.has_udh else UserDataHeader()
        text = decode_text(message.octets[udh.octets :], message.data_coding, rules, udh.octets)
        place = place_of(message, udh)
        whole = text if place is None else assembler.add_part(message, place, text, 0.0)
    return whole


@given(
    st.text(alphabet="ab €[é", min_size=100, max_size=700)
    | st.text(alphabet="فع👍", min_size=30, max_size=300),
    st.sampled_from(METHODS),
    st.sampled_from([RULES, CodingRules("gsm7-packed")]),
)
def test_a_long_text_arrives_whole(text: str, method: LongTextMethod, rules: CodingRules) -> None:
    encoded = encode_text(text, rules)
    parts = split_text(encoded, rules, method, 0x1234)
    received = assemble([as_incoming(part, encoded.data_coding) for part in parts], rules)
    assert received is not None and received.rstrip("\r@") == text.rstrip("\r@")


@pytest.mark.parametrize("method", METHODS)
def test_no_part_is_longer_than_an_sms(method: LongTextMethod) -> None:
    for text in ("a" * 1000, "ș" * 500):
        parts = split_text(encode_text(text, RULES), RULES, method, 7)
        lengths = [len(part.octets) + (6 if method == "sar" else 0) for part in parts]
        assert max(lengths) <= (160 if text[0] == "a" else 140)


def test_160_letters_are_one_sms_and_161_are_two() -> None:
    counts = [len(split_text(encode_text("a" * n, RULES), RULES, "udh8", 7)) for n in (160, 161, 306, 307)]
    assert counts == [1, 2, 2, 3]


@pytest.mark.parametrize("text", ["a" * 152 + "€" + "b" * 100, "ș" * 66 + "👍" + "ș" * 50])
def test_no_cut_goes_through_a_letter(text: str) -> None:
    encoded = encode_text(text, RULES)
    parts = split_text(encoded, RULES, "udh8", 7)
    texts = [decode_text(part.octets[6:], encoded.data_coding, RULES) for part in parts]
    assert "".join(texts) == text


def test_more_than_255_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        split_text(encode_text("a" * 153 * 256, RULES), RULES, "udh8", 7)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_parts_come_in_any_order_and_twice(order: tuple[int, ...]) -> None:
    text = "x" * 150 + "y" * 150 + "z" * 100
    parts = [as_incoming(part) for part in split_text(encode_text(text, RULES), RULES, "udh16", 7)]
    assert assemble([parts[order[0]], *(parts[number] for number in order)]) == text


def test_recorded_parts_are_put_together() -> None:
    recorded = [entry.pdu for entry in read_recording("sms_in_all_forms.node-from-node.jsonl")]
    pdus = {pdu.sequence: pdu for pdu in recorded if pdu.command == Command.DELIVER_SM}
    for first, second in ((0x402, 0x401), (0x403, 0x404), (0x405, 0x406)):
        messages = [decode_short_message(pdus[number].command, pdus[number].body) for number in (second, first)]
        assert assemble(messages) == "Password ThankYou1 " * 9 + "Password "


def test_a_message_taken_is_forgotten_and_an_old_part_too() -> None:
    assembler, message, place = (
        PartAssembler(max_age_seconds=60),
        ShortMessage(CALLER, SERVICE),
        PartPlace(1, 2, 1),
    )
    assembler.add_part(message, place, "a", 0.0)
    assert assembler.add_part(message, PartPlace(1, 2, 2), "b", 61.0) is None
    assert assembler.add_part(message, place, "c", 61.0) == "cb"
    assembler.forget_message(message, place)
    assert assembler.add_part(message, place, "d", 62.0) is None


def test_the_number_of_incomplete_messages_is_bounded() -> None:
    assembler, message = PartAssembler(max_messages=10), ShortMessage(CALLER, SERVICE)
    for reference in range(100):
        assembler.add_part(message, PartPlace(reference, 2, 1), "a", 0.0)
    assert assembler.add_part(message, PartPlace(0, 2, 2), "b", 0.0) is None
    assert assembler.add_part(message, PartPlace(99, 2, 2), "b", 0.0) == "ab"


@given(st.binary(max_size=40))
def test_any_header_is_read_without_raising(octets: bytes) -> None:
    assert read_udh(octets).octets <= len(octets)
