"""ARI client: requests to Asterisk over HTTP, each under a time limit of its own."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, encode_basic_auth

from flows.domain.records import Secret
from gateway.asterisk.ari_events import AriChannel, parse_channel

REQUEST_SECONDS = 5.0
MAX_ANSWER_OCTETS = 256 * 1024
NORMAL_CLEARING = "normal"
MISSING_STATUSES, REFUSED_STATUSES = frozenset({404, 409, 410}), frozenset({401, 403})
"""404: no such channel or playback. 409: the channel is in a state, or an application, that cannot do it."""


AriParameters = Mapping[str, Any]


class AriError(Exception):
    """Asterisk did not do what was asked: no answer in time, no connection, or an error status."""


class ChannelGone(AriError):  # noqa: N818 - it reads as a statement where it is caught
    """The channel, or the playback, is not there any more."""


class AriRefused(AriError):  # noqa: N818 - it reads as a statement where it is caught
    """Asterisk rejects our user or password."""


@dataclass(frozen=True, slots=True)
class AriAccount:
    """Where one Asterisk's ARI is, and how to log in."""

    url: str
    """Base URL, `http://127.0.0.1:8088`, without a slash at its end."""
    user: str
    password: Secret
    ca_file: str = ""
    """Certificate authority of its HTTPS, PEM; empty for the system's."""

    @property
    def headers(self) -> dict[str, str]:
        """The header every request carries; never the password in a URL, which proxies and Asterisk log."""
        return {"Authorization": encode_basic_auth(self.user, self.password.value)}

    def tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that verifies certificate and name; OSError for an unusable file."""
        return ssl.create_default_context(cafile=self.ca_file or None)


@dataclass(slots=True)
class AriCounters:
    """What the requests of one link came to."""

    under_way: int = 0
    unanswered: int = 0


@dataclass(slots=True)
class AriClient:
    """Requests about calls in our application. Each raises AriError when it was not done, or nobody knows."""

    account: AriAccount
    http: ClientSession = field(repr=False)
    seconds: float = REQUEST_SECONDS
    counters: AriCounters = field(default_factory=AriCounters)

    async def answer_call(self, channel_id: str) -> None:
        """Answer a ringing call; one that is answered stays so."""
        await self._request("POST", f"/channels/{quote(channel_id, safe='')}/answer")

    async def play_sounds(self, channel_id: str, playback_id: str, media: Sequence[str]) -> None:
        """Play sounds one after the other, under a playback id of ours."""
        path = f"/channels/{quote(channel_id, safe='')}/play/{quote(playback_id, safe='')}"
        await self._request("POST", path, {"media": list(media)})

    async def stop_playback(self, playback_id: str) -> None:
        """Stop what is played; ChannelGone when it has ended by itself."""
        await self._request("DELETE", f"/playbacks/{quote(playback_id, safe='')}")

    async def hang_up(self, channel_id: str, reason: str = NORMAL_CLEARING) -> None:
        """End a call; `reason` is one of ARI's words, such as `normal` or `congestion`."""
        await self._request("DELETE", f"/channels/{quote(channel_id, safe='')}", query={"reason": reason})

    async def set_variables(self, channel_id: str, variables: Mapping[str, str]) -> None:
        """Set variables of the dialplan on a channel."""
        path = f"/channels/{quote(channel_id, safe='')}/variable"
        for name, value in variables.items():
            await self._request("POST", path, {"variable": name, "value": value})

    async def continue_call(self, channel_id: str, **place: str) -> None:
        """Let a call go on in the dialplan at `context`, `extension` and `label`."""
        await self._request("POST", f"/channels/{quote(channel_id, safe='')}/continue", place)

    async def list_calls(self, application: str) -> tuple[str, ...]:
        """Return the channel ids in an application; ChannelGone when Asterisk does not know it."""
        answer = await self._request("GET", f"/applications/{quote(application, safe='')}")
        try:
            return tuple(map(str, answer["channel_ids"]))
        except (KeyError, TypeError) as error:
            raise AriError("no application in the answer") from error

    async def find_channel(self, channel_id: str) -> AriChannel:
        """Return what Asterisk knows of a channel."""
        answer = await self._request("GET", f"/channels/{quote(channel_id, safe='')}")
        try:
            return parse_channel(answer)
        except (KeyError, TypeError, AttributeError) as error:
            raise AriError("no channel in the answer") from error

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        self.counters.under_way += 1
        try:
            async with asyncio.timeout(self.seconds):
                return await self._exchange(method, f"{self.account.url}/ari{path}", body, query)
        except TimeoutError as error:
            self.counters.unanswered += 1
            raise AriError("no answer in time") from error
        except (ClientError, OSError, ValueError) as error:
            raise AriError(type(error).__name__) from error
        finally:
            self.counters.under_way -= 1

    async def _exchange(
        self, method: str, url: str, body: AriParameters | None, query: Mapping[str, str] | None
    ) -> Any:
        headers = self.account.headers
        async with self.http.request(
            method, url, json=body, params=query, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status in REFUSED_STATUSES:
                raise AriRefused(f"status {answer.status}")
            if answer.status in MISSING_STATUSES:
                raise ChannelGone(f"status {answer.status}")
            if not 200 <= answer.status < 300:
                raise AriError(f"status {answer.status}")
            data = await _read_limited(answer)
            return json.loads(data) if data else None


async def _read_limited(answer: ClientResponse) -> bytes:
    """Return the body; AriError when it is larger than any answer we ask for."""
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_OCTETS:
            raise AriError("the answer is too large")
    return bytes(data)
