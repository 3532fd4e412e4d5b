"""Bill documents sent by a BSS: allowed media types, base64 attachments and SHA-256 hash."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.domain.records import BillDocument
from storage.billing._client.answer_fields import field_error
from storage.billing._client.body_reader import MAX_FILE_BYTES, DownloadedFile

SUFFIX_BY_MEDIA_TYPE: Mapping[str, str] = {
    "application/pdf": "pdf",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/html": "html",
}
"""File suffix by media type; other types are refused."""
PDF_MAGIC = b"%PDF-"
ACCEPT_HEADER = ", ".join(SUFFIX_BY_MEDIA_TYPE)
GENERIC_MEDIA_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Media types that say nothing about the content; the bill's own media type is used instead."""


@dataclass(frozen=True, slots=True)
class BillAttachment:
    """A bill's reference to its document: a URL, or the content itself in base64."""

    url: str = field(repr=False)
    content_base64: str = field(repr=False)
    media_type: str
    """Media type; empty when the bill does not give one."""
    format_name: str
    """The BSS's own name of the format, such as `PAdES`; empty when it has none."""


def build_document(file: DownloadedFile, attachment: BillAttachment, platform: str) -> BillDocument:
    """Return the file as a document, byte for byte; Down when it is empty or not of an allowed type."""
    kind = attachment.media_type if file.media_type in GENERIC_MEDIA_TYPES else file.media_type
    suffix = SUFFIX_BY_MEDIA_TYPE.get(kind)
    if suffix is None or not file.data or (suffix == "pdf" and not file.data.startswith(PDF_MAGIC)):
        raise field_error("document")
    digest = hashlib.sha256(file.data).hexdigest()
    return BillDocument(file.data, digest, attachment.format_name or suffix.upper(), platform, suffix)


def decode_attachment(attachment: BillAttachment) -> DownloadedFile:
    """Decode the document embedded in a bill; Down when it is too large or not base64."""
    if len(attachment.content_base64) > MAX_FILE_BYTES * 4 // 3 + 4:
        raise field_error("document")
    try:
        return DownloadedFile(base64.b64decode(attachment.content_base64, validate=True), attachment.media_type)
    except ValueError:
        raise field_error("document") from None
