"""XML-body decoder with limits: returns the leaf elements as fields, or raises BadRequest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from flows.domain.failures import BadRequest
from gateway.http.decoding import MAX_FIELDS, MAX_VALUE_CHARACTERS

XML_CONTENT_TYPES = frozenset({"text/xml", "application/xml"})
MAX_XML_DEPTH = 8
"""Nested elements; deeper documents are refused."""


def decode_xml(
    data: bytes,
    content_type: str,
    charset: str | None,
    max_characters: int = MAX_VALUE_CHARACTERS,
    max_fields: int = MAX_FIELDS,
) -> Mapping[str, str]:
    """Return the leaf elements as fields with dotted names, the root's name left out.

    Attributes are ignored. BadRequest 415 for another content type, 400 for anything else: a document type
    declaration (and with it every entity of its own), repeated names, too many, too long or too deep elements,
    and what is not well-formed UTF-8.
    """
    if content_type not in XML_CONTENT_TYPES or (charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise BadRequest("send text/xml in UTF-8", 415)
    reader = _LeafReader(max_characters, max_fields)
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.add_text
    parser.StartDoctypeDeclHandler = _refuse_declaration
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise BadRequest("the body is not XML") from error
    return reader.fields


def _refuse_declaration(*_: object) -> None:
    raise BadRequest("the body declares a document type")


@dataclass(slots=True)
class _LeafReader:
    """Collects the text of elements without children."""

    max_characters: int
    max_fields: int
    fields: dict[str, str] = field(default_factory=dict, repr=False)
    names: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list, repr=False)
    length: int = 0
    is_leaf: bool = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        if len(self.names) >= MAX_XML_DEPTH:
            raise BadRequest("the body is nested too deeply")
        self.names.append(name)
        self.text, self.length, self.is_leaf = [], 0, True

    def add_text(self, text: str) -> None:
        """Add a piece of an element's text."""
        self.length += len(text)
        if self.length > self.max_characters:
            raise BadRequest("a field is too long")
        self.text.append(text)

    def end(self, name: str) -> None:
        """End an element; a leaf becomes a field."""
        if self.is_leaf:
            self._add_field(".".join(self.names[1:]) or name, "".join(self.text).strip())
        self.names.pop()
        self.text, self.length, self.is_leaf = [], 0, False

    def _add_field(self, name: str, value: str) -> None:
        if name in self.fields:
            raise BadRequest("a field is repeated")
        if len(self.fields) >= self.max_fields:
            raise BadRequest("too many fields")
        self.fields[name] = value
