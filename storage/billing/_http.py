"""HTTP to a BSS: one pool, hard limits on time and size, every fault in the words of `flows.failures`."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from flows.failures import Down, NotEligible, NotFound, Overloaded, Slow
from storage.billing._breaker import Breaker
from storage.billing._oauth import Tokens

MOST_BYTES = 2 * 1024 * 1024
"""No answer is read further, unpacked."""
MOST_NAME = 128
AT_ONCE = 100
"""Connections to one BSS."""
TIMEOUT_SECONDS = 2.4
"""One call, all tries of it: a little less than a turn has for all its actions."""
CONNECT_SECONDS = 1.0
PASSING = frozenset({502, 503, 504})
"""Answers of a proxy whose server is being changed: a read is tried once more."""
REFUSALS: Mapping[int, type[NotFound] | type[NotEligible]] = {
    404: NotFound,
    410: NotFound,
    409: NotEligible,
    422: NotEligible,
}


@dataclass(frozen=True, slots=True)
class Line:
    """How to reach a BSS, beside its address."""

    timeout_seconds: float = TIMEOUT_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    ca_file: str = ""
    """The authority the BSS's certificate is checked against; empty means the system's."""
    cert_file: str = ""
    """Our certificate for mutual TLS, PEM."""
    key_file: str = field(default="", repr=False)
    """Its key; empty when the certificate's file holds it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A BSS's answer: the JSON with exact numbers, and how many there are in all, if it said so."""

    body: Any = field(repr=False)
    total: int | None = None


class Http:
    """Calls to one BSS. `headers` go with each; `tokens` adds a bearer token."""

    def __init__(
        self,
        base: str,
        line: Line,
        headers: Mapping[str, str] | None = None,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base = checked(base)
        self._line, self._headers, self._tokens = line, dict(headers or {}), tokens
        self._clock, self._breaker = clock, Breaker()
        self._tls = _tls(line)
        self._opened: ClientSession | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read; tried once more when the connection broke or a proxy's server was away."""
        return await self._guarded("GET", self._url(path, query), None, tries=2)

    async def send(self, method: str, path: str, body: Any, kind: str = "application/json") -> Answer:
        """Write, once; the body is JSON."""
        data = json.dumps(body, default=str).encode()
        return await self._guarded(method, self._url(path, None), (data, kind), tries=1)

    async def close(self) -> None:
        """Give the connections back."""
        if self._opened is not None:
            await self._opened.close()

    async def _guarded(self, method: str, url: URL, body: tuple[bytes, str] | None, tries: int) -> Answer:
        if not self._breaker.admits(self._clock()):
            raise Down("the BSS is left alone for a while")
        try:
            async with asyncio.timeout(self._line.timeout_seconds):
                answer = await self._tried(method, url, body, tries)
        except TimeoutError as error:
            self._breaker.broke(self._clock())
            raise Slow("the BSS took too long") from error
        except Down:
            self._breaker.broke(self._clock())
            raise
        except (NotFound, NotEligible, Overloaded):
            self._breaker.worked()
            raise
        self._breaker.worked()
        return answer

    async def _tried(self, method: str, url: URL, body: tuple[bytes, str] | None, tries: int) -> Answer:
        for last in (False, True)[-tries:]:
            try:
                answer = await self._once(method, url, body, last=last)
            except (ClientError, OSError) as error:
                if last or isinstance(error, TimeoutError):
                    _broken(error)
                continue
            if answer is not None:
                return answer
        raise Down

    async def _once(
        self, method: str, url: URL, body: tuple[bytes, str] | None, *, last: bool
    ) -> Answer | None:
        """One exchange, two when the token was stale; None when it is worth another try."""
        status, answer = await self._exchanged(method, url, body)
        if status == 401 and self._tokens:
            self._tokens.forget()
            status, answer = await self._exchanged(method, url, body)
        if status in PASSING and not last:
            return None
        if answer is None:
            _refused(status)
        return answer

    async def _exchanged(
        self, method: str, url: URL, body: tuple[bytes, str] | None
    ) -> tuple[int, Answer | None]:
        headers, data = self._headers, None
        if self._tokens:
            headers = {**headers, "Authorization": await self._tokens.bearer(self._session())}
        if body:
            data, headers = body[0], {**headers, "Content-Type": body[1]}
        async with self._session().request(
            method, url, data=data, headers=headers, allow_redirects=False
        ) as response:
            if not 200 <= response.status < 300:
                return response.status, None
            return response.status, await _read(response)

    def _session(self) -> ClientSession:
        """The pool, opened by the first call; proxies of the environment and cookies are left out of it."""
        if self._opened is None:
            timeout = ClientTimeout(total=None, sock_connect=self._line.connect_seconds)
            connector = TCPConnector(limit=AT_ONCE, ssl=self._tls)
            headers = {"Accept": "application/json"}
            self._opened = ClientSession(
                connector=connector,
                timeout=timeout,
                headers=headers,
                cookie_jar=DummyCookieJar(),
            )
        return self._opened

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        return URL(f"{self.base}/{path}" + (f"?{urlencode(query)}" if query else ""), encoded=True)


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


def _tls(line: Line) -> ssl.SSLContext | bool:
    if not (line.ca_file or line.cert_file):
        return True
    try:
        context = ssl.create_default_context(cafile=line.ca_file or None)
        if line.cert_file:
            context.load_cert_chain(line.cert_file, line.key_file or None)
    except (OSError, ssl.SSLError):
        raise ValueError("bss.cert_file: certificate, key or authority cannot be read") from None
    return context


async def _read(response: ClientResponse) -> Answer:
    data = bytearray()
    while chunk := await response.content.readany():
        data += chunk
        if len(data) > MOST_BYTES:
            raise Down("the BSS answered too much")
    total = response.headers.get("X-Total-Count", "")
    return Answer(
        _parsed(data) if data else None, int(total) if total.isdecimal() and len(total) < 10 else None
    )


def _parsed(data: bytearray) -> Any:
    """JSON whose numbers keep their digits; no infinities, no not-a-numbers."""
    try:
        return json.loads(data, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Down("the BSS answered what is no JSON") from error


def _no_number(word: str) -> NoReturn:
    raise ValueError("no number")


def _broken(error: Exception) -> NoReturn:
    if isinstance(error, TimeoutError):
        raise Slow("the BSS took too long") from error
    raise Down("the BSS cannot be reached") from error


def _refused(status: int) -> NoReturn:
    """Of a refusal only the number is told: its words may hold somebody's data."""
    if status == 429:
        raise Overloaded("the BSS asks for less")
    raise REFUSALS.get(status, Down)(f"the BSS answered {status}")
