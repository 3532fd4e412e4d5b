"""GSM-7 as octets, against an independent codec and the examples of 3GPP TS 23.038."""

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from menus.text.gsm import BASIC_TABLE
from menus.text.gsm_codec import decode_septets, encode_septets, pack_septets, unpack_septets

LETTERS = BASIC_TABLE.replace("\x1b", "") + "\f^{}\\[~]|€"
septets = st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets))


@given(st.text(alphabet=LETTERS, max_size=160))
def test_texts_are_encoded_as_another_codec_encodes_them(text: str) -> None:
    octets = encode_septets(text)
    assert octets is not None
    assert octets == smsutil.encode(text)
    assert decode_septets(octets) == text


@pytest.mark.parametrize("text", ["ș", "ფ", "فاتورة", "👍"])
def test_a_letter_outside_the_alphabet_is_not_encoded(text: str) -> None:
    assert encode_septets(f"Factura {text}") is None


@given(st.binary(max_size=200), st.integers(0, 14), st.integers(0, 14))
def test_any_octets_are_decoded(octets: bytes, locking: int, single: int) -> None:
    assert len(decode_septets(octets, locking, single)) <= len(octets)


def test_hello_is_packed_as_in_every_textbook() -> None:
    octets = encode_septets("hellohello")
    assert octets is not None
    assert pack_septets(octets).hex() == "e8329bfd4697d9ec37"


@given(septets, st.integers(0, 6))
def test_packed_septets_are_unpacked(text: bytes, fill_bits: int) -> None:
    unpacked = unpack_septets(pack_septets(text, fill_bits), fill_bits)
    assert unpacked.rstrip(b"\0\r") == text.rstrip(b"\0\r")


def test_seven_spare_bits_are_no_at_sign() -> None:
    assert unpack_septets(pack_septets(b"1234567")) == b"1234567"


@pytest.mark.parametrize(
    ("octets", "locking", "single", "text"),
    [
        (b"\x1bs\x1bg\x1bi\x1bc", 0, 1, "şğıç"),
        (b"\x1ba\x1bI\x1be", 0, 2, "áÍ€"),
        (b"\x1b\x7b\x1b\x05\x1b\x0e", 0, 3, "ãêÁ"),
        (b"\x1c\x07\x40", 1, 0, "Şıİ"),
        (b"\x09\x7b\x18", 3, 0, "çã€"),
        (b"\x1bs", 0, 9, "s"),
    ],
    ids=["Turkish", "Spanish", "Portuguese", "Turkish locking", "Portuguese locking", "unknown"],
)
def test_national_letters_are_read(octets: bytes, locking: int, single: int, text: str) -> None:
    assert decode_septets(octets, locking, single) == text


def test_a_letter_behind_an_escape_without_a_table_is_shown_as_it_is() -> None:
    assert decode_septets(b"A\x1bB\x1b\x1b\x1be\x1b") == "AB €"
