"""Webhook HTTP client that acts as the providers and reports each exchange with secrets masked."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlencode, urlsplit

from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from gateway.demo.world import AUTH_TOKEN, HOOK_TOKEN
from gateway.dialogs.format import DialogError
from gateway.http.decoding import FORM

Fields = Mapping[str, str]
Trick = Literal["", "lost", "twice"]
"""Network fault of one request: its reply is lost and it is retried, or it is delivered twice."""
SIGNATURE = "X-Twilio-Signature"
HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One webhook request and its response, masked for display."""

    provider: str
    path: str
    fields: Fields
    status: int
    answer: str
    ms: int
    note: str = ""


@dataclass(slots=True)
class Wire:
    """Sends provider webhooks to a gateway on loopback, signed where the provider signs."""

    client: ClientSession = field(repr=False)
    base: str
    tell: Callable[[Exchange], None] = field(repr=False)
    trick: Trick = ""
    secrets: set[str] = field(default_factory=set, repr=False)
    """Values that are masked: secret input and one-time codes."""
    last: tuple[str, Fields] | None = field(default=None, repr=False)

    async def send(self, path: str, fields: Fields) -> str:
        """Send a request, with the pending network fault if any, and return the response body."""
        self.last, network_fault, self.trick = (path, fields), self.trick, ""
        if network_fault == "lost":
            await self._post(path, fields, "the reply was lost")
            return await self._post(path, fields, "asked again")
        if network_fault == "twice":
            answer, _ = await asyncio.gather(
                self._post(path, fields), self._post(path, fields, "delivered twice")
            )
            return answer
        return await self._post(path, fields)

    async def again(self) -> str:
        """Repeat the last request."""
        if self.last is None:
            raise DialogError("nothing was sent; dial, call or text first")
        return await self._post(*self.last, "once more")

    async def _post(self, path: str, fields: Fields, note: str = "") -> str:
        headers, start = {"Content-Type": FORM}, time.perf_counter()
        if "/twilio/" in path:
            validator = RequestValidator(AUTH_TOKEN)
            headers[SIGNATURE] = validator.compute_signature(self.base + path, dict(fields))
        async with self.client.post(self.base + path, data=urlencode(fields), headers=headers) as answer:
            body = await answer.text()
        ms = round((time.perf_counter() - start) * 1000)
        self.tell(self._masked(Exchange(path.split("/")[3], path, fields, answer.status, body, ms, note)))
        return body

    def _masked(self, seen: Exchange) -> Exchange:
        path = seen.path.replace(f"/{HOOK_TOKEN}/", f"/{HIDDEN}/")
        fields = {name: self._covered(value) for name, value in seen.fields.items()}
        if seen.provider == "twilio":
            fields[f"({SIGNATURE})"] = HIDDEN
        answer = self._covered(unquote(seen.answer))
        return Exchange(seen.provider, path, fields, seen.status, answer, seen.ms, seen.note)

    def _covered(self, text: str) -> str:
        """Return the text with secrets masked, the longest first: one may contain another."""
        for secret in sorted(filter(_long_enough, self.secrets), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text


def _long_enough(secret: str) -> bool:
    """Return whether a value is long enough to be a secret; menu keys of 1 or 2 digits are not."""
    return len(secret) > 2


def local(url: str) -> str:
    """Return path and query of one of the gateway's own URLs."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
