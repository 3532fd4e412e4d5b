"""GSUP messages: recorded ones, unknown and repeated elements, lengths that lie."""

import pytest

from gateway.gsup.gsup_message import (
    GsupMessage,
    GsupType,
    MalformedGsup,
    SessionPhase,
    decode_gsup,
    decode_imsi,
    encode_gsup,
    encode_imsi,
)
from tests.gateway.gsup.recorded_frames import FILES, recorded_gsup

SESSION = b"\x20\0\0\1"
MESSAGE = GsupMessage(
    GsupType.RESULT, "901990000000001", SESSION, SessionPhase.END, b"\xa3\x06\x02\x01\x01\x02\x01\x48", 0x60
)


@pytest.mark.parametrize("name", FILES)
def test_a_recording_is_read(name: str) -> None:
    messages = [decode_gsup(octets) for octets in recorded_gsup(name)]
    assert messages and {each.imsi for each in messages} == {"901990000000001"}
    assert messages[0].phase is SessionPhase.BEGIN and len({each.session_id for each in messages}) <= 2


@pytest.mark.parametrize("name", ["menu", "ucs2"])
def test_a_recording_without_further_elements_is_written_the_same(name: str) -> None:
    for octets in recorded_gsup(name):
        assert encode_gsup(decode_gsup(octets)) == octets


def test_a_message_comes_back_as_it_was() -> None:
    assert decode_gsup(encode_gsup(MESSAGE)) == MESSAGE


def test_unknown_elements_are_skipped_and_of_a_repeated_one_the_first_counts() -> None:
    whole = encode_gsup(MESSAGE)
    odd = whole[:1] + b"\x7e\x02zz" + whole[1:] + b"\x31\x01\x01" + b"\x0a\x01\x03\x99\x00"
    assert decode_gsup(odd) == MESSAGE


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "no message of a USSD session"),
        (b"\x04\x01\x08" + encode_imsi("901990000000001"), "no message of a USSD session"),
        (encode_gsup(MESSAGE)[:-1], "says it has"),
        (encode_gsup(MESSAGE) + b"\x0a", "cut short"),
        (encode_gsup(MESSAGE) + b"\x0a\xff", "says it has 255"),
        (b"\x20\x30\x04" + SESSION + b"\x31\x01\x01", "no IMSI"),
        (b"\x20\x01\x08" + encode_imsi("901990000000001") + b"\x31\x01\x01", "a session id of 0 octets"),
        (encode_gsup(MESSAGE).replace(b"\x31\x01\x03", b"\x31\x01\x09"), "no session state"),
    ],
    ids=[
        *("empty", "location update", "cut value", "cut header", "lying length"),
        *("no imsi", "no session", "unknown state"),
    ],
)
def test_a_message_that_does_not_fit_is_named(octets: bytes, says: str) -> None:
    with pytest.raises(MalformedGsup, match=says):
        decode_gsup(octets)


@pytest.mark.parametrize("imsi", ["901990000000001", "20810123456789", "123456"])
def test_an_imsi_of_any_length_comes_back(imsi: str) -> None:
    assert decode_imsi(encode_imsi(imsi)) == imsi


@pytest.mark.parametrize("octets", [b"", b"\xff" * 8, b"\x21\xf3", b"\x11" * 9])
def test_what_is_no_imsi_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedGsup, match="no IMSI"):
        decode_imsi(octets)
