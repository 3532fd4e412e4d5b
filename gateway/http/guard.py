"""Webhook guard: authentication and admission of every webhook request, in one fixed order.

known endpoint -> path token -> source network -> rejection limit -> size and time -> fields
-> the provider's own check (signature) -> required fields
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
    """One webhook route of one operator's connection to a provider."""

    name: str
    """`operator/provider/route`, for logs and metrics."""
    provider: Provider = field(repr=False)
    route: Route = field(repr=False)
    connection: Connection = field(repr=False)
    tokens: tuple[bytes, ...] = field(repr=False)
    """Path tokens accepted now: two while one is being replaced; none when the provider signs its requests."""
    empty: Answer = field(repr=False)
    """The provider's empty acknowledgement; its content type is used for every answer."""
    sources: Networks = ()
    """Networks requests must come from; empty allows all."""


Doors = Mapping[tuple[str, str, str], Door]
"""Endpoints by operator, provider and route."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Authenticates and admits webhook requests; counts rejections per client address."""

    doors: Doors = field(repr=False)
    refusals: Refusals
    proxies: Networks = ()

    async def door(self, request: web.Request) -> Door:
        """Return the endpoint of the path; BadRequest 404 for a wrong token, operator or route.

        The body is not read. A request with the right token is never rejected for what other clients of its
        address did.
        """
        match = request.match_info
        try:
            return door(self.doors, match["operator"], match["provider"], match["tail"])
        except BadRequest:
            await self._refuse(request)
            raise

    async def event(self, request: web.Request, tokens: tuple[bytes, ...]) -> bytes:
        """Return the body of a BSS event; BadRequest 404 when its path token is not in `path_tokens`.

        A BSS is no provider and has no endpoint here; a wrong token counts as a rejection all the same.
        """
        if not fits(request.match_info["token"], tokens):
            await self._refuse(request)
            raise BadRequest("no such endpoint", 404)
        return await decoding.body(request)

    async def admitted(self, door: Door, request: web.Request) -> Webhook:
        """Return the decoded request once every check has passed; BadRequest otherwise."""
        if door.sources and not self._listed(door, request):
            await self._refuse(request)
            raise BadRequest("this source address is not allowed", 403)
        if not door.tokens and self.refusals.counts and self.refusals.over(self._source(request)):
            raise BadRequest("too many rejected requests", 429)
        try:
            return await _proven(door, request)
        except BadRequest as error:
            if error.status == FORGED:
                await self._refuse(request)
            raise

    def _listed(self, door: Door, request: web.Request) -> bool:
        """Return whether the client address is in the endpoint's networks."""
        address = client_address.origin(request, self.proxies)
        return address is not None and client_address.listed(address, door.sources)

    def _source(self, request: web.Request) -> str:
        """Return the rate-limit key of the request's client address."""
        return client_address.named(client_address.origin(request, self.proxies))

    async def _refuse(self, request: web.Request) -> None:
        """Count a rejection; BadRequest 429 once the client address has used up its limit."""
        source = self._source(request)
        if self.refusals.over(source):
            raise BadRequest("too many rejected requests", 429)
        await self.refusals.add(source)


FORGED = 403
"""HTTP status of a failed signature check, which counts as a rejection."""


def door(doors: Doors, operator: str, provider: str, tail: str) -> Door:
    """Return the endpoint a path names, its token compared in constant time; BadRequest 404 otherwise."""
    token, _, last = tail.rpartition("/")
    endpoint = doors.get((operator, provider, last))
    expected = endpoint.tokens if endpoint else (b"-",)
    matches = fits(token, expected) if expected else token == ""
    if endpoint is None or not matches:
        raise BadRequest("no such endpoint", 404)
    return endpoint


def fits(token: str, expected: tuple[bytes, ...]) -> bool:
    """Return whether the token is one of the expected ones; each is compared in constant time."""
    token_bytes = token.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(token_bytes, known_token) for known_token in expected]
    return any(matches)


async def _proven(door: Door, request: web.Request) -> Webhook:
    """Read and decode the body; BadRequest 403 when the provider's own check fails."""
    data = await decoding.body(request)
    query = decoding.fields(request.rel_url.raw_query_string)
    fields = decoding.form(data, request.content_type, request.charset)
    raw = Raw(request.raw_path, request.headers, data)
    if not door.provider.authentic(raw, fields, door.connection):
        raise BadRequest("the signature does not match", FORGED)
    return Webhook(fields, query)


def complete(door: Door, webhook: Webhook) -> None:
    """Check that every required field is present and filled; BadRequest names the first that is not."""
    for name in door.route.required:
        if not webhook.form.get(name):
            raise BadRequest(f"the field {name} is missing")
