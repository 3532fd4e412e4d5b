"""HTTP to a BSS: one pool, hard limits on time and size; faults become `flows.domain.failures`."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus, urlsplit

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
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
"""Connections to one BSS."""
TIMEOUT_SECONDS = 2.4
"""One call, all tries of it: a little less than a turn has for all its actions."""
CONNECT_SECONDS = 1.0
DOCUMENT_SECONDS = 10.0
"""One document, which a page waits for longer than a call does."""
PASSING = frozenset({502, 503, 504})
"""Answers of a proxy whose server is being changed: a read is tried once more."""
REFUSALS: Mapping[int, type[NotFound] | type[NotEligible]] = {
    404: NotFound,
    410: NotFound,
    409: NotEligible,
    422: NotEligible,
}
_PLAIN = re.compile(r"[A-Za-z0-9._~,:-]*").fullmatch
"""What stands in a query as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How to reach a BSS, beside its address; the settings every backend over HTTP has."""

    timeout_seconds: float = TIMEOUT_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    document_seconds: float = DOCUMENT_SECONDS
    ca_file: str = ""
    """The authority the BSS's certificate is checked against; empty means the system's."""
    cert_file: str = ""
    """Our certificate for mutual TLS, PEM."""
    key_file: str = field(default="", repr=False)
    """Its key; empty when the certificate's file holds it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with how its answer is read and how long all its tries may take."""

    method: str
    url: URL
    read: Callable[[ClientResponse], Awaitable[Any]] = field(repr=False)
    seconds: float
    tries: int = 1
    data: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    elsewhere: bool = False
    """Not at the BSS: none of our credentials go there."""


class Http:
    """Calls to one BSS. `headers` go with each; `tokens` adds a bearer token. Other hosts get neither.

    `reach` says where documents may lie besides the BSS itself.
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
        """Read; tried once more when the connection broke or a proxy's server was away."""
        found: Answer = await self._guarded(
            Call("GET", self._url(path, query), body_reader.answer, self._line.timeout_seconds, tries=2)
        )
        return found

    async def send(self, method: str, path: str, body: Any, kind: str = "application/json") -> Answer:
        """Write, once; the body is JSON."""
        data, headers = json.dumps(body, default=str).encode(), {"Content-Type": kind}
        call = Call(
            method, self._url(path, None), body_reader.answer, self._line.timeout_seconds, 1, data, headers
        )
        found: Answer = await self._guarded(call)
        return found

    async def file(self, where: str, accept: str) -> Sent:
        """A document, at the BSS or at a listed host; `where` may be relative to the BSS's address."""
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
        found: Sent = await self._guarded(call)
        return found

    async def close(self) -> None:
        """Give the connections back."""
        for session in self._opened.values():
            await session.close()

    async def _guarded(self, call: Call) -> Any:
        breaker = self._breakers.setdefault(call.url.host, Breaker()) if call.elsewhere else self._breaker
        if not breaker.admits(self._clock()):
            raise Down("the BSS is left alone for a while")
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
        """One exchange, two when the token was stale; None when it is worth another try."""
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
        """The token to show; empty where none is needed, or it would go to a stranger."""
        if self._tokens is None or call.elsewhere:
            return ""
        return await self._tokens.bearer(self._session(elsewhere=False))

    async def _exchanged(self, call: Call, bearer: str) -> tuple[int, Any]:
        session, headers = self._session(elsewhere=call.elsewhere), {} if call.elsewhere else self._headers
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
        """The pool, opened by the first call; proxies of the environment and cookies are left out of it.

        The one for elsewhere looks each name up for the very connection, and says no to addresses inside.
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
        asked = f"{self.base}/{path}"
        if query:
            asked += "?" + "&".join([f"{name}={_quoted(value)}" for name, value in query.items()])
        return URL(asked, encoded=True)

    def _placed(self, where: str) -> URL:
        """A document's address; Down for one that is neither the BSS's own nor on a listed host."""
        base = URL(self.base)
        try:
            url = base.join(URL(where)).with_fragment(None)
            own = url.origin() == base.origin() and not url.user
        except ValueError:
            raise Down("the BSS gave no address of a document") from None
        listed = self._reach.listed(url) and url.scheme in {"https", base.scheme}
        if not own and not listed:
            raise Down("the BSS gave the address of a document on a host that is not listed")
        return url


def _quoted(value: str) -> str:
    return value if _PLAIN(value) else quote_plus(value)


def segment(name: str) -> str:
    """A name as one segment of a path; NotFound for one that could not be one, as nothing is called that."""
    if not 0 < len(name) <= MOST_NAME or name.strip(".") == "" or not name.isprintable():
        raise NotFound
    return quote(name, safe="")


def checked(base: str) -> str:
    """An address without its last slash; ValueError when it is none, or carries a password."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("billing: the address must be https://host/path, without a password or a query")
    return base.rstrip("/")


def _tls(line: Line, *, known: bool = True) -> ssl.SSLContext | bool:
    """How a server is checked and, where we are `known`, our own certificate shown."""
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
    """Of a refusal only the number is told: its words may hold somebody's data."""
    if status == 429:
        raise Overloaded("the BSS asks for less")
    raise REFUSALS.get(status, Down)(f"the BSS answered {status}")
