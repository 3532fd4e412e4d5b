"""USSD components and their strings: recorded ones, limits of osmo-hlr, codings, broken BER."""

import pytest

from gateway.gsup.gsup_message import MalformedGsup, decode_gsup
from gateway.gsup.ussd_component import (
    ComponentType,
    UssdComponent,
    UssdOperation,
    decode_component,
    encode_component,
)
from gateway.gsup.ussd_text import MAX_OCTETS, decode_ussd_text, encode_ussd_text, exceeds_limit
from menus.text.gsm_codec import pack_septets
from tests.gateway.gsup.recorded_frames import recorded_gsup

KEY = UssdComponent(ComponentType.RETURN_RESULT, 7, UssdOperation.REQUEST, 0x0F, b"\x31")


def read_texts(name: str) -> list[str]:
    components = [decode_component(decode_gsup(octets).component) for octets in recorded_gsup(name)]
    return [decode_ussd_text(each.octets, each.data_coding) for each in components]


def test_recorded_texts_are_read() -> None:
    menu = ["*100#", "Orange\n1 Facture\n0 Iesire", "1", "Ales: 1. Factura 45,20 lei"]
    assert read_texts("menu")[::2] == menu
    assert read_texts("ucs2")[2] == "فاتورة 1"


@pytest.mark.parametrize("name", ["menu", "ucs2", "dialtree"])
def test_recorded_components_are_written_the_same(name: str) -> None:
    for octets in recorded_gsup(name):
        component = decode_component(decode_gsup(octets).component)
        string = encode_ussd_text(decode_ussd_text(component.octets, component.data_coding))
        rewritten = UssdComponent(component.kind, component.invoke_id, component.operation, *string)
        assert encode_component(rewritten) == decode_gsup(octets).component


@pytest.mark.parametrize("text", ["a" * 128, "a" * 127, "€" * 64, "ف" * 56, "👍" * 28, "", "\r"])
def test_the_longest_texts_have_lengths_of_one_octet(text: str) -> None:
    data_coding, octets = encode_ussd_text(text)
    assert not exceeds_limit(text) and decode_ussd_text(octets, data_coding) == text
    component = UssdComponent(
        ComponentType.RETURN_RESULT, 7, UssdOperation.PROCESS_REQUEST, data_coding, octets
    )
    assert decode_component(encode_component(component)) == component


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a" * 129, "a" * 128),
        ("a" * 127 + "€", "a" * 127),
        ("ف" * 57, "ف" * 56),
        ("ف" * 55 + "👍", "ف" * 55),
    ],
    ids=["septets", "within an escape", "code units", "within a pair"],
)
def test_a_longer_text_is_cut_between_letters(text: str, sent: str) -> None:
    data_coding, octets = encode_ussd_text(text)
    assert exceeds_limit(text) and len(octets) <= MAX_OCTETS
    assert decode_ussd_text(octets, data_coding) == sent


def test_more_than_osmo_hlr_reads_is_not_written() -> None:
    with pytest.raises(ValueError, match="osmo-hlr"):
        encode_component(UssdComponent(ComponentType.RETURN_RESULT, 1, UssdOperation.REQUEST, 0x0F, b"a" * 113))


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"\x31", 0x0F, "1"),
        (b"\x31", 0x00, "1"),
        (b"\x31", 0x40, "1"),
        (b"\x31", 0xF0, "1"),
        (b"1", 0x44, "1"),
        (b"1", 0xF4, "1"),
        (b"\0001", 0x48, "1"),
        (b"\x65\x37\x001", 0x11, "1"),
        (pack_septets(b"en\r1"), 0x10, "1"),
    ],
)
def test_every_coding_of_a_phone_is_read(octets: bytes, data_coding: int, text: str) -> None:
    assert decode_ussd_text(octets, data_coding) == text


def test_an_answer_without_a_string_is_empty() -> None:
    component = decode_component(b"\xa2\x03\x02\x01\x07")
    assert (component.invoke_id, component.octets) == (7, b"")


def test_long_lengths_are_read_even_if_none_is_written() -> None:
    whole = encode_component(KEY)
    assert decode_component(whole[:1] + b"\x81" + whole[1:]) == KEY
    assert decode_component(whole[:1] + b"\x82\0" + whole[1:]) == KEY


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xff\xff",
        b"\xa2",
        b"\xa2\x80\x02\x01\x07\0\0",
        b"\xa2\x84\0\0\0\x03\x02\x01\x07",
        b"\xa2\x83",
        b"\xa1\x05\x02\x02\x01\x01",
        b"\xa1\x04\x02\x02\x01\x01",
        b"\xa1\x02\x30\0",
        b"\xa1\x7e" + b"\x02\x01\x01" * 42,
        encode_component(KEY)[:-1],
    ],
)
def test_broken_ber_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedGsup):
        decode_component(octets)
