"""Carrier billing endpoint (CAMARA 0.5): merchants charge purchases to the bill in one step or two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from flows.domain.purchase_records import Charge
from flows.purchases.charging import PurchaseCharging
from flows.purchases.spending import purchase_ports
from gateway.http.merchant_requests import Answer, MerchantCall, MerchantGate
from gateway.purchases import camara_errors as errors
from gateway.purchases.camara_answer import payment_body, shown_state
from gateway.purchases.camara_errors import CamaraError
from gateway.purchases.camara_list import MAX_MATCHING, PAYMENT_LIST, read_list_query, require_few
from gateway.purchases.camara_request import (
    REFERENCE_KEY,
    MerchantTerms,
    read_json_object,
    read_payment,
    read_phone_number,
    read_validation,
)
from gateway.purchases.merchant_settings import CREATE_SCOPE, READ_SCOPE, WRITE_SCOPE

CARRIER_BILLING_ROOT = "/camara/{operator}/carrier-billing/v0.5/payments"


@dataclass(frozen=True, slots=True)
class CarrierBillingHandler:
    """aiohttp handlers below `CARRIER_BILLING_ROOT`."""

    gate: MerchantGate = field(repr=False)
    charging_for: Callable[[str], PurchaseCharging] = field(repr=False)
    """Returns what charges an operator's lines, built on its current menu."""
    now: Callable[[], datetime]

    def build_routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        root, one = CARRIER_BILLING_ROOT, CARRIER_BILLING_ROOT + "/{payment}"
        handler = self.gate.build_handler
        return [
            web.post(root, handler(CREATE_SCOPE, self._create)),
            web.post(f"{root}/prepare", handler(CREATE_SCOPE, self._prepare)),
            web.get(root, handler(READ_SCOPE, self._list), allow_head=False),
            web.get(one, handler(READ_SCOPE, self._retrieve), allow_head=False),
            web.post(f"{one}/validate", handler(WRITE_SCOPE, self._validate)),
            web.post(f"{one}/confirm", handler(WRITE_SCOPE, self._confirm)),
            web.post(f"{one}/cancel", handler(WRITE_SCOPE, self._cancel)),
        ]

    async def _create(self, call: MerchantCall) -> Answer:
        return await self._charge(call, is_two_step=False)

    async def _prepare(self, call: MerchantCall) -> Answer:
        return await self._charge(call, is_two_step=True)

    async def _charge(self, call: MerchantCall, *, is_two_step: bool) -> Answer:
        charging = self.charging_for(call.operator)
        currency = charging.menu.config.currency
        terms = MerchantTerms(call.merchant, call.settings, currency.code, currency.decimals)
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
        now, merchant = self.now(), (call.operator, call.merchant)
        query = read_list_query(call.request.query, PAYMENT_LIST, now)
        charges = purchase_ports(self.gate.operators[call.operator]).charges
        found = await charges.list_merchant_charges(*merchant, query.since, query.until, MAX_MATCHING + 1)
        require_few(found, PAYMENT_LIST)
        wanted = [each for each in found if query.is_wanted(shown_state(each, now), each.created_at)]
        return 200, query.cut_page([payment_body(each, now) for each in wanted])

    async def _retrieve(self, call: MerchantCall) -> Answer:
        return 200, payment_body(await self.gate.find_charge(call), self.now())

    async def _validate(self, call: MerchantCall) -> Answer:
        charge = await self.gate.find_charge(call)
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
        number, charge = read_phone_number(body), await self.gate.find_charge(call)
        if number != charge.line:
            raise CamaraError(*errors.UNKNOWN_NUMBER)
        return charge

    async def _conflict_of(self, call: MerchantCall) -> CamaraError:
        """Return why a step was not made, by the state the charge is in now."""
        charge = await self.gate.find_charge(call)
        return CamaraError(*(errors.CONFIRMED if charge.state == "succeeded" else errors.CANCELLED))
