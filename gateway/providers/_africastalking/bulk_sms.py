"""Africa's Talking SMS client: the vendor's SDK in a thread pool, under a total deadline.

The SDK is synchronous, follows redirects with the key in its headers, hides HTTP statuses, and times out per
read only (2.0.3, measured). So its calls run in a thread pool of their own and are shed when it is full.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import requests
from africastalking.SMS import SMSService
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import (
    Misconfigured,
    NotNow,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage
from flows.domain.trace_scope import record_http_status
from gateway.providers._africastalking.status_codes import ACCEPTED_CODES, REFUSAL_CODES, STATUS_NAMES
from gateway.providers._shared.connect_outcome import unsent_after
from gateway.providers._shared.numbers import is_e164, to_e164
from gateway.providers._shared.retry_after import parse_retry_after
from gateway.providers.contract import SentMessage

CONNECT_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 * 1024

HTTP_STATUSES: Mapping[int, type[Undelivered]] = MappingProxyType(
    {400: Rejected, 401: Misconfigured, 402: Misconfigured, 403: Misconfigured, 409: NotNow, 429: TryLater}
)
"""Failure by HTTP status of an answer without recipients: other 3xx and 4xx are Misconfigured, 5xx unknown."""

EMPTY_ANSWER_MESSAGES: Mapping[str, type[Undelivered]] = MappingProxyType(
    {"InvalidSenderId": Misconfigured, "InsufficientBalance": Misconfigured}
)
"""Failure by the `Message` of an answer whose list of recipients is empty."""


@dataclass(frozen=True, slots=True)
class AfricasTalkingAccount:
    """An Africa's Talking application and the sender of its messages."""

    username: str
    api_key: str = field(repr=False)
    sender: str = ""
    api_url: str = ""
    """Empty means the vendor's own host."""


@dataclass(frozen=True, slots=True)
class _SmsResponse:
    """The vendor's HTTP answer."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class _TlsConnection(HTTPSConnection):
    """A connection whose failure to be made, TLS included, is told apart from a later one."""

    def connect(self) -> None:
        """Connect and shake hands; NewConnectionError says that nothing of the request has left."""
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            raise NewConnectionError(self, "no connection") from error


class _ConnectionAdapter(HTTPAdapter):
    """Makes such connections, directly and through a proxy of the environment."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> HTTPConnectionPool:
        pool: HTTPConnectionPool = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = _TlsConnection
        return pool


def _open_session() -> requests.Session:
    """Open a session for one request."""
    session = requests.Session()
    session.mount("https://", _ConnectionAdapter())
    return session


class _SmsService(SMSService):  # type: ignore[misc]  # the SDK has no types
    """The SDK's SMS service with a configurable base URL, the HTTP status, and no redirects."""

    def __init__(self, account: AfricasTalkingAccount, deadline_seconds: float) -> None:
        self._api_url = account.api_url.rstrip("/")
        self._deadline_seconds = deadline_seconds
        super().__init__(account.username, account.api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._api_url:
            self._baseUrl = self._contentUrl = f"{self._api_url}/version1"

    def _make_request(self, url: str, method: str, headers: Any, data: Any, **_: object) -> _SmsResponse:
        """Make one request for the SDK; redirects are not followed, as they would carry the key away."""
        until = time.monotonic() + self._deadline_seconds
        with (
            _open_session() as session,
            session.request(
                method,
                url,
                headers=headers,
                data=data,
                timeout=(min(CONNECT_SECONDS, self._deadline_seconds), self._deadline_seconds),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return _SmsResponse(
                response.status_code, _read_body(response, until), response.headers.get("Retry-After")
            )


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """Return the body; ReadTimeout when it is too long or too late, as it occupies a thread.

    It is read byte by byte: a longer read blocks until it is full, and answers are some hundred bytes.
    """
    body = b""
    for chunk in response.iter_content(1):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout
    return body


class AfricasTalkingSms:
    """Sends notices as SMS: one POST per call, each under a total deadline."""

    def __init__(
        self, account: AfricasTalkingAccount, deadline_seconds: float = 9.0, max_concurrent_calls: int = 16
    ) -> None:
        self._service = _SmsService(account, deadline_seconds)
        self._sender = account.sender or None
        self.max_concurrent_calls = max_concurrent_calls
        self._deadline_seconds = deadline_seconds
        self._limit = ConcurrencyLimit(
            max_concurrent_calls, build_failure=lambda: TryLater("too many concurrent calls")
        )
        self._pool = ThreadPoolExecutor(max_concurrent_calls, thread_name_prefix="africastalking")

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """See `Sender.send`."""
        outcome = (await self.send_many([notice]))[0]
        if isinstance(outcome, Undelivered):
            raise outcome
        return outcome

    async def send_many(self, notices: Sequence[OutboundMessage]) -> list[SentMessage | Undelivered]:
        """Send one body to several recipients in one POST; return the outcomes in the notices' order.

        Raises ValueError when the bodies differ; failures are returned, not raised.
        """
        if len({notice.body for notice in notices}) > 1:
            raise ValueError("notices sent together must have one body")
        valid = [notice.to for notice in notices if is_e164(notice.to)]
        outcomes = await self._recipient_outcomes(notices[0].body, valid) if valid else {}
        invalid = Rejected("the recipient is not a number")
        return [outcomes.get(notice.to, invalid) for notice in notices]

    async def close(self) -> None:
        """Close idle threads; one still waiting for an answer ends by its own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _recipient_outcomes(
        self, body: str, numbers: list[str]
    ) -> Mapping[str, SentMessage | Undelivered]:
        """Return the outcome by recipient; a failure of the call is the outcome of all."""
        try:
            response = await self._post_in_thread(body, numbers)
            record_http_status(response.status)
            return _parse_response(response, numbers)
        except Undelivered as failure:
            return dict.fromkeys(numbers, failure)

    async def _post_in_thread(self, body: str, numbers: list[str]) -> _SmsResponse:
        """Call the SDK in a thread, waiting only until the deadline; TryLater when all calls are in use.

        The slot is released when the thread ends, not when the waiting does.
        """
        await self._limit.acquire()
        answer = asyncio.wrap_future(self._pool.submit(self._call_service, body, numbers))
        answer.add_done_callback(lambda _: self._limit.release())
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await asyncio.shield(answer)
        except TimeoutError as late:
            raise OutcomeUnknown("no answer in time") from late

    def _call_service(self, body: str, numbers: list[str]) -> _SmsResponse:
        """Call the SDK; runs in a thread of the pool."""
        try:
            response: _SmsResponse = self._service.send(body, numbers, self._sender)
            return response
        except requests.exceptions.RequestException as error:
            raise _classify_error(error) from error


def _classify_error(error: requests.exceptions.RequestException) -> Undelivered:
    """Map a network error: nothing was sent if no connection was made, otherwise the outcome is unknown."""
    cause = error.args[0] if error.args else None
    refused = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    if refused or isinstance(error, requests.exceptions.ConnectTimeout):
        return unsent_after(error)
    return OutcomeUnknown("the connection broke off")


def _parse_response(response: _SmsResponse, numbers: list[str]) -> Mapping[str, SentMessage | Undelivered]:
    """Return the outcome by recipient; the body is read before the status, as HTTP 409 brings a normal one."""
    message, recipients = _decode_body(response.body)
    if not recipients and response.status == 429:
        return dict.fromkeys(numbers, TryLater("HTTP 429", parse_retry_after(response.retry_after)))
    if not recipients:
        return dict.fromkeys(numbers, _classify_refusal(response.status, message))
    outcomes = {to_e164(str(item.get("number", ""))): _recipient_outcome(item) for item in recipients}
    if len(numbers) == len(recipients) == 1:
        return dict.fromkeys(numbers, *outcomes.values())
    unnamed = OutcomeUnknown("the answer does not name the recipient")
    return {number: outcomes.get(number, unnamed) for number in numbers}


def _decode_body(body: bytes) -> tuple[str, list[dict[str, object]]]:
    """Return message and recipients of the body, both empty when it is malformed."""
    try:
        answer = json.loads(body)["SMSMessageData"]
        recipients = [item for item in answer.get("Recipients") or () if isinstance(item, dict)]
        return str(answer.get("Message", "")), recipients
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", []


def _classify_refusal(status: int, message: str) -> Undelivered:
    """Map an answer without recipients: by HTTP status or, after success, by the message."""
    kind = EMPTY_ANSWER_MESSAGES.get(message.strip(), OutcomeUnknown)
    if 300 <= status < 500:
        kind = HTTP_STATUSES.get(status, Misconfigured)
    return kind(f"HTTP {status} and no recipients")


def _recipient_outcome(item: Mapping[str, object]) -> SentMessage | Undelivered:
    """Return the outcome of one recipient."""
    text = str(item.get("statusCode", ""))
    code = int(text) if len(text) == 3 and text.isdecimal() else 0
    if code in ACCEPTED_CODES:
        message_id = str(item.get("messageId") or "")
        return SentMessage("africastalking", "" if message_id == "None" else message_id)
    kind = REFUSAL_CODES.get(code, OutcomeUnknown)
    return kind(f"status {code} {STATUS_NAMES.get(code, 'unknown')}")
