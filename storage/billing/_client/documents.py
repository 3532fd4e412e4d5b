"""Bill documents sent by a BSS: allowed media types, base64 attachments and SHA-256 hash."""

import base64
import codecs
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from flows.domain.records import BillDocument
from storage.billing._client.answer_fields import field_error
from storage.billing._client.body_reader import MAX_FILE_BYTES, DownloadedFile

SUFFIX_BY_MEDIA_TYPE: Mapping[str, str] = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/html": "html",
}
"""File suffix by media type; other types are refused."""
PDF_MAGIC = b"%PDF-"
SUFFIX_BY_MAGIC: Mapping[bytes, str] = {
    PDF_MAGIC: "pdf",
    b"<?xml": "xml",
    b"<!doctype html": "html",
    b"<html": "html",
}
"""File suffix by the first bytes, in lower case except for PDF; used where no media type is given."""
MAX_PREAMBLE_BYTES = 64
"""Byte order mark and white space that may stand before the first bytes."""
ACCEPT_HEADER = ", ".join(SUFFIX_BY_MEDIA_TYPE)
_DATA_URL = re.compile(r"\s*data:([^,;]*)(?:;[^,;]*)*?;base64,", re.IGNORECASE).match
_STANDARD_ALPHABET = str.maketrans("-_", "+/")
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
    suffix = _suffix_of(file, attachment)
    if suffix is None or not file.data or (suffix == "pdf" and _sniff_suffix(file.data) != "pdf"):
        raise field_error("document")
    digest = hashlib.sha256(file.data).hexdigest()
    return BillDocument(file.data, digest, attachment.format_name or suffix.upper(), platform, suffix)


def _suffix_of(file: DownloadedFile, attachment: BillAttachment) -> str | None:
    """Return the suffix by the response's media type, else the bill's, else the first bytes."""
    for media_type in map(_bare_media_type, (file.media_type, attachment.media_type)):
        if media_type not in GENERIC_MEDIA_TYPES:
            return SUFFIX_BY_MEDIA_TYPE.get(media_type)
    return _sniff_suffix(file.data)


def _bare_media_type(text: str) -> str:
    """Return a media type without its parameters: `application/pdf` of `Application/PDF; name=bill.pdf`."""
    return text.partition(";")[0].strip().lower()


def _sniff_suffix(data: bytes) -> str | None:
    start = data[:MAX_PREAMBLE_BYTES].removeprefix(codecs.BOM_UTF8).lstrip()
    found = (suffix for magic, suffix in SUFFIX_BY_MAGIC.items() if start.lower().startswith(magic.lower()))
    return next(found, None)


def decode_attachment(attachment: BillAttachment) -> DownloadedFile:
    """Decode the document embedded in a bill; Down when it is too large or not base64.

    Any usual form of base64 is read: with line breaks (MIME), with the URL-safe alphabet, without padding, and
    as a `data:` URL, whose media type counts where the bill gives none.
    """
    text, media_type = attachment.content_base64, attachment.media_type
    if found := _DATA_URL(text):
        text, media_type = unquote(text[found.end() :]), media_type or found[1]
    data = _decode_base64(text)
    if len(data) > MAX_FILE_BYTES:
        raise field_error("document")
    return DownloadedFile(data, media_type)


def _decode_base64(text: str) -> bytes:
    characters = "".join(text.split()).rstrip("=").translate(_STANDARD_ALPHABET)
    if len(characters) > MAX_FILE_BYTES * 4 // 3 + 4:
        raise field_error("document")
    try:
        return base64.b64decode(characters + "=" * (-len(characters) % 4), validate=True)
    except ValueError:
        raise field_error("document") from None
