"""Webhook guard: authentication and admission of every webhook request, in one fixed order.

known endpoint -> path token -> source network -> rejection limit -> size and time -> fields
-> the provider's own check (signature) -> required fields -> the provider reads the event
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from aiohttp import web

from flows.domain.failures import BadRequest
from flows.engine.inbound import Inbound
from gateway.http import client_address, decoding, json_body, xml_body
from gateway.http.client_address import Networks
from gateway.http.decoding import FieldTooLong, limit_fields
from gateway.http.proxy_check import UnlistedProxyCheck
from gateway.http.rejection_limit import RejectionLimiter
from gateway.http.webhook_messages import AddressedRequest, WebhookRequest
from gateway.providers.contract import (
    Connection,
    Provider,
    ProviderAnswer,
    ProviderEvent,
    RawRequest,
    Webhook,
    WebhookRoute,
)
from menus.model.value import value_dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """One webhook route of one operator's connection to a provider."""

    name: str
    """`operator/provider/route`, for logs and metrics."""
    provider: Provider = field(repr=False)
    route: WebhookRoute = field(repr=False)
    connection: Connection = field(repr=False)
    path_tokens: tuple[bytes, ...] = field(repr=False)
    """Path tokens accepted now: two while one is being replaced; none when the provider signs its requests."""
    empty_answer: ProviderAnswer = field(repr=False)
    """The provider's empty acknowledgement; its content type is used for every answer."""
    allowed_networks: Networks = ()
    """Networks requests must come from; empty allows all."""


EMPTY_WEBHOOK = Webhook({}, {})
WebhookEndpoints = Mapping[tuple[str, str, str], WebhookEndpoint]
"""Endpoints by operator, provider and route."""


@value_dataclass
class Admission:
    """The guard's verdict on a request: the event of an admitted one, or why it is rejected."""

    endpoint: WebhookEndpoint
    is_authentic: bool = False
    """Whether every check of its sender passed; a request rejected later is malformed, not forged."""
    event: ProviderEvent = None
    rejection: BadRequest | None = None
    webhook: Webhook = EMPTY_WEBHOOK
    """The decoded request of an admitted event."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Authenticates and admits webhook requests; counts rejections per client address."""

    endpoints: WebhookEndpoints = field(repr=False)
    rejection_limiter: RejectionLimiter
    trusted_proxies: Networks = ()
    unlisted_proxy_check: UnlistedProxyCheck | None = None
    """None in the demo and where proxies are listed."""

    async def admit(self, request: WebhookRequest) -> "Admission":
        """Check and read a webhook request; BadRequest 404 or 429 when its path names no endpoint."""
        try:
            endpoint = self._find_endpoint(request)
        except BadRequest:
            await self._count_rejection(request)
            raise
        try:
            webhook = await self._admit_request(endpoint, request)
        except BadRequest as error:
            return Admission(endpoint, rejection=error)
        try:
            _require_fields(endpoint, webhook)
            event = endpoint.route.read(webhook, endpoint.connection)
            if endpoint.connection.page_size and isinstance(event, Inbound) and event.channel == "ussd":
                event = replace(event, page_size=endpoint.connection.page_size)
            if endpoint.connection.takes_cards and isinstance(event, Inbound) and event.channel == "voice":
                event = replace(event, takes_cards=True)
            return Admission(endpoint, is_authentic=True, event=event, webhook=webhook)
        except FieldTooLong as error:
            return Admission(endpoint, rejection=error)
        except BadRequest as error:
            return Admission(endpoint, is_authentic=True, rejection=error)

    def _find_endpoint(self, request: WebhookRequest) -> WebhookEndpoint:
        """Return the endpoint of the path; BadRequest 404 for a wrong token, operator or route.

        The body is not read. A request with the right token is never rejected for what other clients of its
        address did.
        """
        if self.unlisted_proxy_check:
            self.unlisted_proxy_check.observe_peer(request.remote)
        return find_endpoint(self.endpoints, request.operator, request.provider, request.path_tail)

    async def read_event(self, request: web.Request, path_tokens: tuple[bytes, ...]) -> bytes:
        """Return the body of a BSS event; BadRequest 404 when its path token is not in `path_tokens`.

        A BSS is no provider and has no endpoint here; a wrong token counts as a rejection all the same.
        """
        if not token_matches(request.match_info["token"], path_tokens):
            await self._count_rejection(request)
            raise BadRequest("no such endpoint", 404)
        return await decoding.read_body(request)

    async def read_signed_event(self, request: web.Request, verify: Callable[[bytes], T]) -> T:
        """Return what `verify` makes of the body; its BadRequest 401 counts as a rejection."""
        body = await decoding.read_body(request)
        try:
            return verify(body)
        except BadRequest as error:
            if error.status == UNAUTHENTIC_STATUS:
                await self._count_rejection(request)
            raise

    async def _admit_request(self, endpoint: WebhookEndpoint, request: WebhookRequest) -> Webhook:
        """Return the decoded request once every check has passed; BadRequest otherwise.

        A rightly signed request is never rejected for forged ones from the same address: the signature is
        checked first, and only what fails it is counted and, over the limit, answered 429.
        """
        if endpoint.allowed_networks and not self._is_allowed_source(endpoint, request):
            await self._count_rejection(request)
            raise BadRequest("this source address is not allowed", 403)
        try:
            return _authenticate(endpoint, request, await request.read_body())
        except BadRequest as error:
            if error.status == FORGED_STATUS:
                await self._count_rejection(request)
            raise

    def _is_allowed_source(self, endpoint: WebhookEndpoint, request: AddressedRequest) -> bool:
        """Return whether the client address is in the endpoint's networks."""
        address = client_address.resolve_client_ip(request, self.trusted_proxies)
        return address is not None and client_address.in_networks(address, endpoint.allowed_networks)

    def _rate_limit_key(self, request: AddressedRequest) -> str:
        """Return the rate-limit key of the request's client address."""
        return client_address.rate_limit_key(client_address.resolve_client_ip(request, self.trusted_proxies))

    async def _count_rejection(self, request: AddressedRequest) -> None:
        """Count a rejection; BadRequest 429 once the client address has used up its limit."""
        source = self._rate_limit_key(request)
        if self.rejection_limiter.is_blocked(source):
            raise BadRequest("too many rejected requests", 429)
        await self.rejection_limiter.record_rejection(source)


UNAUTHENTIC_STATUS = 401
"""HTTP status of a payment callback that is forged, old or of another merchant."""
FORGED_STATUS = 403
"""HTTP status of a failed signature check, which counts as a rejection."""
BODY_DECODERS = {"form": decoding.decode_form, "json": json_body.decode_json, "xml": xml_body.decode_xml}
"""Decoders by the format a route declares."""


def find_endpoint(endpoints: WebhookEndpoints, operator: str, provider: str, path_tail: str) -> WebhookEndpoint:
    """Return the endpoint a path names, its token compared in constant time; BadRequest 404 otherwise."""
    token, _, last = path_tail.rpartition("/")
    endpoint = endpoints.get((operator, provider, last))
    if endpoint is None or endpoint.route.path_parameters or "/" in token:
        endpoint, token = _find_parameterised(endpoints, operator, provider, path_tail)
    expected = endpoint.path_tokens if endpoint else (b"-",)
    matches = token_matches(token, expected) if expected else token == ""
    if endpoint is None or not matches:
        raise BadRequest("no such endpoint", 404)
    return endpoint


def names_plain_webhook(endpoints: WebhookEndpoints, operator: str, provider: str, path_tail: str) -> bool:
    """Return whether a path's tail, `token/route` or `route`, ends in a webhook without path parameters.

    The token is not looked at.
    """
    token, _, name = path_tail.rpartition("/")
    endpoint = endpoints.get((operator, provider, name))
    if endpoint is None or endpoint.route.path_parameters or "/" in token:
        return False
    return bool(token) or "/" not in path_tail


def _find_parameterised(
    endpoints: WebhookEndpoints, operator: str, provider: str, path_tail: str
) -> tuple[WebhookEndpoint | None, str]:
    """Return the endpoint of a path with parameters, `token/route/value` or `route/value`, and the token."""
    segments = path_tail.split("/")
    for place, token in ((1, segments[0]), (0, "")):
        endpoint = endpoints.get((operator, provider, segments[place])) if len(segments) > place else None
        if endpoint and bool(endpoint.path_tokens) == bool(place) and _path_values(endpoint, path_tail):
            return endpoint, token
    return None, ""


def _path_values(endpoint: WebhookEndpoint, path_tail: str) -> Mapping[str, str]:
    """Return the values of the route's path parameters by name; empty when their number is wrong."""
    names = endpoint.route.path_parameters
    values = path_tail.split("/")[2 if endpoint.path_tokens else 1 :]
    return dict(zip(names, values, strict=True)) if len(names) == len(values) else {}


def token_matches(token: str, expected_tokens: tuple[bytes, ...]) -> bool:
    """Return whether the token is one of the expected ones; each is compared in constant time."""
    token_bytes = token.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(token_bytes, known_token) for known_token in expected_tokens]
    return any(matches)


def _authenticate(endpoint: WebhookEndpoint, request: WebhookRequest, data: bytes) -> Webhook:
    """Decode the body; BadRequest 403 when the provider's own check fails."""
    query = decoding.parse_fields(request.raw_query, max_characters=decoding.MAX_BODY_BYTES)
    fields = _decode_body(endpoint, request, data)
    raw = RawRequest(request.target, request.headers, data)
    if not (endpoint.route.authentic or endpoint.provider.authentic)(raw, fields, endpoint.connection):
        raise BadRequest("the signature does not match", FORGED_STATUS)
    path = _path_values(endpoint, request.path_tail) if endpoint.route.path_parameters else {}
    asked = limit_fields(query, len(request.raw_query))
    posted = limit_fields(fields, len(data)) if request.method == "POST" else asked
    return Webhook(posted, asked, path)


def _decode_body(endpoint: WebhookEndpoint, request: WebhookRequest, data: bytes) -> Mapping[str, str]:
    """Return the fields of a POST's body; a GET has none in its body, and only some routes take it."""
    if request.method == "POST":
        # a provider that signs adds fields as it likes; what is read is limited by `limit_fields`
        most = decoding.MAX_VALUE_CHARACTERS if endpoint.path_tokens else decoding.MAX_BODY_BYTES
        decode = BODY_DECODERS[endpoint.route.body_format]
        most_fields = endpoint.route.max_fields or decoding.MAX_FIELDS
        return decode(data, *request.read_content_type(), most, most_fields)
    if not endpoint.route.accepts_get:
        raise BadRequest("send it by POST", 405)
    if data:
        raise BadRequest("a GET has no body")
    return {}


def _require_fields(endpoint: WebhookEndpoint, webhook: Webhook) -> None:
    """Check that every required field is present and filled; BadRequest names the first that is not."""
    for name in endpoint.route.required_fields:
        if not webhook.form.get(name):
            raise BadRequest(f"the field {name} is missing")
