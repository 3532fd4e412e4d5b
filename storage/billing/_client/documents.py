"""Documents of bills as a BSS sends them: what they may be, and their hash."""

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
"""What may be handed out, by its media type."""
PDF = b"%PDF-"
ACCEPT = ", ".join(SUFFIXES)
UNNAMED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Media types of servers that do not say what they send."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A document as a bill names it: where it is or, in base64, what it is."""

    where: str = field(repr=False)
    content: str = field(repr=False)
    kind: str
    """Its media type; empty when the bill does not say."""
    format: str
    """The BSS's own name of the format, `PAdES`; empty when it has none."""


def document(sent: Sent, attached: Attached, platform: str) -> Document:
    """What was sent, byte for byte; Down when it is not what the bill or its own media type says."""
    kind = attached.kind if sent.kind in UNNAMED else sent.kind
    suffix = SUFFIXES.get(kind)
    if suffix is None or not sent.data or (suffix == "pdf" and not sent.data.startswith(PDF)):
        raise wrong("document")
    digest = hashlib.sha256(sent.data).hexdigest()
    return Document(sent.data, digest, attached.format or suffix.upper(), platform, suffix)


def decoded(attached: Attached) -> Sent:
    """The document that stands in the bill itself."""
    if len(attached.content) > MOST_FILE_BYTES * 4 // 3 + 4:
        raise wrong("document")
    try:
        return Sent(base64.b64decode(attached.content, validate=True), attached.kind)
    except ValueError:
        raise wrong("document") from None
