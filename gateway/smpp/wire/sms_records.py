"""Records that cross the SMPP library's border: messages in and out, receipts, outcomes of a submit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.protocol import Tag
from menus.model.value import value_dataclass

StatusKind = Literal["ours", "recipient", "opted_out", "temporary"]
"""Whose fault a status is: our settings; the number; its owner does not want it; try again later."""
SmppReceiptState = Literal["in_transit", "delivered", "failed", "unknown"]


@value_dataclass
class IncomingMessage:
    """A deliver_sm or data_sm that is no receipt: a text to a short code, or a USSD operation."""

    source: SmppAddress
    destination: SmppAddress
    text: str = field(repr=False)
    service_type: str
    data_coding: int
    esm_class: int
    tlvs: Mapping[int, bytes] = field(repr=False)
    octets: bytes = field(repr=False)
    """The text as received, with its UDH; of a long message its last part's."""
    identity: bytes = field(repr=False)
    """Equal for the same message delivered again under another sequence number, and for the same text sent
    twice: store it as a keyed hash and ask for it only when `may_repeat`."""
    may_repeat: bool = False
    """Whether the SMSC may not have had our answer to an equal message: the connection broke within 60 s of
    it, or this process has just begun. False: the sender texted it anew, however often."""

    @property
    def ussd_operation(self) -> int | None:
        """ussd_service_op (TLV 0x0501); None for a text message."""
        value = self.tlvs.get(Tag.USSD_SERVICE_OP)
        return value[0] if value else None


@value_dataclass
class DeliveryReceipt:
    """A delivery receipt in any form: TLVs, text, or both."""

    recipient: SmppAddress
    """The receipt's source: who the message went to."""
    sender: SmppAddress
    state: SmppReceiptState
    message_ids: tuple[str, ...]
    """Ids to look up, in this order, against `SubmitAccepted.message_ids`: TLV 0x001E, the text's id as it
    stands, then both in hexadecimal and decimal, and without leading zeros. May be empty."""
    reference: int | None
    """user_message_reference (TLV 0x0204) of the submit: with `recipient` the last means to find it."""
    error_code: str = ""
    """`err:` of the text, else the TLV network_error_code in hexadecimal."""
    is_final: bool = True
    """False for an intermediate notification."""


@value_dataclass
class OutgoingMessage:
    """A message to submit: an SMS, or a USSD operation by its TLVs."""

    destination: SmppAddress
    text: str = field(repr=False)
    source: SmppAddress
    service_type: str = ""
    tlvs: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """TLVs of every PDU, such as ussd_service_op."""
    gsm7_coding: int | None = None
    """data_coding for GSM-7 instead of the connection's, such as 15 for USSD."""
    ucs2_coding: int | None = None
    wants_receipt: bool = False
    validity_period: str = ""
    """Relative `000000001500000R` or absolute (SMPP 3.4, 7.1.1); empty for the SMSC's own."""
    reference: int | None = None
    """user_message_reference; None takes the session's next. A TLV 0x0204 in `tlvs` goes before both."""


@value_dataclass
class SubmitAccepted:
    """The SMSC accepted every part."""

    message_ids: tuple[str, ...]
    """As answered, one per part; some SMSCs answer none or one that means nothing."""
    reference: int


@value_dataclass
class SubmitRefused:
    """The SMSC refused a part: the message did not go out whole and may be sent again if `temporary`."""

    status: int
    name: str
    """Such as `RINVDSTADR`."""
    kind: StatusKind


@value_dataclass
class SubmitUnknown:
    """A part was written and no answer came: it may have gone out."""

    reason: Literal["no_answer", "connection_lost"]


@value_dataclass
class NotSubmitted:
    """The message did not go out, at most some of its parts did: it can be sent again as it is."""

    reason: "NotSubmittedReason"
    retry_after_seconds: float = 0.0
    """How long the bind stays paused at least; 0 where nothing says."""


NotSubmittedReason = Literal["down", "refused", "throttled", "window_full", "draining", "unsendable"]
"""`refused`: the SMSC rejects our name or password. `unsendable`: a field is too long for SMPP; sending again
changes nothing."""


SubmitOutcome = SubmitAccepted | SubmitRefused | SubmitUnknown | NotSubmitted


@dataclass(slots=True)
class SmppCounters:
    """What happened on a session since it began; read by metrics, reset by nobody."""

    submitted: int = 0
    """submit_sm written, repeats behind a throttled one included."""
    unanswered: int = 0
    throttles: int = 0
    received: int = 0
    """deliver_sm and data_sm read."""
    turned_away: int = 0
    """Messages answered with a temporary error because too many were in work."""
    malformed: int = 0
    unmatched: int = 0
    """Responses and generic_nacks that fit no request of ours."""
    binds: int = 0
    last_pdu_at: float = 0.0
    """Monotonic seconds; 0 before the first."""
