"""Twilio SMS client: the vendor's SDK over an HTTP client of our own.

The SDK's asynchronous client ignores its timeout, can post a message again after a 500, and warns on every call
(9.13, measured). This one posts once, follows no redirect, limits the answer's size and sets its own
Authorization header.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import getLogger
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, TCPConnector
from aiohttp import ConnectionTimeoutError as ConnectTimeout
from twilio.auth_strategy.auth_strategy import AuthStrategy
from twilio.auth_strategy.auth_type import AuthType
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.credential.credential_provider import CredentialProvider
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import (
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage
from flows.domain.trace_scope import record_http_status
from gateway.providers._shared.connect_outcome import unsent_after
from gateway.providers._shared.numbers import is_e164
from gateway.providers._shared.retry_after import parse_retry_after
from gateway.providers._twilio.error_codes import ERROR_CODES
from gateway.providers.contract import SentMessage

CONNECT_SECONDS = 3.0
MAX_ANSWER_BYTES = 64 * 1024

HTTP_STATUSES: Mapping[int, type[Undelivered]] = MappingProxyType({400: Rejected, 429: TryLater})
"""Failures by HTTP status when the code is unknown: other 3xx and 4xx are Misconfigured, 5xx unknown."""


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """A Twilio account and the sender of its messages."""

    sid: str
    auth_token: str = field(repr=False)
    sender: str
    api_url: str = ""
    """Empty means Twilio's own host."""


class _BasicAuth(AuthStrategy, CredentialProvider):  # type: ignore[misc]  # the SDK has no types
    """Basic authentication as a fixed header; the SDK's own way warns on every call."""

    def __init__(self, account: TwilioAccount) -> None:
        super().__init__(AuthType.BASIC)
        pair = f"{account.sid}:{account.auth_token}".encode()
        self._header = f"Basic {b64encode(pair).decode()}"

    def to_auth_strategy(self) -> Self:
        return self

    def get_auth_string(self) -> str:
        return self._header

    def requires_authentication(self) -> bool:
        return True


class _HttpClient(AsyncHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The HTTP client the SDK's resources send their requests through."""

    def __init__(self, connect_seconds: float, most: int) -> None:
        super().__init__(getLogger(__name__), is_async=True)
        timeout = ClientTimeout(total=None, sock_connect=connect_seconds)
        self._session = ClientSession(timeout=timeout, connector=TCPConnector(limit=most))

    async def request(
        self, method: str, url: str, data: Any = None, headers: Any = None, **_: object
    ) -> Response:
        """Make one request for the SDK; its timeout and redirect arguments are ignored on purpose."""
        async with self._session.request(
            method, url, data=data, headers=headers, allow_redirects=False
        ) as response:
            record_http_status(response.status)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise OutcomeUnknown("the answer is too long")
            if response.status == 429:  # the SDK's exception would hide the header
                raise TryLater("HTTP 429", parse_retry_after(response.headers.get("Retry-After")))
            return Response(response.status, body.decode(errors="replace"))

    async def close(self) -> None:
        await self._session.close()


class TwilioSms:
    """Sends notices as SMS: one POST per call, each under a total deadline.

    Must be created inside a running loop. Statuses come back to `status_url` with the notice's key as `id`.
    """

    def __init__(
        self,
        account: TwilioAccount,
        status_url: str,
        deadline_seconds: float = 9.0,
        max_concurrent_calls: int = 100,
    ) -> None:
        self._http = _HttpClient(min(CONNECT_SECONDS, deadline_seconds), max_concurrent_calls)
        self._client = _build_client(account, self._http)
        self._sender_fields = {_sender_field_name(account.sender): account.sender}
        self._status_url = status_url
        self._deadline_seconds = deadline_seconds
        self._limit = ConcurrencyLimit(
            max_concurrent_calls, build_failure=lambda: TryLater("too many concurrent calls")
        )
        self.max_concurrent_calls = max_concurrent_calls

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice, see `Sender.send`; TryLater at once, without queueing, when all calls are in use."""
        if not is_e164(notice.to):
            raise Rejected("the recipient is not a number")
        async with self._limit:
            return await self._post_message(notice)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post_message(self, notice: OutboundMessage) -> SentMessage:
        """Create the message under the deadline, mapping vendor and network errors to failures."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._create_message(notice)
        except (TwilioRestException, TwilioServiceException) as error:
            raise _classify_error(error) from None  # its message may hold the number
        except (ClientConnectorError, ConnectTimeout) as error:
            raise unsent_after(error) from error
        except (TimeoutError, ClientError, OSError) as error:
            raise OutcomeUnknown("no answer in time, or the connection broke off") from error

    async def _create_message(self, notice: OutboundMessage) -> SentMessage:
        """Create the message; OutcomeUnknown when a successful answer is not a message."""
        callback = f"{self._status_url}?id={quote(notice.key, safe='')}"
        try:
            message = await self._client.messages.create_async(
                to=notice.to, body=notice.body, status_callback=callback, **self._sender_fields
            )
        except ClientError:  # one about a certificate is a ValueError, too
            raise
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise OutcomeUnknown("the answer is not a message") from error
        if not isinstance(message.sid, str):
            raise OutcomeUnknown("the answer names no message")
        return SentMessage("twilio", message.sid)


def _build_client(account: TwilioAccount, http: _HttpClient) -> Client:
    """Build the SDK's client.

    Edge and region of the environment are ignored, as they alter the host of `api_url`.
    """
    client = Client(
        account_sid=account.sid,
        http_client=http,
        environment={"TWILIO_EDGE": "", "TWILIO_REGION": ""},
        credential_provider=_BasicAuth(account),
    )
    if account.api_url:
        client.api.base_url = account.api_url.rstrip("/")
    return client


def _sender_field_name(sender: str) -> str:
    """Return the API field for the sender: a messaging service (`MG...`) or a number."""
    return "messaging_service_sid" if sender.startswith("MG") else "from_"


def _classify_error(error: TwilioRestException | TwilioServiceException) -> Undelivered:
    """Map an error to a failure by Twilio's code, else by HTTP status."""
    code, status = error.code, error.status
    kind = ERROR_CODES.get(code) if isinstance(code, int) else None
    if kind is None:
        kind = OutcomeUnknown if status >= 500 else HTTP_STATUSES.get(status, Misconfigured)
    return kind(f"HTTP {status} code {code if isinstance(code, int) else 'none'}")
