"""The guard: every webhook passes here, in one order, before anything reads it.

known door -> path token -> source -> size and time -> fields -> the provider's own check -> required fields
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from flows.failures import BadRequest
from gateway import decode
from gateway.providers.contract import Connection, Provider, Raw, Route, Webhook

Networks = tuple[IPv4Network | IPv6Network, ...]


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
    sources: Networks = ()


Doors = Mapping[tuple[str, str, str], Door]
"""By operator, provider and route."""


def door(doors: Doors, operator: str, provider: str, tail: str) -> Door:
    """The door a path names. A wrong token, operator or route all answer 404, the body unread."""
    token, _, last = tail.rpartition("/")
    found = doors.get((operator, provider, last))
    expected = found.tokens if found else (b"-",)
    given = token.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, known) for known in expected] if expected else [token == ""]
    if found is None or not any(matches):
        raise BadRequest("no such place", 404)
    return found


async def admitted(door: Door, request: web.Request) -> Webhook:
    """The request's fields once every check has passed; BadRequest otherwise."""
    _from_source(door, request)
    data = await decode.body(request)
    query = decode.fields(request.rel_url.raw_query_string)
    fields = decode.form(data, request.content_type, request.charset)
    raw = Raw(request.raw_path, request.headers, data)
    if not door.provider.authentic(raw, fields, door.connection):
        raise BadRequest("the signature does not fit", 403)
    return Webhook(fields, query)


def complete(door: Door, webhook: Webhook) -> None:
    """Are all required fields there and filled? BadRequest names the first that is not."""
    for name in door.route.required:
        if not webhook.form.get(name):
            raise BadRequest(f"the field {name} is missing")


def _from_source(door: Door, request: web.Request) -> None:
    if not door.sources:
        return
    address = ip_address(request.remote or "0.0.0.0")  # noqa: S104 - never a source
    if not any(address in network for network in door.sources):
        raise BadRequest("not from there", 403)
