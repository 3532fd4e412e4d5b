"""Requests of merchants: access tokens, scopes and rate limits before the CAMARA interfaces."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure, NotFound, Refused
from flows.domain.ports import Counters
from flows.domain.purchase_records import Charge
from flows.purchases.spending import purchase_ports
from gateway.http.access_tokens import MerchantTokens
from gateway.http.guard import UNAUTHENTIC_STATUS, Guard
from gateway.purchases import camara_errors as errors
from gateway.purchases.camara_answer import encode_json
from gateway.purchases.camara_errors import CamaraError
from gateway.purchases.camara_list import ListedPage
from gateway.purchases.camara_request import CORRELATOR_PATTERN
from gateway.purchases.merchant_settings import MerchantScope, MerchantSettings

log = logging.getLogger("dialtree.purchases")


@dataclass(frozen=True, slots=True)
class MerchantCall:
    """An authenticated request of a merchant."""

    request: web.Request = field(repr=False)
    operator: str
    merchant: str
    settings: MerchantSettings = field(repr=False)
    body: bytes = field(repr=False)


Answer = tuple[int, object]
"""HTTP status and body; None for no body, a page of a list with its headers."""
AnswerMerchant = Callable[[MerchantCall], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class MerchantGate:
    """Lets requests of merchants through to what answers them; an operator without merchants knows no token."""

    guard: Guard = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    tokens: MerchantTokens = field(repr=False)
    counters: Counters = field(repr=False)

    def build_handler(
        self, scope: MerchantScope, answer: AnswerMerchant
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Build a route's handler: authentication, then the answer, errors as the interfaces write them."""

        async def handle(request: web.Request) -> web.Response:
            correlator = request.headers.get("x-correlator", "")
            headers = {"x-correlator": correlator} if CORRELATOR_PATTERN.fullmatch(correlator) else {}
            try:
                status, body = await self._answer(request, scope, answer)
            except CamaraError as error:
                status, body = error.status, error.as_body()
                self._log_refusal(request, error)
            if isinstance(body, ListedPage):
                headers, body = {**headers, **body.headers}, body.rows
            text = "" if body is None else encode_json(body)
            return web.Response(status=status, text=text, content_type="application/json", headers=headers)

        return handle

    async def find_charge(self, call: MerchantCall) -> Charge:
        """Return the charge the path names; CamaraError 404 for another merchant's as for one that is not."""
        charges = purchase_ports(self.operators[call.operator]).charges
        charge = await charges.find_charge(call.operator, call.request.match_info["payment"])
        if charge is None or charge.merchant != call.merchant:
            raise CamaraError(*errors.NOT_FOUND)
        return charge

    def _log_refusal(self, request: web.Request, error: CamaraError) -> None:
        operator = request.match_info["operator"]
        known = operator if operator in self.operators else ""
        log.info("purchases.request_refused", extra={"operator": known, "status": error.status})

    async def _answer(self, request: web.Request, scope: MerchantScope, answer: AnswerMerchant) -> Answer:
        call = await self._authenticate(request, scope)
        if not CORRELATOR_PATTERN.fullmatch(request.headers.get("x-correlator", "")):
            raise errors.invalid_argument("x-correlator has letters that are not allowed.")
        who = f"{call.operator}/{call.merchant}"
        if await self.counters.count_event("merchant", who, 60) > call.settings.requests_per_minute:
            raise CamaraError(*errors.TOO_MANY_REQUESTS)
        try:
            return await answer(call)
        except NotFound as error:
            raise CamaraError(*errors.UNKNOWN_NUMBER) from error
        except Refused as error:
            raise CamaraError(*errors.DENIED) from error
        except Failure as failure:
            extra = {"operator": call.operator, "failure": type(failure).__name__}
            log.warning("purchases.unavailable", extra=extra)
            raise CamaraError(*errors.UNAVAILABLE) from failure

    async def _authenticate(self, request: web.Request, scope: MerchantScope) -> MerchantCall:
        """Find the merchant by its bearer token; a wrong one counts as a rejection of the client address."""
        operator = request.match_info["operator"]

        def verify(body: bytes) -> MerchantCall:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            grant = self.tokens.find_grant(operator, token.strip()) if scheme.lower() == "bearer" else None
            if grant is None:
                raise BadRequest("no valid access token", UNAUTHENTIC_STATUS)
            if scope not in grant.scopes:
                raise CamaraError(*errors.PERMISSION_DENIED)
            return MerchantCall(request, operator, grant.merchant, grant.settings, body)

        try:
            return await self.guard.read_signed_event(request, verify)
        except BadRequest as error:
            if error.status == UNAUTHENTIC_STATUS:
                raise CamaraError(*errors.UNAUTHENTICATED) from error
            if error.status == errors.TOO_MANY_REQUESTS[0]:
                raise CamaraError(*errors.TOO_MANY_REQUESTS) from error
            raise CamaraError(error.status, "INVALID_ARGUMENT", str(error)) from error
