"""Answers of a described provider: its shape filled in as plain text, JSON or XML."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from gateway.providers._aggregators.description import CONDITIONS, ReplyForm, RouteForm, Shape
from gateway.providers._aggregators.request_fields import read_values
from gateway.providers._shared.xml import add_element, serialise_document
from gateway.providers.contract import Connection, ProviderAnswer, Webhook
from menus.model.reply import Reply

CONTENT_TYPES = {
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
}
REPLY_NAMES = ("text", "title")
"""Names a shape may use beside those that are read."""
SLOT = re.compile(r"\$([a-z][a-z0-9_]*)")
_NO_REQUEST = Webhook({}, {})


def fill_shape(shape: Shape, values: Mapping[str, str], *choices: str) -> Any:
    """Return the shape with every `$name` replaced, unknown ones by nothing.

    Of a condition's fields the one among `choices` is taken: `end`, `ucs2`.
    """
    if isinstance(shape, list):
        return [fill_shape(item, values, *choices) for item in shape]
    if isinstance(shape, dict):
        if shape.keys() in CONDITIONS:
            chosen = next(name for name in shape if name in choices)
            return fill_shape(shape[chosen], values, *choices)
        return {name: fill_shape(value, values, *choices) for name, value in shape.items()}
    return SLOT.sub(lambda match: values.get(match[1], ""), shape)


def shape_names(shape: Shape) -> set[str]:
    """Return the names a shape uses."""
    if isinstance(shape, str):
        return set(SLOT.findall(shape))
    items = shape if isinstance(shape, list) else shape.values()
    return {name for item in items for name in shape_names(item)}


def write_json(filled: Any, types: Mapping[str, str]) -> bytes:
    """Serialise a filled shape; fields named in `types` are booleans or numbers."""
    return json.dumps(_with_types(filled, types, ""), ensure_ascii=False).encode(errors="replace")


def _with_types(value: Any, types: Mapping[str, str], name: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_types(inner, types, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_types(inner, types, name) for inner in value]
    if name not in types:
        return value
    return value == "true" if types[name] == "boolean" else int(value)


@dataclass(frozen=True, slots=True)
class ShapeWriter:
    """Writes the answers of one route."""

    route: RouteForm = field(repr=False)

    def write(self, reply: Reply | None, connection: Connection) -> ProviderAnswer:
        """Write an answer whose request is not known."""
        return self.write_with_echo(reply, connection, _NO_REQUEST)

    def write_closing(self, text: str, connection: Connection) -> ProviderAnswer:
        """Write a closing text to a request that cannot be read."""
        return self._write_text(text, {}, ends=True)

    def write_with_echo(self, reply: Reply | None, connection: Connection, webhook: Webhook) -> ProviderAnswer:
        """Write an answer; values of the request are repeated where the shape names them."""
        if reply is None or self.route.channel != "ussd":
            return self._acknowledge()
        return self._write_text(reply.text, read_values(self.route, webhook), ends=reply.ends_session)

    def _acknowledge(self) -> ProviderAnswer:
        form = self.route.reply
        empty: Shape = (
            {name: {} for name in form.shape} if form.body == "xml" and isinstance(form.shape, dict) else ""
        )
        body = serialise(form, fill_shape(empty if form.empty is None else form.empty, {}))
        return ProviderAnswer(body, CONTENT_TYPES[form.body])

    def _write_text(self, text: str, values: Mapping[str, str], *, ends: bool) -> ProviderAnswer:
        form = self.route.reply
        known = {**values, "text": text, "title": text.partition("\n")[0]}
        choice = "end" if ends else "continue"
        headers = {name: str(fill_shape(_as_shape(value), {}, choice)) for name, value in form.headers.items()}
        body = serialise(form, fill_shape(form.shape, known, choice))
        return ProviderAnswer(body, CONTENT_TYPES[form.body], headers)


def _as_shape(value: str | dict[str, str]) -> Shape:
    return value if isinstance(value, str) else dict(value)


def serialise(form: ReplyForm, filled: Any) -> bytes:
    """Return the bytes of a filled shape."""
    if filled == "":
        return b""
    if form.body == "json":
        return write_json(filled, form.types)
    if form.body == "xml":
        (root, children), *_ = filled.items()
        return write_xml(root, children)
    return str(filled).encode(errors="replace")


def write_xml(root: str, children: Mapping[str, Any]) -> bytes:
    """Serialise one element with its children; text is escaped, and stripped of what XML cannot carry."""
    element = Element(root)
    _add_children(element, children)
    return serialise_document(element)


def _add_children(parent: Element, children: Mapping[str, Any]) -> None:
    for name, value in children.items():
        if isinstance(value, dict):
            _add_children(add_element(parent, name), value)
        else:
            add_element(parent, name, str(value))
