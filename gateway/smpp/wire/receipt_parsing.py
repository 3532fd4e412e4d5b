"""Delivery receipts: TLVs and the de facto text form (SMPP 3.4, appendix B), ids in every notation."""

import re
from collections.abc import Iterator, Mapping

from gateway.smpp.wire.bodies import ShortMessage
from gateway.smpp.wire.protocol import EsmClass, Tag
from gateway.smpp.wire.sms_records import DeliveryReceipt, SmppReceiptState

_MAX_ID_LETTERS = 65
_MAX_TEXT_LETTERS = 1000
# The text's fields, in any order and case; a value goes to the next space, `text:` to the end.
_FIELD = re.compile(r"\b(id|stat|err)\s*:\s*([^\s:]{1,65})", re.IGNORECASE)
_TEXT_FIELD = re.compile(r"\btext\s*:", re.IGNORECASE)
_ID_FIRST = re.compile(r"\s*id\s*:", re.IGNORECASE)
# Appendix B and the words SMSCs use besides; message_state by 5.2.28.
_TEXT_STATES: Mapping[str, SmppReceiptState] = {
    "DELIVRD": "delivered",
    "EXPIRED": "failed",
    "DELETED": "failed",
    "UNDELIV": "failed",
    "REJECTD": "failed",
    "SKIPPED": "failed",
    "ACCEPTD": "in_transit",
    "ENROUTE": "in_transit",
    "BUFFRED": "in_transit",
    "SCHEDULED": "in_transit",
    "UNKNOWN": "unknown",
}
_NUMBER_STATES: Mapping[int, SmppReceiptState] = {
    0: "in_transit",
    1: "in_transit",
    2: "delivered",
    3: "failed",
    4: "failed",
    5: "failed",
    6: "in_transit",
    7: "unknown",
    8: "failed",
    9: "failed",
}


def is_delivery_receipt(message: ShortMessage, text: str) -> bool:
    """Return whether a message is a receipt: by esm_class, or by its form where an SMSC forgets that."""
    if message.is_receipt:
        return True
    if message.esm_class & EsmClass.TYPE_MASK:
        return False
    return Tag.RECEIPTED_MESSAGE_ID in message.tlvs or bool(_ID_FIRST.match(text) and "stat:" in text)


def read_receipt(message: ShortMessage, text: str) -> DeliveryReceipt:
    """Read a receipt from its TLVs and its text; a TLV goes before the text. Never raises."""
    fields = _text_fields(text)
    state = _read_state(message.tlvs, fields)
    return DeliveryReceipt(
        recipient=message.source,
        sender=message.destination,
        state=state,
        message_ids=tuple(_candidate_ids(message.tlvs, fields)),
        reference=read_number(message.tlvs, Tag.USER_MESSAGE_REFERENCE),
        error_code=fields.get("err", "") or message.tlvs.get(Tag.NETWORK_ERROR_CODE, b"").hex(),
        is_final=state != "in_transit" and message.esm_class & EsmClass.TYPE_MASK != EsmClass.INTERMEDIATE,
    )


def read_number(tlvs: Mapping[int, bytes], tag: int) -> int | None:
    """Return a TLV's number; None when there is none."""
    value = tlvs.get(tag)
    return int.from_bytes(value[:8], "big") if value else None


def _text_fields(text: str) -> dict[str, str]:
    """Return the fields in front of `text:`, which repeats the message and may hold anything."""
    head = _TEXT_FIELD.split(text[:_MAX_TEXT_LETTERS], maxsplit=1)[0]
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(head):
        found.setdefault(name.lower(), value)
    return found


def _read_state(tlvs: Mapping[int, bytes], fields: Mapping[str, str]) -> SmppReceiptState:
    number = read_number(tlvs, Tag.MESSAGE_STATE)
    if number is not None:
        return _NUMBER_STATES.get(number, "unknown")
    return _TEXT_STATES.get(fields.get("stat", "").upper(), "unknown")


def _candidate_ids(tlvs: Mapping[int, bytes], fields: Mapping[str, str]) -> Iterator[str]:
    """Yield each possible id once: as it stands, in the other notation, without leading zeros."""
    tlv_id = tlvs.get(Tag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1")
    written = [name[:_MAX_ID_LETTERS] for name in (tlv_id, fields.get("id", "")) if name]
    others = [other for name in written for other in id_notations(name)]
    yield from dict.fromkeys([*written, *others])


def id_notations(message_id: str) -> list[str]:
    """Return other notations of an id: SMSCs answer in hexadecimal and report in decimal, or the reverse.

    `0001715004` is `1a2b3c`, `1A2B3C` and `1715004`; both cases, because the answer's case is not known.
    """
    stripped = message_id.lstrip("0") or "0"
    found = []
    if message_id.isascii() and message_id.isdecimal():
        found += [f"{int(message_id):x}", f"{int(message_id):X}"]
    if _is_hexadecimal(message_id):
        found.append(str(int(message_id, 16)))
    return [*found, stripped, stripped.lower(), stripped.upper()]


def _is_hexadecimal(message_id: str) -> bool:
    return bool(re.fullmatch(r"[0-9A-Fa-f]{1,20}", message_id))
