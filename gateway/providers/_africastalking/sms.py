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
from threading import BoundedSemaphore
from types import MappingProxyType
from typing import Any

import requests
from africastalking.SMS import SMSService
from urllib3.exceptions import MaxRetryError, NewConnectionError

from flows.domain.failures import (
    Misconfigured,
    NotNow,
    OptedOut,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import Notice
from gateway.providers._shared.numbers import e164, is_e164
from gateway.providers._shared.retry_after import retry_after
from gateway.providers.contract import Sent

CONNECT_SECONDS = 3.0
MOST_BYTES = 64 * 1024

ACCEPTED = frozenset({100, 101, 102})
"""Recipient status codes Processed, Sent, Queued."""

REFUSALS: Mapping[int, tuple[type[Undelivered], str]] = MappingProxyType(
    {
        401: (Misconfigured, "RiskHold"),
        402: (Misconfigured, "InvalidSenderId"),
        403: (Rejected, "InvalidPhoneNumber"),
        404: (Rejected, "UnsupportedNumberType"),
        405: (Misconfigured, "InsufficientBalance"),
        406: (OptedOut, "UserInBlacklist"),
        407: (Rejected, "CouldNotRoute"),
        409: (NotNow, "DoNotDisturbRejection"),
        500: (TryLater, "InternalServerError"),
        501: (TryLater, "GatewayError"),
        502: (Rejected, "RejectedByGateway"),
    }
)
"""Failure by a recipient's `statusCode`; HTTP 201 says nothing about a recipient."""

STATUSES: Mapping[int, type[Undelivered]] = MappingProxyType(
    {400: Rejected, 401: Misconfigured, 402: Misconfigured, 403: Misconfigured, 409: NotNow, 429: TryLater}
)
"""Failure by HTTP status of an answer without recipients: other 3xx and 4xx need a person, 5xx stay unknown."""

NOBODY: Mapping[str, type[Undelivered]] = MappingProxyType(
    {"InvalidSenderId": Misconfigured, "InsufficientBalance": Misconfigured}
)
"""Failure by the `Message` of an answer whose list of recipients is empty."""


@dataclass(frozen=True, slots=True)
class Account:
    """An Africa's Talking application and the sender of its messages."""

    username: str
    api_key: str = field(repr=False)
    sender: str = ""
    api_url: str = ""
    """Empty means the vendor's own host."""


@dataclass(frozen=True, slots=True)
class _Response:
    """The vendor's HTTP answer."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class _Service(SMSService):  # type: ignore[misc]  # the SDK has no types
    """The SDK's SMS service with a configurable base URL, the HTTP status, and no redirects."""

    def __init__(self, account: Account, deadline_seconds: float) -> None:
        self._api_url = account.api_url.rstrip("/")
        self._seconds = deadline_seconds
        super().__init__(account.username, account.api_key)

    def _init_service(self) -> None:
        super()._init_service()
        if self._api_url:
            self._baseUrl = self._contentUrl = f"{self._api_url}/version1"

    def _make_request(self, url: str, method: str, headers: Any, data: Any, **_: object) -> _Response:
        """Make one request for the SDK; redirects are not followed, as they would carry the key away."""
        until = time.monotonic() + self._seconds
        with requests.request(
            method,
            url,
            headers=headers,
            data=data,
            timeout=(min(CONNECT_SECONDS, self._seconds), self._seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            return _Response(response.status_code, _body(response, until), response.headers.get("Retry-After"))


def _body(response: requests.Response, until: float) -> bytes:
    """Return the body; ReadTimeout when it is too long or too late, as it occupies a thread.

    It is read byte by byte: a longer read blocks until it is full, and answers are some hundred bytes.
    """
    body = b""
    for chunk in response.iter_content(1):
        body += chunk
        if len(body) > MOST_BYTES or time.monotonic() > until:
            raise requests.exceptions.ReadTimeout
    return body


class AfricasTalkingSms:
    """Sends notices as SMS: one POST per call, each under a total deadline."""

    def __init__(self, account: Account, deadline_seconds: float = 9.0, max_concurrent_calls: int = 16) -> None:
        self._service = _Service(account, deadline_seconds)
        self._sender = account.sender or None
        self.max_concurrent_calls = max_concurrent_calls
        self._seconds = deadline_seconds
        self._free = BoundedSemaphore(max_concurrent_calls)
        self._pool = ThreadPoolExecutor(max_concurrent_calls, thread_name_prefix="africastalking")

    async def send(self, notice: Notice) -> Sent:
        """See `Sender.send`."""
        outcome = (await self.send_many([notice]))[0]
        if isinstance(outcome, Undelivered):
            raise outcome
        return outcome

    async def send_many(self, notices: Sequence[Notice]) -> list[Sent | Undelivered]:
        """Send one body to several recipients in one POST; return the outcomes in the notices' order.

        Raises ValueError when the bodies differ; failures are returned, not raised.
        """
        if len({notice.body for notice in notices}) > 1:
            raise ValueError("notices sent together must have one body")
        valid = [notice.to for notice in notices if is_e164(notice.to)]
        outcomes = await self._verdicts(notices[0].body, valid) if valid else {}
        invalid = Rejected("the recipient is not a number")
        return [outcomes.get(notice.to, invalid) for notice in notices]

    async def close(self) -> None:
        """Close idle threads; one still waiting for an answer ends by its own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _verdicts(self, body: str, numbers: list[str]) -> Mapping[str, Sent | Undelivered]:
        """Return the outcome by recipient; a failure of the call is the outcome of all."""
        try:
            return _read(await self._post(body, numbers), numbers)
        except Undelivered as failure:
            return dict.fromkeys(numbers, failure)

    async def _post(self, body: str, numbers: list[str]) -> _Response:
        """Call the SDK in a thread, waiting only until the deadline; TryLater when all calls are in use.

        The slot is released when the thread ends, not when the waiting does.
        """
        if not self._free.acquire(blocking=False):
            raise TryLater("too many concurrent calls")
        call = self._pool.submit(self._call, body, numbers)
        call.add_done_callback(lambda _: self._free.release())
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(call)
        except TimeoutError as late:
            raise OutcomeUnknown("no answer in time") from late

    def _call(self, body: str, numbers: list[str]) -> _Response:
        """Call the SDK; runs in a thread of the pool."""
        try:
            response: _Response = self._service.send(body, numbers, self._sender)
            return response
        except requests.exceptions.RequestException as error:
            raise _broken(error) from error


def _broken(error: requests.exceptions.RequestException) -> Undelivered:
    """Map a network error: nothing was sent if no connection was made, otherwise the outcome is unknown."""
    cause = error.args[0] if error.args else None
    refused = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    if refused or isinstance(error, requests.exceptions.ConnectTimeout):
        return TryLater("no connection")
    return OutcomeUnknown("the connection broke off")


def _read(response: _Response, numbers: list[str]) -> Mapping[str, Sent | Undelivered]:
    """Return the outcome by recipient; the body is read before the status, as HTTP 409 brings a normal one."""
    message, recipients = _decoded(response.body)
    if not recipients and response.status == 429:
        return dict.fromkeys(numbers, TryLater("HTTP 429", retry_after(response.retry_after)))
    if not recipients:
        return dict.fromkeys(numbers, _refusal(response.status, message))
    outcomes = {e164(str(item.get("number", ""))): _verdict(item) for item in recipients}
    if len(numbers) == len(recipients) == 1:
        return dict.fromkeys(numbers, *outcomes.values())
    unnamed = OutcomeUnknown("the answer does not name the recipient")
    return {number: outcomes.get(number, unnamed) for number in numbers}


def _decoded(body: bytes) -> tuple[str, list[dict[str, object]]]:
    """Return message and recipients of the body, both empty when it is malformed."""
    try:
        answer = json.loads(body)["SMSMessageData"]
        recipients = [item for item in answer.get("Recipients") or () if isinstance(item, dict)]
        return str(answer.get("Message", "")), recipients
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", []


def _refusal(status: int, message: str) -> Undelivered:
    """Map an answer without recipients: by HTTP status or, after success, by the message."""
    kind = NOBODY.get(message.strip(), OutcomeUnknown)
    if 300 <= status < 500:
        kind = STATUSES.get(status, Misconfigured)
    return kind(f"HTTP {status} and no recipients")


def _verdict(item: Mapping[str, object]) -> Sent | Undelivered:
    """Return the outcome of one recipient."""
    text = str(item.get("statusCode", ""))
    code = int(text) if len(text) == 3 and text.isdecimal() else 0
    if code in ACCEPTED:
        message_id = str(item.get("messageId") or "")
        return Sent("africastalking", "" if message_id == "None" else message_id)
    kind, name = REFUSALS.get(code, (OutcomeUnknown, "unknown"))
    return kind(f"status {code} {name}")
