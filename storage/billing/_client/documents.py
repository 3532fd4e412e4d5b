"""Bill documents sent by a BSS: allowed media types, base64 attachments and SHA-256 hash."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.domain.records import Document
from storage.billing._client.body_reader import MOST_FILE_BYTES, Sent
from storage.billing._client.fields import wrong

SUFFIXES: Mapping[str, str] = {
    "application/pdf": "pdf",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/html": "html",
}
"""File suffix by media type; other types are refused."""
PDF = b"%PDF-"
ACCEPT = ", ".join(SUFFIXES)
UNNAMED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Media types that say nothing about the content; the bill's own media type is used instead."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A bill's reference to its document: a URL, or the content itself in base64."""

    where: str = field(repr=False)
    content: str = field(repr=False)
    kind: str
    """Media type; empty when the bill does not give one."""
    format: str
    """The BSS's own name of the format, such as `PAdES`; empty when it has none."""


def document(sent: Sent, attached: Attached, platform: str) -> Document:
    """Return the file as a document, byte for byte; Down when it is empty or not of an allowed type."""
    kind = attached.kind if sent.kind in UNNAMED else sent.kind
    suffix = SUFFIXES.get(kind)
    if suffix is None or not sent.data or (suffix == "pdf" and not sent.data.startswith(PDF)):
        raise wrong("document")
    digest = hashlib.sha256(sent.data).hexdigest()
    return Document(sent.data, digest, attached.format or suffix.upper(), platform, suffix)


def decoded(attached: Attached) -> Sent:
    """Decode the document embedded in a bill; Down when it is too large or not base64."""
    if len(attached.content) > MOST_FILE_BYTES * 4 // 3 + 4:
        raise wrong("document")
    try:
        return Sent(base64.b64decode(attached.content, validate=True), attached.kind)
    except ValueError:
        raise wrong("document") from None
