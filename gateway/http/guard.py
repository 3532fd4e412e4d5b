"""The guard: every webhook passes here, in one order, before anything reads it.

known door -> path token -> source -> refusals so far -> size and time -> fields -> the provider's own check
-> required fields
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from flows.domain.failures import BadRequest
from gateway.http import client_address, decoding
from gateway.http.client_address import Networks
from gateway.http.rejection_limit import Refusals
from gateway.providers.contract import Answer, Connection, Provider, Raw, Route, Webhook


@dataclass(frozen=True, slots=True)
class Door:
    """One webhook of one operator's connection."""

    name: str
    """`operator/provider/route`, for logs and metrics."""
    provider: Provider = field(repr=False)
    route: Route = field(repr=False)
    connection: Connection = field(repr=False)
    tokens: tuple[bytes, ...] = field(repr=False)
    """Path tokens accepted now: two while one is being replaced; none when the provider signs."""
    empty: Answer = field(repr=False)
    """The provider's empty acknowledgement; its content type is every answer's."""
    sources: Networks = ()


Doors = Mapping[tuple[str, str, str], Door]
"""By operator, provider and route."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The doors, whose word is taken about where a request comes from, and who was refused too often."""

    doors: Doors = field(repr=False)
    refusals: Refusals
    proxies: Networks = ()

    async def door(self, request: web.Request) -> Door:
        """The door a path names. A wrong token, operator or route all answer 404, the body unread.

        A request with the right token is never shed for what others of its source did.
        """
        match = request.match_info
        try:
            return door(self.doors, match["operator"], match["provider"], match["tail"])
        except BadRequest:
            await self._refuse(request)
            raise

    async def event(self, request: web.Request, tokens: tuple[bytes, ...]) -> bytes:
        """The body of an event at a listener; BadRequest 404 for a token in its path that is none of these.

        It comes from a BSS, which no provider's door is for; a wrong token counts as it does there.
        """
        if not fits(request.match_info["token"], tokens):
            await self._refuse(request)
            raise BadRequest("no such place", 404)
        return await decoding.body(request)

    async def admitted(self, door: Door, request: web.Request) -> Webhook:
        """The request's fields once every check has passed; BadRequest otherwise."""
        if door.sources and not self._listed(door, request):
            await self._refuse(request)
            raise BadRequest("not from there", 403)
        if not door.tokens and self.refusals.counts and self.refusals.over(self._source(request)):
            raise BadRequest("too many refused requests", 429)
        try:
            return await _proven(door, request)
        except BadRequest as bad:
            if bad.status == FORGED:
                await self._refuse(request)
            raise

    def _listed(self, door: Door, request: web.Request) -> bool:
        address = client_address.origin(request, self.proxies)
        return address is not None and client_address.listed(address, door.sources)

    def _source(self, request: web.Request) -> str:
        return client_address.named(client_address.origin(request, self.proxies))

    async def _refuse(self, request: web.Request) -> None:
        source = self._source(request)
        if self.refusals.over(source):
            raise BadRequest("too many refused requests", 429)
        await self.refusals.add(source)


FORGED = 403


def door(doors: Doors, operator: str, provider: str, tail: str) -> Door:
    """The door a path names, its token compared in constant time; BadRequest 404 otherwise."""
    token, _, last = tail.rpartition("/")
    found = doors.get((operator, provider, last))
    expected = found.tokens if found else (b"-",)
    matches = fits(token, expected) if expected else token == ""
    if found is None or not matches:
        raise BadRequest("no such place", 404)
    return found


def fits(token: str, expected: tuple[bytes, ...]) -> bool:
    """Is it one of those expected? Each is compared in constant time."""
    given = token.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, known) for known in expected]
    return any(matches)


async def _proven(door: Door, request: web.Request) -> Webhook:
    """The body read and decoded, and the provider's own check passed."""
    data = await decoding.body(request)
    query = decoding.fields(request.rel_url.raw_query_string)
    fields = decoding.form(data, request.content_type, request.charset)
    raw = Raw(request.raw_path, request.headers, data)
    if not door.provider.authentic(raw, fields, door.connection):
        raise BadRequest("the signature does not fit", 403)
    return Webhook(fields, query)


def complete(door: Door, webhook: Webhook) -> None:
    """Are all required fields there and filled? BadRequest names the first that is not."""
    for name in door.route.required:
        if not webhook.form.get(name):
            raise BadRequest(f"the field {name} is missing")
