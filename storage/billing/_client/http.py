"""HTTP client of a BSS: pool, time and size limits, retry, circuit breaker, mutual TLS.

Errors become the failures of `flows.domain.failures`.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus, urlsplit

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from flows.domain.connect_failure import describe_unreachable
from flows.domain.failures import Down, NotEligible, NotFound, Overloaded, Slow
from flows.domain.trace_scope import record_http_status
from storage.billing._client import body_reader
from storage.billing._client.account_changes import EditConflict
from storage.billing._client.body_reader import DownloadedFile, JsonAnswer, JsonReader
from storage.billing._client.host_breakers import HostCircuitBreakers
from storage.billing._client.oauth import OAuthTokenSource
from storage.billing._client.ssrf_guard import GuardedResolver, UrlAllowList

MAX_SEGMENT_CHARS = 128
MAX_CONNECTIONS = 100
"""Connections in one pool."""
TIMEOUT_SECONDS = 2.4
"""One call with all its attempts: a little less than the 2.5 s a turn has for its actions."""
CONNECT_SECONDS = 1.0
DOCUMENT_SECONDS = 10.0
"""One document download: a web page waits longer than a USSD turn."""
TRANSIENT_STATUSES = frozenset({502, 503, 504})
"""Statuses of a proxy whose server is being replaced: a read is tried once more."""
FAILURE_BY_STATUS: Mapping[int, type[NotFound] | type[NotEligible]] = {
    404: NotFound,
    410: NotFound,
    416: NotFound,
    409: EditConflict,
    412: EditConflict,
    422: NotEligible,
}
REFUSED_CHANGE_STATUS = 400
"""A change answered so holds a value the BSS does not take; a read answered so is our fault or the BSS's."""
_MATCH_UNESCAPED = re.compile(r"[A-Za-z0-9._~,:-]*").fullmatch
"""Matches query values that need no percent-encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Timeouts and TLS files of the connections to a BSS: settings shared by every HTTP backend."""

    timeout_seconds: float = TIMEOUT_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    document_seconds: float = DOCUMENT_SECONDS
    ca_file: str = ""
    """CA file the BSS's certificate is verified with; empty means the system's."""
    cert_file: str = ""
    """Our client certificate for mutual TLS, PEM."""
    key_file: str = field(default="", repr=False)
    """The key of `cert_file`; empty when that file holds it."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP call, the reader of its body and the time limit of all its attempts."""

    method: str
    url: URL
    read_body: Callable[[ClientResponse], Awaitable[Any]] = field(repr=False)
    timeout_seconds: float
    max_attempts: int = 1
    data: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_other_host: bool = False
    """On a host other than the BSS: none of our credentials are sent."""


class BssClient:
    """HTTP client of one BSS.

    `headers` are sent with each call and `token_source` adds a bearer token; other hosts get neither.
    `allow_list` says on which other hosts documents may be.
    """

    def __init__(
        self,
        base_url: str,
        options: ConnectionOptions,
        headers: Mapping[str, str] | None = None,
        token_source: OAuthTokenSource | None = None,
        clock: Callable[[], float] = time.monotonic,
        resolver: AbstractResolver | None = None,
        allow_list: UrlAllowList | None = None,
    ) -> None:
        self.base_url = validate_base_url(base_url)
        self._options, self._headers, self._token_source = options, dict(headers or {}), token_source
        self._breakers = HostCircuitBreakers(clock)
        self._tls, self._tls_other_hosts = _build_tls(options), _build_tls(options, present_certificate=False)
        self._resolver, self._allow_list = resolver, allow_list or UrlAllowList()
        self._sessions: dict[bool, ClientSession] = {}

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, read_body: JsonReader = body_reader.read_json
    ) -> JsonAnswer:
        """GET a JSON answer; retried once after a connection error or a transient proxy status."""
        return await self._get_json(path, query, read_body, self._options.timeout_seconds)

    async def get_with_document(self, path: str, query: Mapping[str, str]) -> JsonAnswer:
        """GET a bill with the document embedded in it: larger, and as slow as a document may be."""
        return await self._get_json(path, query, body_reader.read_bill_json, self._options.document_seconds)

    async def _get_json(
        self, path: str, query: Mapping[str, str] | None, read_body: JsonReader, seconds: float
    ) -> JsonAnswer:
        call = HttpCall("GET", self._build_url(path, query), read_body, seconds, max_attempts=2)
        answer: JsonAnswer = await self._call_with_breaker(call)
        return answer

    async def send(
        self, method: str, path: str, body: Any, content_type: str = "application/json", if_match: str = ""
    ) -> JsonAnswer:
        """Send a JSON body with `method`, without retry; `if_match` is the version it changes, if known."""
        data, headers = json.dumps(body, default=str).encode(), {"Content-Type": content_type}
        headers |= {"If-Match": if_match} if if_match else {}
        url, seconds = self._build_url(path, None), self._options.timeout_seconds
        call = HttpCall(method, url, body_reader.read_json, seconds, 1, data, headers)
        answer: JsonAnswer = await self._call_with_breaker(call)
        return answer

    async def download_file(self, location: str, accept_header: str) -> DownloadedFile:
        """Download a document from the BSS or a listed host; `location` may be relative to the BSS."""
        url = self._allow_list.resolve_document_url(URL(self.base_url), location)
        call = HttpCall(
            "GET",
            url,
            body_reader.read_file,
            self._options.document_seconds,
            max_attempts=2,
            headers={"Accept": accept_header},
            is_other_host=url.origin() != URL(self.base_url).origin(),
        )
        sent: DownloadedFile = await self._call_with_breaker(call)
        return sent

    async def close(self) -> None:
        """Close the connections."""
        if self._token_source:
            await self._token_source.close()
        for session in self._sessions.values():
            await session.close()

    async def _call_with_breaker(self, call: HttpCall) -> Any:
        breaker = self._breakers.breaker_for(call.url)
        if not breaker.allow_request():
            raise Down("the circuit of the BSS is open")
        try:
            async with asyncio.timeout(call.timeout_seconds):
                answer = await self._call_with_retry(call)
        except TimeoutError as error:
            breaker.record_failure(error)
            raise Slow("the BSS took too long") from error
        except (Down, Slow) as failure:
            breaker.record_failure(failure)
            raise
        except (NotFound, NotEligible, Overloaded):
            breaker.record_success()
            raise
        breaker.record_success()
        return answer

    async def _call_with_retry(self, call: HttpCall) -> Any:
        for last in (False, True)[-call.max_attempts :]:
            try:
                answer = await self._attempt_call(call, is_last=last)
            except (ClientError, OSError) as error:
                if last or isinstance(error, TimeoutError):
                    _raise_connection_failure(error)
                continue
            if answer is not None:
                return answer
        raise Down

    async def _attempt_call(self, call: HttpCall, *, is_last: bool) -> Any:
        """Exchange once, and again with a new token after a 401; None when a retry is worthwhile."""
        bearer = await self._bearer_header(call)
        status, answer = await self._exchange(call, bearer)
        if status == 401 and self._token_source and bearer:
            self._token_source.invalidate_token(bearer)
            status, answer = await self._exchange(call, await self._bearer_header(call))
        if status in TRANSIENT_STATUSES and not is_last:
            return None
        if answer is None:
            _raise_status_failure(status, is_change=call.method != "GET")
        return answer

    async def _bearer_header(self, call: HttpCall) -> str:
        """Return the `Authorization` value; empty without OAuth and for other hosts."""
        if self._token_source is None or call.is_other_host:
            return ""
        return await self._token_source.bearer_header(self._session_for(is_other_host=False))

    async def _exchange(self, call: HttpCall, bearer: str) -> tuple[int, Any]:
        session = self._session_for(is_other_host=call.is_other_host)
        headers = {} if call.is_other_host else self._headers
        if call.headers:
            headers = {**headers, **call.headers}
        if bearer:
            headers = {**headers, "Authorization": bearer}
        tls = self._tls_other_hosts if call.is_other_host else self._tls
        async with session.request(
            call.method, call.url, data=call.data, headers=headers, allow_redirects=False, ssl=tls
        ) as response:
            record_http_status(response.status)
            if not 200 <= response.status < 300:
                return response.status, None
            return response.status, await call.read_body(response)

    def _session_for(self, *, is_other_host: bool) -> ClientSession:
        """Return the connection pool, opened by the first call; it uses no environment proxies and no cookies.

        The pool for other hosts resolves each name for its connection and refuses internal addresses.
        """
        if is_other_host not in self._sessions:
            timeout = ClientTimeout(total=None, sock_connect=self._options.connect_seconds)
            self._sessions[is_other_host] = ClientSession(
                connector=self._build_connector(is_other_host=is_other_host),
                timeout=timeout,
                headers={"Accept": "application/json"},
                cookie_jar=DummyCookieJar(),
            )
        return self._sessions[is_other_host]

    def _build_connector(self, *, is_other_host: bool) -> TCPConnector:
        if not is_other_host:
            return TCPConnector(limit=MAX_CONNECTIONS, ssl=self._tls)
        names = GuardedResolver(self._allow_list, *filter(None, [self._resolver]))
        return TCPConnector(
            limit=MAX_CONNECTIONS, ssl=self._tls_other_hosts, resolver=names, use_dns_cache=False
        )

    def _build_url(self, path: str, query: Mapping[str, str] | None) -> URL:
        address = f"{self.base_url}/{path}"
        if query:
            address += "?" + "&".join([f"{name}={_quote_value(value)}" for name, value in query.items()])
        return URL(address, encoded=True)


def _quote_value(value: str) -> str:
    return value if _MATCH_UNESCAPED(value) else quote_plus(value)


def path_segment(name: str) -> str:
    """Quote a name as one path segment; NotFound for a name no resource can have."""
    if not 0 < len(name) <= MAX_SEGMENT_CHARS or name.strip(".") == "" or not name.isprintable():
        raise NotFound
    return quote(name, safe="")


def validate_base_url(base_url: str) -> str:
    """Return an address without its last slash; ValueError unless http(s) without password and query."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("billing: the address must be https://host/path, without a password or a query")
    return base_url.rstrip("/")


def _build_tls(options: ConnectionOptions, *, present_certificate: bool = True) -> ssl.SSLContext | bool:
    """Return the TLS settings: the CA to verify with and, if wanted, our client certificate."""
    if not (options.ca_file or options.cert_file):
        return True
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.cert_file and present_certificate:
            context.load_cert_chain(options.cert_file, options.key_file or None)
    except (OSError, ssl.SSLError):
        raise ValueError("bss.cert_file: certificate, key or authority cannot be read") from None
    return context


def _raise_connection_failure(error: Exception) -> NoReturn:
    if isinstance(error, TimeoutError):
        raise Slow("the BSS took too long") from error
    raise Down(describe_unreachable("the BSS", error)) from error


def _raise_status_failure(status: int, *, is_change: bool) -> NoReturn:
    """Raise the failure of a status; the body is not quoted, it may hold personal data."""
    if status == 429:
        raise Overloaded("the BSS answered 429")
    if is_change and status == REFUSED_CHANGE_STATUS:
        raise NotEligible("the BSS answered 400")
    raise FAILURE_BY_STATUS.get(status, Down)(f"the BSS answered {status}")
