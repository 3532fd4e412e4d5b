"""Carrier billing endpoint (CAMARA 0.5): merchants charge purchases to the bill in one step or two."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure, NotFound, Refused
from flows.domain.ports import Counters
from flows.domain.purchase_records import Charge
from flows.purchases.charging import PurchaseCharging
from flows.purchases.spending import purchase_ports
from gateway.http.guard import UNAUTHENTIC_STATUS, Guard, token_matches
from gateway.purchases import camara_errors as errors
from gateway.purchases.camara_answer import encode_json, payment_body, shown_state
from gateway.purchases.camara_errors import CamaraError
from gateway.purchases.camara_request import (
    CORRELATOR_PATTERN,
    REFERENCE_KEY,
    MerchantTerms,
    read_count,
    read_json_object,
    read_payment,
    read_phone_number,
    read_time,
    read_validation,
)
from gateway.purchases.merchant_settings import MerchantSettings

log = logging.getLogger("dialtree.purchases")
CARRIER_BILLING_ROOT = "/camara/{operator}/carrier-billing/v0.5/payments"
MAX_LISTED, MAX_PAGE, BEGINNING = 1_000, 100, datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MerchantCall:
    """An authenticated request of a merchant."""

    request: web.Request = field(repr=False)
    operator: str
    merchant: str
    settings: MerchantSettings = field(repr=False)
    body: bytes = field(repr=False)


Answer = tuple[int, object]
"""HTTP status and body; None for no body."""


@dataclass(frozen=True, slots=True)
class CarrierBillingHandler:
    """aiohttp handlers below `CARRIER_BILLING_ROOT`; an operator without merchants knows no token."""

    guard: Guard = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    charging_for: Callable[[str], PurchaseCharging] = field(repr=False)
    """Returns what charges an operator's lines, built on its current menu."""
    merchants: Mapping[str, Mapping[str, MerchantSettings]] = field(repr=False)
    """Merchants by name, by operator."""
    counters: Counters = field(repr=False)
    now: Callable[[], datetime]

    def build_routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        one = CARRIER_BILLING_ROOT + "/{payment}"
        return [
            web.post(CARRIER_BILLING_ROOT, self._route(self._create)),
            web.post(f"{CARRIER_BILLING_ROOT}/prepare", self._route(self._prepare)),
            web.get(CARRIER_BILLING_ROOT, self._route(self._list), allow_head=False),
            web.get(one, self._route(self._retrieve), allow_head=False),
            web.post(f"{one}/validate", self._route(self._validate)),
            web.post(f"{one}/confirm", self._route(self._confirm)),
            web.post(f"{one}/cancel", self._route(self._cancel)),
        ]

    def _route(
        self, answer: Callable[[MerchantCall], Awaitable[Answer]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Build a route's handler: authentication, then the answer, errors as the interface writes them."""

        async def handle(request: web.Request) -> web.Response:
            correlator = request.headers.get("x-correlator", "")
            headers = {"x-correlator": correlator} if CORRELATOR_PATTERN.fullmatch(correlator) else {}
            try:
                status, body = await self._answer(request, answer)
            except CamaraError as error:
                status, body = error.status, error.as_body()
                self._log_refusal(request, error)
            text = "" if body is None else encode_json(body)
            return web.Response(status=status, text=text, content_type="application/json", headers=headers)

        return handle

    def _log_refusal(self, request: web.Request, error: CamaraError) -> None:
        operator = request.match_info["operator"]
        known = operator if operator in self.operators else ""
        log.info("purchases.request_refused", extra={"operator": known, "status": error.status})

    async def _answer(
        self, request: web.Request, answer: Callable[[MerchantCall], Awaitable[Answer]]
    ) -> Answer:
        call = await self._authenticate(request)
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

    async def _authenticate(self, request: web.Request) -> MerchantCall:
        """Find the merchant by its bearer token; a wrong one counts as a rejection of the client address."""
        operator = request.match_info["operator"]

        def verify(body: bytes) -> MerchantCall:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            known = self.merchants.get(operator, {}).items()
            found = [each for each in known if token_matches(token.strip(), each[1].tokens)]
            if scheme.lower() != "bearer" or not found:
                raise BadRequest("no valid access token", UNAUTHENTIC_STATUS)
            return MerchantCall(request, operator, *found[0], body)

        try:
            return await self.guard.read_signed_event(request, verify)
        except BadRequest as error:
            if error.status == UNAUTHENTIC_STATUS:
                raise CamaraError(*errors.UNAUTHENTICATED) from error
            if error.status == errors.TOO_MANY_REQUESTS[0]:
                raise CamaraError(*errors.TOO_MANY_REQUESTS) from error
            raise CamaraError(error.status, "INVALID_ARGUMENT", str(error)) from error

    async def _create(self, call: MerchantCall) -> Answer:
        return await self._charge(call, is_two_step=False)

    async def _prepare(self, call: MerchantCall) -> Answer:
        return await self._charge(call, is_two_step=True)

    async def _charge(self, call: MerchantCall, *, is_two_step: bool) -> Answer:
        charging = self.charging_for(call.operator)
        currency = charging.menu.config.currency
        terms = MerchantTerms(call.merchant, call.settings.category, currency.code, currency.decimals)
        wanted = read_payment(call.body, terms)
        decision = await charging.charge(wanted.order, is_two_step=is_two_step)
        charge = decision.charge
        if not decision.is_new:
            has_correlator = not charge.correlator.startswith(REFERENCE_KEY)
            raise CamaraError(*(errors.REPEATED_CORRELATOR if has_correlator else errors.REPEATED_REFERENCE))
        if decision.denial:
            raise CamaraError(*errors.DENIAL_ERRORS[decision.denial])
        return 201, payment_body(charge, self.now(), wanted.payment_amount)

    async def _list(self, call: MerchantCall) -> Answer:
        query, now = call.request.query, self.now()
        since = read_time(query.get("paymentCreationDate.gte", ""), BEGINNING)
        until = read_time(query.get("paymentCreationDate.lte", ""), now)
        if since > until:
            message = "Client specified an invalid date range."
            raise CamaraError(400, "CARRIER_BILLING.INVALID_DATE_RANGE", message)
        page = read_count(query.get("page", ""), 1, MAX_LISTED)
        size = read_count(query.get("perPage", ""), MAX_PAGE, MAX_PAGE)
        charges = purchase_ports(self.operators[call.operator]).charges
        found = [*await charges.list_merchant_charges(call.operator, call.merchant, since, until, MAX_LISTED)]
        if query.get("order", "desc") == "asc":
            found.reverse()
        wanted = [each for each in found if query.get("paymentStatus", "") in ("", shown_state(each, now))]
        return 200, [payment_body(each, now) for each in wanted[(page - 1) * size : page * size]]

    async def _retrieve(self, call: MerchantCall) -> Answer:
        return 200, payment_body(await self._find_charge(call), self.now())

    async def _validate(self, call: MerchantCall) -> Answer:
        charge = await self._find_charge(call)
        authorization, code = read_validation(call.body)
        if authorization != charge.id:
            raise CamaraError(*errors.WRONG_AUTHORIZATION)
        answer = await self.charging_for(call.operator).validate(charge, code)
        refusals = {"wrong": errors.WRONG_CODE, "locked": errors.LOCKED_CODE, "over": errors.VALIDATED}
        if answer != "ok":
            raise CamaraError(*refusals[answer])
        return 204, None

    async def _confirm(self, call: MerchantCall) -> Answer:
        charge = await self._find_second_step(call)
        if shown_state(charge, self.now()) == "pending_validation":
            raise CamaraError(*errors.DENIED)
        if await self.charging_for(call.operator).confirm(charge) is None:
            raise await self._conflict_of(call)
        return 202, None

    async def _cancel(self, call: MerchantCall) -> Answer:
        charge = await self._find_second_step(call)
        if await self.charging_for(call.operator).cancel(charge) is None:
            raise await self._conflict_of(call)
        return 202, None

    async def _find_second_step(self, call: MerchantCall) -> Charge:
        """Return the charge that the path and the body's phone number name."""
        body: Mapping[str, Any] = read_json_object(call.body)
        number, charge = read_phone_number(body), await self._find_charge(call)
        if number != charge.line:
            raise CamaraError(*errors.UNKNOWN_NUMBER)
        return charge

    async def _conflict_of(self, call: MerchantCall) -> CamaraError:
        """Return why a step was not made, by the state the charge is in now."""
        charge = await self._find_charge(call)
        return CamaraError(*(errors.CONFIRMED if charge.state == "succeeded" else errors.CANCELLED))

    async def _find_charge(self, call: MerchantCall) -> Charge:
        """Return the charge the path names; CamaraError 404 for another merchant's as for one that is not."""
        charges = purchase_ports(self.operators[call.operator]).charges
        charge = await charges.find_charge(call.operator, call.request.match_info["payment"])
        if charge is None or charge.merchant != call.merchant:
            raise CamaraError(*errors.NOT_FOUND)
        return charge
