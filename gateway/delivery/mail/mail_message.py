"""E-mail message: mandatory headers (RFC 5322), a 7-bit body, long subjects with all their spaces."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime

from flows.domain.bill_mail import BillMail
from flows.domain.records import BillDocument, OutboundMessage
from flows.services.file_links import safe_filename
from gateway.delivery.mail.mail_address import MailAddress

SEVEN_BIT = WIRE.clone(cte_type="7bit")
"""Bodies as quoted-printable or base64: not every relay offers 8BITMIME (RFC 6152)."""
ENCODED_WORD_BYTES = 42
"""Bytes of text in an encoded word: 75 characters with `=?utf-8?B?` and `?=` (RFC 2047)."""
PLAIN_HEADER_CHARACTERS = 60
"""Longest header value that is written plainly, on one line."""


def build_mail(
    notice: OutboundMessage, sender: tuple[str, MailAddress], to: MailAddress, now: datetime
) -> tuple[str, bytes]:
    """Return the Message-ID and the e-mail of a notice as bytes.

    The Message-ID is a hash of the notice's key, so a repeat is the same message. A bill mail has its document
    as an attachment.
    """
    name, from_address = sender
    digest = hashlib.sha256(notice.key.encode()).hexdigest()[:32]
    message_id = f"<{digest}@{from_address.domain}>"
    headers = {
        "From": f"{_encode_name(name)} <{from_address}>" if name else str(from_address),
        "To": str(to),
        "Subject": encode_header(notice.subject) or notice.operator,
        "Date": format_datetime(now),
        "Message-ID": message_id,
        "Content-Language": notice.language,
        "Auto-Submitted": "auto-generated",
    }
    head = "".join(f"{field}: {value}\r\n" for field, value in headers.items() if value)
    message = _build_body(notice.body)
    if isinstance(notice, BillMail) and notice.document:
        _attach_document(message, notice.document, notice.enclosure.number, boundary=f"=_{digest}")
    return message_id, head.encode() + message.as_bytes()


def encode_header(text: str) -> str:
    """Return a header's text on folded lines of ASCII.

    The standard library loses spaces where it folds between encoded words; here the whole text is encoded, cut
    at characters.
    """
    text = " ".join(text.split())
    if text.isascii() and text.isprintable() and len(text) <= PLAIN_HEADER_CHARACTERS and "=?" not in text:
        return text
    return _encode(text)


def _encode_name(name: str) -> str:
    """Return a display name: as it is when it consists of atoms, otherwise encoded."""
    return name if name.isascii() and name.replace(" ", "").isalnum() else _encode(name)


def _encode(text: str) -> str:
    return "\r\n ".join(f"=?utf-8?B?{b64encode(part).decode()}?=" for part in _split_text(text))


def _split_text(text: str) -> Iterator[bytes]:
    """Yield the text in UTF-8, in parts that fit an encoded word and never cut a character."""
    part = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(part) + len(encoded) > ENCODED_WORD_BYTES:
            yield part
            part = b""
        part += encoded
    yield part


def _build_body(body: str) -> EmailMessage:
    """Return a message of the MIME headers and the body, in ASCII."""
    message = EmailMessage(policy=SEVEN_BIT)
    message.set_content(body.encode("utf-8", "replace").decode())
    return message


def _attach_document(message: EmailMessage, document: BillDocument, number: str, boundary: str) -> None:
    """Attach a bill's document, named by its number; the boundary is of the message, so a repeat is equal."""
    name = f"{safe_filename(number)}.{document.suffix}"
    message.add_attachment(document.data, maintype="application", subtype="pdf", filename=name)
    message.set_boundary(boundary)
