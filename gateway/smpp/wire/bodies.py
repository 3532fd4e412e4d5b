"""Bodies of binds, submit_sm, deliver_sm, data_sm and their responses (SMPP 3.4, 4.1 to 4.7)."""

import re
from collections.abc import Mapping
from dataclasses import field

from gateway.smpp.wire.pdu import MalformedPdu, encode_tlvs, read_cstring, read_tlvs
from gateway.smpp.wire.protocol import INTERFACE_VERSION, Command, EsmClass, Tag
from menus.model.value import value_dataclass

MAX_SHORT_MESSAGE_OCTETS = 254
_NO_TLVS: Mapping[int, bytes] = {}
# Longest C-octet strings with their NUL (4.4.1, 4.7.1, 4.1.5).
_SERVICE_TYPE, _ADDRESS, _LONG_ADDRESS, _TIME = 6, 21, 65, 17
_SYSTEM_ID, _PASSWORD, _SYSTEM_TYPE, _ADDRESS_RANGE = 16, 9, 13, 41
MAX_MESSAGE_ID_OCTETS = 65


def _cstring_pattern(longest: int) -> bytes:
    """Return the pattern of a C-octet string of at most so many octets, its NUL included."""
    return rb"([^\0]{0,%d})\0" % (longest - 1)


_DELIVER_FIELDS = re.compile(
    b"".join(
        [
            _cstring_pattern(_SERVICE_TYPE),
            *(rb"(..)", _cstring_pattern(_ADDRESS)),  # source: type, plan, number
            *(rb"(..)", _cstring_pattern(_ADDRESS)),  # destination
            rb"(...)",  # esm_class, protocol_id, priority_flag
            *(_cstring_pattern(_TIME), _cstring_pattern(_TIME)),  # schedule, validity
            rb"(.....)",  # registered_delivery, replace_if_present, data_coding, default message, sm_length
        ]
    ),
    re.DOTALL,
)
"""The fields of a submit_sm or deliver_sm before its text (4.4.1): one match reads them all."""


@value_dataclass
class SmppAddress:
    """An address with its type of number and numbering plan (5.2.5, 5.2.6)."""

    number: str = field(repr=False)
    """Digits without a plus, or letters where `ton` is 5."""
    ton: int = 0
    """0 unknown, 1 international, 2 national, 3 network-specific (short code), 5 alphanumeric."""
    npi: int = 0
    """0 unknown, 1 ISDN (E.164)."""


@value_dataclass
class ShortMessage:
    """Fields of a submit_sm, deliver_sm or data_sm; the same in both directions."""

    source: SmppAddress
    destination: SmppAddress
    octets: bytes = field(default=b"", repr=False)
    """short_message with its UDH; of an incoming one the message_payload where short_message is empty."""
    data_coding: int = 0
    esm_class: int = 0
    service_type: str = ""
    registered_delivery: int = 0
    tlvs: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    protocol_id: int = 0
    priority: int = 0
    schedule_time: str = ""
    validity_period: str = ""

    @property
    def is_receipt(self) -> bool:
        """Whether esm_class marks it as a delivery receipt or an intermediate notification."""
        return self.esm_class & EsmClass.TYPE_MASK in (EsmClass.RECEIPT, EsmClass.INTERMEDIATE)

    @property
    def has_udh(self) -> bool:
        """Whether the octets begin with a user data header."""
        return bool(self.esm_class & EsmClass.UDH)


@value_dataclass
class BindBody:
    """Fields of a bind."""

    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    address_range: str = ""


def encode_bind(bind: BindBody) -> bytes:
    """Encode a bind's body; ValueError when a field is too long (password: 8 octets)."""
    parts = [
        _cstring(bind.system_id, _SYSTEM_ID, "system_id"),
        _cstring(bind.password, _PASSWORD, "password"),
        _cstring(bind.system_type, _SYSTEM_TYPE, "system_type"),
        bytes([bind.interface_version, 0, 0]),
        _cstring(bind.address_range, _ADDRESS_RANGE, "address_range"),
    ]
    return b"".join(parts)


def decode_bind(body: bytes) -> BindBody:
    """Decode a bind's body, as an SMSC does."""
    system_id, at = read_cstring(body, 0, _SYSTEM_ID)
    password, at = read_cstring(body, at, _PASSWORD)
    system_type, at = read_cstring(body, at, _SYSTEM_TYPE)
    numbers = _octets(body, at, 3)
    address_range, _ = read_cstring(body, at + 3, _ADDRESS_RANGE)
    return BindBody(_latin(system_id), _latin(password), _latin(system_type), numbers[0], _latin(address_range))


def encode_bind_response(system_id: str) -> bytes:
    """Encode a successful bind response with its interface version."""
    version = encode_tlvs({Tag.SC_INTERFACE_VERSION: bytes([INTERFACE_VERSION])})
    return _cstring(system_id, _SYSTEM_ID, "system_id") + version


def encode_message_id(message_id: str) -> bytes:
    """Encode the body of a submit_sm_resp or deliver_sm_resp."""
    return _cstring(message_id, MAX_MESSAGE_ID_OCTETS, "message_id")


def decode_message_id(body: bytes) -> str:
    """Decode a response's message id; empty when there is no body, as with an error. Never raises."""
    return _latin(body[: MAX_MESSAGE_ID_OCTETS * 2].partition(b"\0")[0])


def encode_short_message(message: ShortMessage, command: int = Command.SUBMIT_SM) -> bytes:
    """Encode the body of a submit_sm, deliver_sm or data_sm.

    ValueError when a field is too long: an address 20 octets (data_sm 64), the text 254.
    """
    if command == Command.DATA_SM:
        return _encode_data_sm(message)
    if len(message.octets) > MAX_SHORT_MESSAGE_OCTETS:
        raise ValueError(f"short_message has {len(message.octets)} octets; 254 fit")
    times = _cstring(message.schedule_time, _TIME, "time") + _cstring(message.validity_period, _TIME, "time")
    return b"".join(
        [
            _encode_head(message, _ADDRESS),
            bytes([message.esm_class, message.protocol_id, message.priority]),
            times,
            bytes([message.registered_delivery, 0, message.data_coding, 0, len(message.octets)]),
            message.octets,
            encode_tlvs(message.tlvs),
        ]
    )


def _encode_data_sm(message: ShortMessage) -> bytes:
    numbers = bytes([message.esm_class, message.registered_delivery, message.data_coding])
    payload = {Tag.MESSAGE_PAYLOAD: message.octets} if message.octets else {}
    return _encode_head(message, _LONG_ADDRESS) + numbers + encode_tlvs({**payload, **message.tlvs})


def _encode_head(message: ShortMessage, longest: int) -> bytes:
    service = _cstring(message.service_type, _SERVICE_TYPE, "service_type")
    return service + _encode_address(message.source, longest) + _encode_address(message.destination, longest)


def _encode_address(address: SmppAddress, longest: int) -> bytes:
    return bytes([address.ton, address.npi]) + _cstring(address.number, longest, "address")


def decode_short_message(command: int, body: bytes) -> ShortMessage:
    """Decode the body of a submit_sm, deliver_sm or data_sm; MalformedPdu when its fields do not fit.

    A message_payload counts where short_message is empty; where both are there, short_message does.
    """
    if command == Command.DATA_SM:
        return _decode_data_sm(body)
    fields = _DELIVER_FIELDS.match(body)
    if fields is None:
        raise MalformedPdu("a field before the text is too long or cut short")
    service, source_kind, source, target_kind, target, modes, schedule, validity, rest = fields.groups()
    at, length = fields.end(), rest[4]
    text, at = body[at : at + length], at + length
    if at > len(body):
        raise MalformedPdu(f"the text says it has {length} octets, {len(text)} are left")
    tlvs = read_tlvs(body, at) if at < len(body) else _NO_TLVS
    return ShortMessage(
        SmppAddress(source.decode("latin-1"), source_kind[0], source_kind[1]),
        SmppAddress(target.decode("latin-1"), target_kind[0], target_kind[1]),
        text or tlvs.get(Tag.MESSAGE_PAYLOAD, b""),
        rest[2],
        modes[0],
        service.decode("latin-1"),
        rest[0],
        tlvs,
        modes[1],
        modes[2],
        schedule.decode("latin-1"),
        validity.decode("latin-1"),
    )


def _decode_data_sm(body: bytes) -> ShortMessage:
    service, at = read_cstring(body, 0, _SERVICE_TYPE)
    source, at = _read_address(body, at, _LONG_ADDRESS)
    destination, at = _read_address(body, at, _LONG_ADDRESS)
    esm_class, registered, data_coding = _octets(body, at, 3)
    tlvs = read_tlvs(body, at + 3)
    payload = tlvs.get(Tag.MESSAGE_PAYLOAD, b"")
    return ShortMessage(source, destination, payload, data_coding, esm_class, _latin(service), registered, tlvs)


def _read_address(body: bytes, at: int, longest: int) -> tuple[SmppAddress, int]:
    ton, npi = _octets(body, at, 2)
    number, at = read_cstring(body, at + 2, longest)
    return SmppAddress(_latin(number), ton, npi), at


def _octets(body: bytes, at: int, count: int) -> bytes:
    if at + count > len(body):
        raise MalformedPdu(f"{count} octets expected at octet {at}, {max(len(body) - at, 0)} are left")
    return body[at : at + count]


def _latin(octets: bytes) -> str:
    return octets.decode("latin-1")


def _cstring(text: str, longest: int, name: str) -> bytes:
    octets = text.encode("latin-1", "replace")
    if len(octets) >= longest or b"\0" in octets:
        raise ValueError(f"{name} has {len(octets)} octets; {longest - 1} without a NUL fit")
    return octets + b"\0"
