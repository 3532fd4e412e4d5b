"""MAP components of USSD: invoke and result of its operations, in BER (3GPP TS 24.080, 3.6)."""

from collections.abc import Iterator
from dataclasses import field
from enum import IntEnum

from gateway.gsup.gsup_message import MalformedGsup
from menus.model.value import value_dataclass

MAX_SHORT_LENGTH = 127
"""Longest value whose length is one octet; osmo-hlr reads no other."""
_INTEGER, _OCTET_STRING, _SEQUENCE = 0x02, 0x04, 0x30
_LONG_FORM, _MAX_LENGTH_OCTETS = 0x80, 2
_MAX_ELEMENTS = 16


class ComponentType(IntEnum):
    """Tags of the components."""

    INVOKE = 0xA1
    RETURN_RESULT = 0xA2
    RETURN_ERROR = 0xA3
    REJECT = 0xA4


_TAGS = frozenset(ComponentType)


class UssdOperation(IntEnum):
    """Operations of USSD (3GPP TS 24.080, 4.5)."""

    PROCESS_REQUEST = 59
    """The subscriber dialled a code."""
    REQUEST = 60
    """The network shows a text and waits for an answer."""
    NOTIFY = 61


@value_dataclass
class UssdComponent:
    """One component with its USSD string as sent."""

    kind: ComponentType
    invoke_id: int
    operation: int = 0
    """One of `UssdOperation`, or another supplementary service; 0 for none."""
    data_coding: int = 0x0F
    """Data coding scheme of the string (3GPP TS 23.038, 5)."""
    octets: bytes = field(default=b"", repr=False)


def decode_component(octets: bytes) -> UssdComponent:
    """Decode a component; MalformedGsup when its lengths do not fit or it is none."""
    tag, body = next(_read_values(octets), (0, b""))
    if tag not in _TAGS:
        raise MalformedGsup(f"no component: it begins with {tag:#04x}")
    values = [*_read_values(body)]
    if not values or values[0][0] != _INTEGER:
        raise MalformedGsup("a component without its invoke id")
    kind, invoke_id = ComponentType(tag), _read_integer(values[0][1])
    if kind is ComponentType.RETURN_RESULT:
        values = [values[0], *_read_values(_first_value(values, _SEQUENCE))]
    numbers = [_read_integer(value) for each, value in values if each == _INTEGER]
    operation = numbers[1] if len(numbers) > 1 and kind in _WITH_OPERATION else 0
    argument = [value for each, value in _read_values(_first_value(values, _SEQUENCE)) if each == _OCTET_STRING]
    if len(argument) < 2 or len(argument[0]) != 1:
        return UssdComponent(kind, invoke_id, operation)
    return UssdComponent(kind, invoke_id, operation, argument[0][0], argument[1])


_WITH_OPERATION = (ComponentType.INVOKE, ComponentType.RETURN_RESULT)


def _first_value(values: list[tuple[int, bytes]], tag: int) -> bytes:
    return next((value for each, value in values if each == tag), b"")


def _read_integer(value: bytes) -> int:
    if len(value) != 1:
        raise MalformedGsup(f"a number of {len(value)} octets")
    return value[0]


def _read_values(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each BER element; MalformedGsup when one is cut short or has no fixed length."""
    start, count = 0, 0
    while start < len(octets):
        count += 1
        if count > _MAX_ELEMENTS:
            raise MalformedGsup("a component with too many elements")
        tag, length, start = _read_header(octets, start)
        if start + length > len(octets):
            raise MalformedGsup(f"a component's {tag:#04x} is longer than the component")
        yield tag, octets[start : start + length]
        start += length


def _read_header(octets: bytes, start: int) -> tuple[int, int, int]:
    """Read tag and length; return them with where the value begins."""
    if len(octets) - start < 2:
        raise MalformedGsup("a component's element is cut short")
    tag, length = octets[start], octets[start + 1]
    start += 2
    if length < _LONG_FORM:
        return tag, length, start
    count = length - _LONG_FORM
    if not 1 <= count <= _MAX_LENGTH_OCTETS or start + count > len(octets):
        raise MalformedGsup("a length no USSD component has")
    return tag, int.from_bytes(octets[start : start + count], "big"), start + count


def encode_component(component: UssdComponent) -> bytes:
    """Encode an invoke or a result with its string; ValueError when a length needs more than one octet."""
    string = _encode_value(_OCTET_STRING, bytes([component.data_coding]))
    argument = _encode_value(_SEQUENCE, string + _encode_value(_OCTET_STRING, component.octets))
    invoke_id = _encode_value(_INTEGER, bytes([component.invoke_id]))
    content = _encode_value(_INTEGER, bytes([component.operation])) + argument
    if component.kind is ComponentType.RETURN_RESULT:
        content = _encode_value(_SEQUENCE, content)
    return _encode_value(component.kind, invoke_id + content)


def _encode_value(tag: int, value: bytes) -> bytes:
    if len(value) > MAX_SHORT_LENGTH:
        raise ValueError(f"{len(value)} octets need a long length; osmo-hlr drops those without a word")
    return bytes([tag, len(value)]) + value
