"""The wire: webhooks as the providers send them, with what was sent and what came back kept to be shown."""

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
"""What the network does to a request: loses its reply, so that it comes again, or delivers it twice."""
SIGNATURE = "X-Twilio-Signature"
HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a provider and its answer, as people may look at them."""

    provider: str
    path: str
    fields: Fields
    status: int
    answer: str
    ms: int
    note: str = ""


@dataclass(slots=True)
class Wire:
    """Sends webhooks to a gateway on loopback."""

    client: ClientSession = field(repr=False)
    base: str
    tell: Callable[[Exchange], None] = field(repr=False)
    trick: Trick = ""
    secrets: set[str] = field(default_factory=set, repr=False)
    """Values never shown: what was typed where a secret is asked, codes."""
    last: tuple[str, Fields] | None = field(default=None, repr=False)

    async def send(self, path: str, fields: Fields) -> str:
        """The answer, after whatever the network does to this one request."""
        self.last, trick, self.trick = (path, fields), self.trick, ""
        if trick == "lost":
            await self._post(path, fields, "the reply was lost")
            return await self._post(path, fields, "asked again")
        if trick == "twice":
            answer, _ = await asyncio.gather(
                self._post(path, fields), self._post(path, fields, "delivered twice")
            )
            return answer
        return await self._post(path, fields)

    async def again(self) -> str:
        """The last request once more."""
        if self.last is None:
            raise DialogError("nothing was sent; dial, call or text first")
        return await self._post(*self.last, "once more")

    async def _post(self, path: str, fields: Fields, note: str = "") -> str:
        headers, began = {"Content-Type": FORM}, time.perf_counter()
        if "/twilio/" in path:
            validator = RequestValidator(AUTH_TOKEN)
            headers[SIGNATURE] = validator.compute_signature(self.base + path, dict(fields))
        async with self.client.post(self.base + path, data=urlencode(fields), headers=headers) as answer:
            body = await answer.text()
        ms = round((time.perf_counter() - began) * 1000)
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
        """The text without the secrets; the longest first, for one may hold another."""
        for secret in sorted(filter(_long_enough, self.secrets), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text


def _long_enough(secret: str) -> bool:
    """A key of a menu is no secret."""
    return len(secret) > 2


def local(url: str) -> str:
    """Path and query of one of the gateway's own URLs."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
