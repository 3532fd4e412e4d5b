"""HTTP client of a payment provider: deadline, size limit, circuit breaker; errors become failures."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.connect_failure import describe_unreachable
from flows.domain.failures import Down, NotEligible, NotFound, Overloaded, Slow
from flows.domain.trace_scope import record_http_status

DEADLINE_SECONDS = 6.0
"""One call: less than a page may take."""
CONNECT_SECONDS = 2.0
MAX_ANSWER_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One call to the provider: a form or a JSON body, and headers of its own."""

    method: str
    path: str
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    idempotency_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class ProviderClient:
    """Calls one provider's interface; redirects are not followed."""

    base_url: str
    api_key: str = field(repr=False)
    now: Callable[[], datetime] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    session: ClientSession | None = field(default=None, repr=False)
    breaker: CircuitBreaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(f"payments/{self.base_url}", self.now)

    async def call(self, call: ProviderCall) -> Mapping[str, Any]:
        """Return the JSON object answered.

        Raises NotFound, NotEligible for another 4xx, Overloaded for 429; Slow and Down when it is not known
        whether the provider did what it was asked.
        """
        return _read_answer(*await self._send(call))

    async def call_for_status(self, call: ProviderCall) -> tuple[int, Mapping[str, Any]]:
        """Return the status below 500 and the JSON object answered, empty for none; raises as `call` does."""
        status, data = await self._send(call)
        if status == 429:
            raise Overloaded("the payment provider answered 429")
        return status, _parse_object(data) or {}

    async def _send(self, call: ProviderCall) -> tuple[int, bytes]:
        """Return status and body of an answer below 500."""
        if not self.breaker.allow_request():
            raise Down("the circuit of the payment provider is open")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                status, data = await self._exchange(call)
        except TimeoutError as error:
            self.breaker.record_failure(error)
            raise Slow("the payment provider took too long") from error
        except (ClientError, OSError) as error:
            self.breaker.record_failure(error)
            raise Down(describe_unreachable("the payment provider", error)) from error
        if status >= 500:
            self.breaker.record_failure()
            raise Down(f"the payment provider answered {status}")
        self.breaker.record_success()
        return status, data

    async def close(self) -> None:
        """Close the connections."""
        if self.session:
            await self.session.close()

    async def _exchange(self, call: ProviderCall) -> tuple[int, bytes]:
        if self.session is None:
            timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self.session = ClientSession(timeout=timeout, cookie_jar=DummyCookieJar())
        standard = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"}
        headers = {**standard, **self.headers, **call.headers}
        if call.idempotency_key:
            headers["Idempotency-Key"] = call.idempotency_key
        async with self.session.request(
            call.method,
            f"{self.base_url}/{call.path}",
            data=call.form,
            json=call.body,
            params=call.query,
            headers=headers,
            allow_redirects=False,
        ) as response:
            record_http_status(response.status)
            return response.status, await _read_body(response)


async def _read_body(response: ClientResponse) -> bytes:
    """Return the body, whatever parts it comes in; of a body over the size limit more than that limit."""
    data = bytearray()
    async for part in response.content.iter_any():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            break
    return bytes(data)


def _read_answer(status: int, data: bytes) -> Mapping[str, Any]:
    """Parse an answer; its text is never quoted, it may name people."""
    if status == 429:
        raise Overloaded("the payment provider answered 429")
    if status == 404:
        raise NotFound
    if not 200 <= status < 300:
        raise NotEligible(f"the payment provider answered {status}")
    answer = _parse_object(data)
    if answer is None:
        raise Down("the payment provider answered no JSON object")
    return answer


def _parse_object(data: bytes) -> Mapping[str, Any] | None:
    """Parse a JSON object; None for anything else."""
    try:
        answer = json.loads(data, parse_float=Decimal) if len(data) <= MAX_ANSWER_BYTES else None
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
