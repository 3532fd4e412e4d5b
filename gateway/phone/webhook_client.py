"""Webhook HTTP client that acts as the providers and reports each exchange with secrets masked."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlencode, urlsplit

from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.demo.startup import AUTH_TOKEN, HOOK_TOKEN
from gateway.dialogs.format import DialogError
from gateway.http.decoding import FORM_CONTENT_TYPE

FormFields = Mapping[str, str]
NetworkFault = Literal["", "lost", "twice"]
"""Network fault of one request: its reply is lost and it is retried, or it is delivered twice."""
SIGNATURE = "X-Twilio-Signature"
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One webhook request and its response, masked for display."""

    provider: str
    path: str
    fields: FormFields
    status: int
    answer: str
    ms: int
    note: str = ""


@dataclass(slots=True)
class WebhookClient:
    """Sends provider webhooks to a gateway on loopback, signed where the provider signs."""

    http_session: ClientSession = field(repr=False)
    base_url: str
    on_exchange: Callable[[Exchange], None] = field(repr=False)
    network_fault: NetworkFault = ""
    hidden_values: set[str] = field(default_factory=set, repr=False)
    """Values that are masked: secret input and one-time codes."""
    last_request: tuple[str, FormFields] | None = field(default=None, repr=False)

    async def send(self, path: str, fields: FormFields) -> str:
        """Send a request, with the pending network fault if any, and return the response body."""
        self.last_request, network_fault, self.network_fault = (path, fields), self.network_fault, ""
        if network_fault == "lost":
            await self._post_form(path, fields, "the reply was lost")
            return await self._post_form(path, fields, "asked again")
        if network_fault == "twice":
            answer, _ = await asyncio.gather(
                self._post_form(path, fields), self._post_form(path, fields, "delivered twice")
            )
            return answer
        return await self._post_form(path, fields)

    async def repeat_last(self) -> str:
        """Repeat the last request."""
        if self.last_request is None:
            raise DialogError("nothing was sent; dial, call or text first")
        return await self._post_form(*self.last_request, "once more")

    async def _post_form(self, path: str, fields: FormFields, note: str = "") -> str:
        headers, start = {"Content-Type": FORM_CONTENT_TYPE}, time.perf_counter()
        if "/twilio/" in path:
            validator = RequestValidator(AUTH_TOKEN)
            headers[SIGNATURE] = validator.compute_signature(self.base_url + path, dict(fields))
        async with self.http_session.post(
            self.base_url + path, data=urlencode(fields), headers=headers
        ) as answer:
            body = await answer.text()
        ms = round((time.perf_counter() - start) * 1000)
        self.on_exchange(
            self._mask_exchange(Exchange(path.split("/")[3], path, fields, answer.status, body, ms, note))
        )
        return body

    def _mask_exchange(self, exchange: Exchange) -> Exchange:
        path = exchange.path.replace(f"/{HOOK_TOKEN}/", f"/{MASK}/")
        fields = {name: self._mask_secrets(value) for name, value in exchange.fields.items()}
        if exchange.provider == "twilio":
            fields[f"({SIGNATURE})"] = MASK
        answer = self._mask_secrets(unquote(exchange.answer))
        return Exchange(exchange.provider, path, fields, exchange.status, answer, exchange.ms, exchange.note)

    def _mask_secrets(self, text: str) -> str:
        """Return the text with secrets masked, the longest first: one may contain another."""
        for secret in sorted(filter(_is_long_enough, self.hidden_values), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def _is_long_enough(secret: str) -> bool:
    """Return whether a value is long enough to be a secret; menu keys of 1 or 2 digits are not."""
    return len(secret) > 2


def path_and_query(url: str) -> str:
    """Return path and query of one of the gateway's own URLs."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
