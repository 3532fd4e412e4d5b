"""HTTP client of a help desk: one attempt per call under a deadline, its answer mapped to failures."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
)

from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TryLater
from flows.domain.trace_scope import record_http_status
from gateway.providers._shared.connect_outcome import unsent_after
from gateway.providers._shared.retry_after import parse_retry_after

DEADLINE_SECONDS = 4.0
"""Total time of one call: two of them take less than a route gives, so that the client says how far it got."""
CONNECT_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 * 1024
ALREADY_THERE = 409
"""Status by which a desk says that it has this ticket: it was accepted before."""
OUR_FAULT_STATUSES = frozenset({401, 403, 404, 405, 407, 421})
"""Statuses that say our address or credentials are wrong; they must be corrected by hand."""
BUSY_STATUSES = frozenset({408, 425, 429, 503})
"""Statuses that say nothing was accepted and the same call may be made later."""


@dataclass(frozen=True, slots=True)
class DeskAnswer:
    """A desk's answer: its status and the beginning of its body."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after_seconds: float | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the ticket is at the desk, from this call or an earlier one."""
        return 200 <= self.status < 300 or self.status == ALREADY_THERE


class DeskClient:
    """HTTP client of one help desk at a fixed URL; follows no redirects and keeps no cookies."""

    def __init__(
        self, url: str, headers: Mapping[str, str], deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._deadline_seconds = deadline_seconds
        self._session: ClientSession | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> DeskAnswer:
        """POST a JSON body and return an answer that accepts it; raises Undelivered for every other.

        OutcomeUnknown when the desk may have accepted it: no answer, or a server error.
        """
        answer = await self._call("POST", path, body, {"Content-Type": "application/json", **headers})
        if answer.is_accepted:
            return answer
        raise refusal_of(answer)

    async def get(self, path: str, query: Mapping[str, str]) -> DeskAnswer:
        """GET and return the answer, whatever its status; TryLater when there is none."""
        try:
            return await self._call("GET", path, None, {}, query)
        except OutcomeUnknown as failure:
            raise TryLater(str(failure)) from failure

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _call(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> DeskAnswer:
        session = self._open_session()
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                session.request(
                    method,
                    f"{self._url}{path}",
                    data=body,
                    params=query,
                    headers={**self._headers, **headers},
                    allow_redirects=False,
                ) as response,
            ):
                return await _read_answer(response)
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise unsent_after(error, "the desk") from None  # its message may hold the address
        except (ClientError, OSError):
            raise OutcomeUnknown("no answer from the desk") from None

    def _open_session(self) -> ClientSession:
        if self._session is None:
            timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = ClientSession(
                timeout=timeout, cookie_jar=DummyCookieJar(), headers={"Accept": "application/json"}
            )
        return self._session


async def _read_answer(response: ClientResponse) -> DeskAnswer:
    """Return status and the beginning of the body; a body that breaks off changes nothing about the status."""
    record_http_status(response.status)
    body = bytearray()
    with suppress(ClientError):
        async for part in response.content.iter_any():
            body += part
            if len(body) >= MAX_ANSWER_BYTES:
                break
    return DeskAnswer(
        response.status, bytes(body[:MAX_ANSWER_BYTES]), parse_retry_after(response.headers.get("Retry-After"))
    )


def refusal_of(answer: DeskAnswer) -> TryLater | Misconfigured | Rejected | OutcomeUnknown:
    """Return the failure that an answer which accepts nothing stands for."""
    reason = f"the desk answered {answer.status}"
    if answer.status in BUSY_STATUSES:
        return TryLater(reason, answer.retry_after_seconds)
    if answer.status in OUR_FAULT_STATUSES or 300 <= answer.status < 400:
        return Misconfigured(reason)
    if answer.status >= 500:
        return OutcomeUnknown(reason)
    return Rejected(reason)
