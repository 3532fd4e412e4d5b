"""USSD over GSUP: reads a message of a session as an event, and writes our reply as a message."""

from flows.engine.inbound import Inbound
from gateway.gsup.gsup_message import GsupMessage, GsupType, MalformedGsup, SessionPhase
from gateway.gsup.ussd_component import (
    ComponentType,
    UssdComponent,
    UssdOperation,
    decode_component,
    encode_component,
)
from gateway.gsup.ussd_text import decode_ussd_text, encode_ussd_text
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import Connection, ConversationEnded
from menus.model.reply import Reply

NAME = "gsup"
DEFAULT_INVOKE_ID = 1
"""Used in an answer to a request whose own id cannot be read."""
_ENDING_COMPONENTS = (ComponentType.RETURN_ERROR, ComponentType.REJECT)


def ends_session(message: GsupMessage) -> bool:
    """Return whether a message only reports the end of its session."""
    if message.kind is GsupType.ERROR or message.phase is SessionPhase.END:
        return True
    return bool(message.component) and read_component(message).kind in _ENDING_COMPONENTS


def read_component(message: GsupMessage) -> UssdComponent:
    """Return the component of a message; MalformedGsup when it has none that can be read."""
    return decode_component(message.component)


def read_text(message: GsupMessage) -> str:
    """Return what the subscriber dialled or pressed; MalformedGsup when the message is neither."""
    component = read_component(message)
    dialled = component.kind is ComponentType.INVOKE and component.operation == UssdOperation.PROCESS_REQUEST
    pressed = component.kind is ComponentType.RETURN_RESULT
    if not (dialled if message.phase is SessionPhase.BEGIN else pressed):
        raise MalformedGsup(f"a {component.kind.name} of operation {component.operation} nobody asked for")
    return decode_ussd_text(component.octets, component.data_coding)


def read_ussd(message: GsupMessage, text: str, number: str, connection: Connection) -> Inbound:
    """Return the event of a dialled code or a pressed key.

    `number`: the subscriber's international digits; empty when the HLR knows none.
    """
    return Inbound(
        provider=NAME,
        channel="ussd",
        operator=connection.operator,
        session_id=message.session_id.hex(),
        caller=caller_of(number, connection),
        address=connection.addresses.get("ussd", ""),
        text=text,
        begins=message.phase is SessionPhase.BEGIN,
        trust=connection.trust.get("ussd", "none"),
        page_size=connection.page_size,
    )


def read_end(message: GsupMessage, number: str, connection: Connection) -> ConversationEnded:
    """Return the event of a session that is over."""
    return ConversationEnded(message.session_id.hex(), caller_of(number, connection), "ussd")


def caller_of(number: str, connection: Connection) -> str:
    """Return a subscriber's number as E.164; an HLR keeps international digits without a plus."""
    return read_caller(f"+{number}", connection.numbering) if number else ""


def write_ussd(reply: Reply, request: GsupMessage) -> GsupMessage:
    """Write the reply to a request.

    A screen that waits invokes USSD-Request; a last text is the result of what the subscriber dialled. Both
    carry the invoke id of the request: so the first one's comes back with each key, and no process needs to
    remember it.
    """
    kind, phase = GsupType.REQUEST, SessionPhase.CONTINUE
    component_kind, operation = ComponentType.INVOKE, UssdOperation.REQUEST
    if reply.ends_session:
        kind, phase = GsupType.RESULT, SessionPhase.END
        component_kind, operation = ComponentType.RETURN_RESULT, UssdOperation.PROCESS_REQUEST
    data_coding, octets = encode_ussd_text(reply.text)
    component = UssdComponent(component_kind, _invoke_id_of(request), operation, data_coding, octets)
    return GsupMessage(kind, request.imsi, request.session_id, phase, encode_component(component))


def _invoke_id_of(request: GsupMessage) -> int:
    try:
        return read_component(request).invoke_id
    except MalformedGsup:
        return DEFAULT_INVOKE_ID
