"""USSD over SMPP: reads a deliver_sm as an event by a dialect, and writes our reply as a submit_sm."""

from dataclasses import replace

from flows.engine.inbound import Inbound
from gateway.providers._shared.numbers import read_caller
from gateway.providers._smpp.dialect import DialectForm
from gateway.providers.contract import Connection, ConversationEnded
from gateway.smpp.wire.protocol import Tag
from gateway.smpp.wire.sms_records import IncomingMessage, OutgoingMessage
from menus.model.reply import Reply

NAME = "smpp"
UssdEvent = Inbound | ConversationEnded | None
"""What a USSD message means; None for one that only confirms what we sent."""


def is_ussd(message: IncomingMessage, dialect: DialectForm | None) -> bool:
    """Return whether a message belongs to USSD: an SMS has no operation, except where a dialect omits it."""
    if message.ussd_operation is not None:
        return True
    return dialect is not None and dialect.unmarked != "sms" and message.service_type == dialect.service_type


def read_ussd(message: IncomingMessage, dialect: DialectForm, connection: Connection) -> UssdEvent:
    """Read a USSD message."""
    operation = message.ussd_operation
    caller = read_caller(_written_number(message), connection.numbering)
    session_id = session_of(message, dialect)
    if operation in dialect.confirm:
        return None
    if _is_abort(message, dialect):
        return ConversationEnded(session_id, caller, "ussd")
    code = connection.addresses.get("ussd", "")
    begins = _begins(message, dialect, code)
    text = message.destination.number if begins and dialect.code_in == "destination" else message.text
    return Inbound(
        provider=NAME,
        channel="ussd",
        operator=connection.operator,
        session_id=session_id,
        caller=caller,
        address=code,
        text=text,
        begins=begins,
        trust=connection.trust.get("ussd", "none"),
        page_size=connection.page_size,
    )


def session_of(message: IncomingMessage, dialect: DialectForm) -> str:
    """Return what names the session besides its caller."""
    parts = [message.destination.number] if dialect.with_code else []
    if dialect.session == "its":
        parts.append(f"{_number(message, Tag.ITS_SESSION_INFO) & dialect.mask:04x}")
    if dialect.session == "reference":
        parts.append(f"{_number(message, Tag.USER_MESSAGE_REFERENCE):04x}")
    return "/".join(parts) or "ussd"


def write_ussd(reply: Reply, request: IncomingMessage, dialect: DialectForm) -> OutgoingMessage:
    """Write the reply to a request, addressed as the request was, with its session."""
    tlvs = {Tag.USSD_SERVICE_OP: bytes([dialect.end if reply.ends_session else dialect.go_on])}
    if "its" in dialect.echo and Tag.ITS_SESSION_INFO in request.tlvs:
        tlvs[Tag.ITS_SESSION_INFO] = _answered_its(reply, request, dialect)
    if "reference" in dialect.echo and Tag.USER_MESSAGE_REFERENCE in request.tlvs:
        tlvs[Tag.USER_MESSAGE_REFERENCE] = request.tlvs[Tag.USER_MESSAGE_REFERENCE]
    return OutgoingMessage(
        destination=replace(request.source),
        text=reply.text,
        source=replace(request.destination),
        service_type=dialect.service_type,
        tlvs=tlvs,
        gsm7_coding=dialect.gsm7_coding,
        ucs2_coding=dialect.ucs2_coding,
    )


def _answered_its(reply: Reply, request: IncomingMessage, dialect: DialectForm) -> bytes:
    """Return its_session_info as our reply carries it."""
    value = request.tlvs[Tag.ITS_SESSION_INFO]
    if not reply.ends_session or dialect.end_mark == "none":
        return value
    number = int.from_bytes(value, "big")
    number = number | 1 if dialect.end_mark == "low_bit" else number + 1
    return (number & 0xFFFF).to_bytes(2, "big")


def _is_abort(message: IncomingMessage, dialect: DialectForm) -> bool:
    operation = message.ussd_operation
    if operation is None:
        return dialect.unmarked == "abort"
    if operation in dialect.abort:
        return True
    marked = dialect.end_mark == "low_bit" and _number(message, Tag.ITS_SESSION_INFO) & 1
    return bool(marked) and operation not in dialect.open


def _begins(message: IncomingMessage, dialect: DialectForm, code: str) -> bool:
    """Return whether a message begins a session: by its operation, else by our code in it."""
    if dialect.open:
        return message.ussd_operation in dialect.open
    dialled, own = message.text.strip(), code.removesuffix("#")
    return dialled == code or (dialled.startswith(f"{own}*") and dialled.endswith("#"))


def _written_number(message: IncomingMessage) -> str:
    """Return the sender's number with a plus where its type says international (SMPP 3.4, 5.2.5)."""
    number = message.source.number
    return f"+{number.removeprefix('+')}" if message.source.ton == INTERNATIONAL_TON else number


INTERNATIONAL_TON = 1


def _number(message: IncomingMessage, tag: int) -> int:
    return int.from_bytes(message.tlvs.get(tag, b""), "big")
