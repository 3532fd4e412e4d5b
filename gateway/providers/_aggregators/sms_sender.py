"""SMS sender of a described provider: one POST per message, its answer sorted into our failures."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
    encode_basic_auth,
)

from flows.domain.failures import (
    Down,
    Misconfigured,
    NotNow,
    OptedOut,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage, Secret
from flows.domain.trace_scope import record_http_status
from gateway.providers._aggregators.description import FailureWord, SenderForm
from gateway.providers._aggregators.reply_writer import fill_shape, write_json
from gateway.providers._shared.connect_outcome import unsent_after
from gateway.providers._shared.numbers import is_e164
from gateway.providers._shared.retry_after import parse_retry_after
from gateway.providers.contract import Connection, ConnectSender, Sender, SentMessage
from menus.text.gsm import count_septets
from storage.billing._client.oauth import OAuthTokenSource

CONNECT_SECONDS = 3.0
DEADLINE_SECONDS = 9.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_CONCURRENT_CALLS = 100
FAILURES: Mapping[FailureWord, type[Undelivered]] = {
    "rejected": Rejected,
    "opted_out": OptedOut,
    "not_now": NotNow,
    "later": TryLater,
    "ours": Misconfigured,
    "unknown": OutcomeUnknown,
}
STATUS_FAILURES: Mapping[int, FailureWord] = {400: "rejected", 408: "unknown", 429: "later"}
"""Failures by HTTP status where the description has none: other 3xx and 4xx are Misconfigured, 5xx unknown."""


def connect_described_sender(provider: str, form: SenderForm) -> ConnectSender:
    """Return the function that connects a sender; nothing is opened before the first message."""

    async def connect_sender(connection: Connection) -> Sender:
        return DescribedSms(provider, form, connection)

    return connect_sender


@dataclass(frozen=True, slots=True)
class _Answer:
    """An HTTP answer, read whole."""

    status: int
    values: Mapping[str, str] = field(repr=False)
    """Its JSON leaves by dotted name; empty when it is no JSON."""
    retry_after: float | None = None


class DescribedSms:
    """Sends notices as SMS, as a description says; must be created inside a running loop."""

    def __init__(self, provider: str, form: SenderForm, connection: Connection) -> None:
        self._provider, self._form = provider, form
        self._values = _setting_values(connection)
        self._hooks_url = connection.hooks_url
        self._url = _sender_url(form, self._values)
        self._basic = _basic_header(form, self._values)
        self._tokens = _token_source(form, self._values)
        self._session: ClientSession | None = None
        self.max_concurrent_calls = MAX_CONCURRENT_CALLS

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """See `Sender.send`: one POST under the deadline."""
        if not is_e164(notice.to):
            raise Rejected("the recipient is not a number")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return self._read_outcome(await self._post(notice))
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise unsent_after(error) from error
        except Down as error:  # no token: nothing was sent
            raise TryLater("no access token") from error
        except (TimeoutError, ClientError, OSError) as error:
            raise OutcomeUnknown("no answer in time, or the connection broke off") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._tokens:
            await self._tokens.close()
        if self._session:
            await self._session.close()

    async def _post(self, notice: OutboundMessage) -> _Answer:
        session = self._open_session()
        headers = {**self._fixed_headers(), **await self._authorization(session)}
        data = self._write_body(notice)
        content_type = "application/json" if self._form.body == "json" else "application/x-www-form-urlencoded"
        async with session.post(
            self._url, data=data, headers={"Content-Type": content_type, **headers}, allow_redirects=False
        ) as response:
            record_http_status(response.status)
            if response.status == 401 and self._tokens:
                self._tokens.invalidate_token(headers.get("Authorization", ""))
            retry_after = parse_retry_after(response.headers.get("Retry-After"))
            return _Answer(response.status, await _read_values(response), retry_after)

    def _open_session(self) -> ClientSession:
        """Return the client, opened at the first message."""
        if self._session is None:
            timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            connector = TCPConnector(limit=self.max_concurrent_calls)
            self._session = ClientSession(timeout=timeout, connector=connector, cookie_jar=DummyCookieJar())
        return self._session

    def _fixed_headers(self) -> dict[str, str]:
        headers = {name: str(fill_shape(text, self._values)) for name, text in self._form.headers.items()}
        return {**headers, **({"Authorization": self._basic} if self._basic else {})}

    async def _authorization(self, session: ClientSession) -> Mapping[str, str]:
        return {"Authorization": await self._tokens.bearer_header(session)} if self._tokens else {}

    def _write_body(self, notice: OutboundMessage) -> bytes:
        values = {
            **self._values,
            "to": notice.to,
            "digits": notice.to.removeprefix("+"),
            "text": notice.body,
            "key": notice.key,
            "callback": f"{self._hooks_url}/sms-report",
        }
        alphabet = "ucs2" if count_septets(notice.body) is None else "gsm7"
        filled = fill_shape(self._form.shape, values, alphabet)
        if self._form.body == "json":
            return write_json(filled, self._form.types)
        return "&".join(
            f"{quote(name)}={quote(str(value), safe='')}" for name, value in filled.items()
        ).encode()

    def _read_outcome(self, answer: _Answer) -> SentMessage:
        """Return the accepted message, or raise the failure its code or status stands for."""
        code = next((answer.values[name] for name in self._form.code if answer.values.get(name)), "")
        is_accepted = 200 <= answer.status < 300
        if is_accepted and (not self._form.accepted_codes or code in self._form.accepted_codes):
            return SentMessage(self._provider, self._message_id(answer))
        raise self._classify(answer, code, is_success=is_accepted)

    def _message_id(self, answer: _Answer) -> str:
        """Return the provider's id of an accepted message; empty where it gave none."""
        written, after = answer.values.get(self._form.message_id, ""), self._form.message_id_after
        return written.rpartition(after)[2] if after else written

    def _classify(self, answer: _Answer, code: str, *, is_success: bool) -> Undelivered:
        """Map a refusal by the provider's code, else by HTTP status.

        An unknown code in a successful answer may stand for a message that was taken.
        """
        word: FailureWord | None = self._form.codes.get(code) or self._form.statuses.get(str(answer.status))
        if word is None and (is_success or answer.status >= 500):
            word = "unknown"
        kind = FAILURES[word or STATUS_FAILURES.get(answer.status, "ours")]
        reason = f"HTTP {answer.status} code {code[:32] or 'none'}"
        return kind(reason, answer.retry_after) if issubclass(kind, TryLater) else kind(reason)


def _setting_values(connection: Connection) -> Mapping[str, str]:
    """Return the connection's settings as plain texts, secrets included."""
    settings = connection.settings
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else str(value or "")
        for name, value in values.items()
    }


def _sender_url(form: SenderForm, values: Mapping[str, str]) -> str:
    """Return the URL messages are posted to: the provider's, at the host of `api_url` where that is set."""
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    url = str(fill_shape(form.url, quoted))
    if own := values.get("api_url", ""):
        base, path = urlsplit(own), urlsplit(url)
        url = urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + path.path, path.query, ""))
    return url


def _basic_header(form: SenderForm, values: Mapping[str, str]) -> str:
    if form.basic is None:
        return ""
    user, password = form.basic
    return encode_basic_auth(values[user], values[password])


def _token_source(form: SenderForm, values: Mapping[str, str]) -> OAuthTokenSource | None:
    if not form.token_url:
        return None
    client, secret = form.token_settings
    url = form.token_url
    if own := values.get("api_url", ""):
        url = f"{own.rstrip('/')}{urlsplit(form.token_url).path}"
    return OAuthTokenSource(url, values[client], Secret(values[secret]))


async def _read_values(response: ClientResponse) -> Mapping[str, str]:
    """Return the JSON leaves of an answer by dotted name; OutcomeUnknown when it is too long."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise OutcomeUnknown("the answer is too long")
    try:
        return dict(_leaves(json.loads(body), ""))
    except (ValueError, RecursionError):
        return {}


def _leaves(value: Any, name: str) -> list[tuple[str, str]]:
    if not isinstance(value, dict | list):
        return [(name, "" if value is None else str(value))]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, inner in items for leaf in _leaves(inner, f"{name}.{key}" if name else str(key))]
