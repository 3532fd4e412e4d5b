"""An outgoing message as the bodies of its submit_sm PDUs."""

from dataclasses import replace

from gateway.smpp.session_settings import SmppSettings
from gateway.smpp.wire.bodies import MAX_SHORT_MESSAGE_OCTETS, ShortMessage, SmppAddress, encode_short_message
from gateway.smpp.wire.concatenation import TextPart, esm_class_of, split_text
from gateway.smpp.wire.data_coding import CodingRules, EncodedText, encode_text, octets_for_wire
from gateway.smpp.wire.protocol import Tag
from gateway.smpp.wire.sms_records import OutgoingMessage

_RECEIPT_FOR_FINAL_STATE = 0x01


def build_submits(message: OutgoingMessage, settings: SmppSettings, reference: int) -> list[bytes]:
    """Return the body of each submit_sm; ValueError when a field is too long or 255 parts are too few.

    A USSD operation is never split: its text goes whole, above 254 octets as message_payload.
    """
    rules = _rules_for(message, settings.coding)
    text = encode_text(message.text, rules)
    if Tag.USSD_SERVICE_OP in message.tlvs:
        parts = [_whole_part(text, rules)]
    else:
        parts = split_text(text, rules, settings.long_texts, reference)
    return [_build_body(message, settings, text.data_coding, part, reference) for part in parts]


def _rules_for(message: OutgoingMessage, rules: CodingRules) -> CodingRules:
    if message.gsm7_coding is None and message.ucs2_coding is None:
        return rules
    gsm7 = rules.gsm7_coding if message.gsm7_coding is None else message.gsm7_coding
    ucs2 = rules.ucs2_coding if message.ucs2_coding is None else message.ucs2_coding
    return replace(rules, gsm7_coding=gsm7, ucs2_coding=ucs2)


def _whole_part(text: EncodedText, rules: CodingRules) -> TextPart:
    octets = octets_for_wire(text.octets, text.alphabet, rules)
    if len(octets) <= MAX_SHORT_MESSAGE_OCTETS:
        return TextPart(octets)
    return TextPart(b"", tlvs={Tag.MESSAGE_PAYLOAD: octets})


def _build_body(
    message: OutgoingMessage, settings: SmppSettings, data_coding: int, part: TextPart, reference: int
) -> bytes:
    own = {Tag.USER_MESSAGE_REFERENCE: reference.to_bytes(2, "big")} if settings.with_reference else {}
    submit = ShortMessage(
        message.source,
        without_plus(message.destination),
        part.octets,
        data_coding,
        esm_class_of(part),
        message.service_type,
        _RECEIPT_FOR_FINAL_STATE if message.wants_receipt else 0,
        {**own, **part.tlvs, **message.tlvs},
        validity_period=message.validity_period,
    )
    return encode_short_message(submit)


def without_plus(address: SmppAddress) -> SmppAddress:
    """Return the address without the plus of E.164: its type of number says international."""
    if not address.number.startswith("+"):
        return address
    return replace(address, number=address.number[1:])
