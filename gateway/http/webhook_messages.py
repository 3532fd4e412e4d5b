"""Webhook request and answer: the same whether aiohttp's application or the direct path serves them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from aiohttp import hdrs
from aiohttp.helpers import parse_content_type
from multidict import CIMultiDictProxy

from flows.engine.reply_acknowledgement import ReplyAcknowledgement
from menus.model.value import value_dataclass

DEFAULT_CONTENT_TYPE = "application/octet-stream"
"""Content type of a body that names none (RFC 9110, section 8.3)."""


class AddressedRequest(Protocol):
    """What tells where a request came from; aiohttp's request and WebhookRequest have it."""

    @property
    def remote(self) -> str | None:
        """The peer's address; None when the connection has none."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers as received."""


@value_dataclass
class WebhookRequest:
    """One request to a webhook's path; its body is read only when asked for."""

    operator: str
    provider: str
    path_tail: str = field(repr=False)
    """What follows the provider in the path; holds the path token."""
    method: str
    target: str = field(repr=False)
    """Path and raw query exactly as received."""
    headers: CIMultiDictProxy[str] = field(repr=False)
    remote: str | None = field(repr=False)
    read_body: Callable[[], Awaitable[bytes]] = field(repr=False)
    """Returns the body, within the limits and with the errors of `decoding.read_body`."""

    @property
    def raw_query(self) -> str:
        """The query exactly as received."""
        return self.target.partition("?")[2]

    def read_content_type(self) -> tuple[str, str | None]:
        """Return the body's content type, in lower case, and its charset."""
        written = self.headers.get(hdrs.CONTENT_TYPE)
        if written is None:
            return DEFAULT_CONTENT_TYPE, None
        content_type, parameters = parse_content_type(written)
        return content_type, parameters.get("charset")


@value_dataclass
class WebhookAnswer:
    """The answer to a webhook."""

    body: bytes = field(repr=False)
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    acknowledgement: ReplyAcknowledgement | None = field(default=None, repr=False)
    """To be completed once the answer was sent."""
