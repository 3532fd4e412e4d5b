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

from flows.domain.failures import Down, NotEligible, NotFound, Overloaded, Slow
from storage.billing._client import body_reader
from storage.billing._client.body_reader import Answer, Sent
from storage.billing._client.breaker import Breaker
from storage.billing._client.oauth import Tokens
from storage.billing._client.ssrf_guard import Names, Reach

MOST_NAME = 128
AT_ONCE = 100
"""Connections in one pool."""
TIMEOUT_SECONDS = 2.4
"""One call with all its attempts: a little less than the 2.5 s a turn has for its actions."""
CONNECT_SECONDS = 1.0
DOCUMENT_SECONDS = 10.0
"""One document download: a web page waits longer than a USSD turn."""
PASSING = frozenset({502, 503, 504})
"""Statuses of a proxy whose server is being replaced: a read is tried once more."""
REFUSALS: Mapping[int, type[NotFound] | type[NotEligible]] = {
    404: NotFound,
    410: NotFound,
    409: NotEligible,
    422: NotEligible,
}
_PLAIN = re.compile(r"[A-Za-z0-9._~,:-]*").fullmatch
"""Matches query values that need no percent-encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
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
class Call:
    """One HTTP call, the reader of its body and the time limit of all its attempts."""

    method: str
    url: URL
    read: Callable[[ClientResponse], Awaitable[Any]] = field(repr=False)
    seconds: float
    tries: int = 1
    data: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    elsewhere: bool = False
    """On a host other than the BSS: none of our credentials are sent."""


class Http:
    """HTTP client of one BSS.

    `headers` are sent with each call and `token_source` adds a bearer token; other hosts get neither.
    `allow_list` says on which other hosts documents may be.
    """

    def __init__(
        self,
        base: str,
        line: Line,
        headers: Mapping[str, str] | None = None,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.monotonic,
        names: AbstractResolver | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.base = checked(base)
        self._line, self._headers, self._tokens = line, dict(headers or {}), tokens
        self._clock, self._breaker = clock, Breaker()
        self._breakers: dict[str | None, Breaker] = {}
        self._tls, self._tls_elsewhere = _tls(line), _tls(line, known=False)
        self._names, self._reach = names, reach or Reach()
        self._opened: dict[bool, ClientSession] = {}

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """GET a JSON answer; retried once after a connection error or a transient proxy status."""
        url, seconds = self._url(path, query), self._line.timeout_seconds
        answer: Answer = await self._guarded(Call("GET", url, body_reader.answer, seconds, tries=2))
        return answer

    async def send(self, method: str, path: str, body: Any, kind: str = "application/json") -> Answer:
        """Send a JSON body with `method`, without retry."""
        data, headers = json.dumps(body, default=str).encode(), {"Content-Type": kind}
        url, seconds = self._url(path, None), self._line.timeout_seconds
        call = Call(method, url, body_reader.answer, seconds, 1, data, headers)
        answer: Answer = await self._guarded(call)
        return answer

    async def file(self, where: str, accept: str) -> Sent:
        """Download a document from the BSS or a listed host; `location` may be relative to the BSS."""
        url = self._placed(where)
        call = Call(
            "GET",
            url,
            body_reader.file,
            self._line.document_seconds,
            tries=2,
            headers={"Accept": accept},
            elsewhere=url.origin() != URL(self.base).origin(),
        )
        sent: Sent = await self._guarded(call)
        return sent

    async def close(self) -> None:
        """Close the connections."""
        for session in self._opened.values():
            await session.close()

    async def _guarded(self, call: Call) -> Any:
        breaker = self._breaker
        if call.elsewhere:
            breaker = self._breakers.setdefault(call.url.host, Breaker())
        if not breaker.admits(self._clock()):
            raise Down("the circuit of the BSS is open")
        try:
            async with asyncio.timeout(call.seconds):
                answer = await self._tried(call)
        except TimeoutError as error:
            breaker.broke(self._clock())
            raise Slow("the BSS took too long") from error
        except (Down, Slow):
            breaker.broke(self._clock())
            raise
        except (NotFound, NotEligible, Overloaded):
            breaker.worked()
            raise
        breaker.worked()
        return answer

    async def _tried(self, call: Call) -> Any:
        for last in (False, True)[-call.tries :]:
            try:
                answer = await self._once(call, last=last)
            except (ClientError, OSError) as error:
                if last or isinstance(error, TimeoutError):
                    _broken(error)
                continue
            if answer is not None:
                return answer
        raise Down

    async def _once(self, call: Call, *, last: bool) -> Any:
        """Exchange once, and again with a new token after a 401; None when a retry is worthwhile."""
        bearer = await self._bearer(call)
        status, answer = await self._exchanged(call, bearer)
        if status == 401 and self._tokens and bearer:
            self._tokens.forget(bearer)
            status, answer = await self._exchanged(call, await self._bearer(call))
        if status in PASSING and not last:
            return None
        if answer is None:
            _refused(status)
        return answer

    async def _bearer(self, call: Call) -> str:
        """Return the `Authorization` value; empty without OAuth and for other hosts."""
        if self._tokens is None or call.elsewhere:
            return ""
        return await self._tokens.bearer(self._session(elsewhere=False))

    async def _exchanged(self, call: Call, bearer: str) -> tuple[int, Any]:
        session = self._session(elsewhere=call.elsewhere)
        headers = {} if call.elsewhere else self._headers
        if call.headers:
            headers = {**headers, **call.headers}
        if bearer:
            headers = {**headers, "Authorization": bearer}
        tls = self._tls_elsewhere if call.elsewhere else self._tls
        async with session.request(
            call.method, call.url, data=call.data, headers=headers, allow_redirects=False, ssl=tls
        ) as response:
            if not 200 <= response.status < 300:
                return response.status, None
            return response.status, await call.read(response)

    def _session(self, *, elsewhere: bool) -> ClientSession:
        """Return the connection pool, opened by the first call; it uses no environment proxies and no cookies.

        The pool for other hosts resolves each name for its connection and refuses internal addresses.
        """
        if elsewhere not in self._opened:
            timeout = ClientTimeout(total=None, sock_connect=self._line.connect_seconds)
            self._opened[elsewhere] = ClientSession(
                connector=self._connector(elsewhere=elsewhere),
                timeout=timeout,
                headers={"Accept": "application/json"},
                cookie_jar=DummyCookieJar(),
            )
        return self._opened[elsewhere]

    def _connector(self, *, elsewhere: bool) -> TCPConnector:
        if not elsewhere:
            return TCPConnector(limit=AT_ONCE, ssl=self._tls)
        names = Names(self._reach, *filter(None, [self._names]))
        return TCPConnector(limit=AT_ONCE, ssl=self._tls_elsewhere, resolver=names, use_dns_cache=False)

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        address = f"{self.base}/{path}"
        if query:
            address += "?" + "&".join([f"{name}={_quoted(value)}" for name, value in query.items()])
        return URL(address, encoded=True)

    def _placed(self, where: str) -> URL:
        """Return the URL of a document; Down when it is neither on the BSS nor on a listed host."""
        base = URL(self.base)
        try:
            url = base.join(URL(where)).with_fragment(None)
            on_bss = url.origin() == base.origin() and not url.user
        except ValueError:
            raise Down("the BSS gave an invalid document address") from None
        on_listed_host = self._reach.listed(url) and url.scheme in {"https", base.scheme}
        if not on_bss and not on_listed_host:
            raise Down("the BSS gave a document address on a host that is not in document_hosts")
        return url


def _quoted(value: str) -> str:
    return value if _PLAIN(value) else quote_plus(value)


def segment(name: str) -> str:
    """Quote a name as one path segment; NotFound for a name no resource can have."""
    if not 0 < len(name) <= MOST_NAME or name.strip(".") == "" or not name.isprintable():
        raise NotFound
    return quote(name, safe="")


def checked(base: str) -> str:
    """Return an address without its last slash; ValueError unless http(s) without password and query."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("billing: the address must be https://host/path, without a password or a query")
    return base.rstrip("/")


def _tls(line: Line, *, known: bool = True) -> ssl.SSLContext | bool:
    """Return the TLS settings: the CA to verify with and, if wanted, our client certificate."""
    if not (line.ca_file or line.cert_file):
        return True
    try:
        context = ssl.create_default_context(cafile=line.ca_file or None)
        if line.cert_file and known:
            context.load_cert_chain(line.cert_file, line.key_file or None)
    except (OSError, ssl.SSLError):
        raise ValueError("bss.cert_file: certificate, key or authority cannot be read") from None
    return context


def _broken(error: Exception) -> NoReturn:
    if isinstance(error, TimeoutError):
        raise Slow("the BSS took too long") from error
    raise Down("the BSS cannot be reached") from error


def _refused(status: int) -> NoReturn:
    """Raise the failure of a status; the body is not quoted, it may hold personal data."""
    if status == 429:
        raise Overloaded("the BSS answered 429")
    raise REFUSALS.get(status, Down)(f"the BSS answered {status}")
