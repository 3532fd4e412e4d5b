"""Refund endpoint (CAMARA carrier billing refund 0.3): merchants give charges back, whole or in part."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from flows.purchases.charging import PurchaseCharging
from flows.purchases.spending import purchase_ports
from gateway.http.merchant_requests import Answer, MerchantCall, MerchantGate
from gateway.purchases import camara_errors as errors
from gateway.purchases.camara_errors import CamaraError
from gateway.purchases.camara_list import REFUND_LIST, read_list_query, require_few
from gateway.purchases.camara_refund import read_refund, refund_body, remaining_body
from gateway.purchases.camara_request import REFERENCE_KEY, MerchantTerms
from gateway.purchases.merchant_settings import READ_REFUNDS_SCOPE, REFUND_SCOPE

CARRIER_REFUND_ROOT = "/camara/{operator}/carrier-billing-refund/v0.3/payments/{payment}/refunds"
STATUS = "succeeded"
"""Status of every refund: one that is not made is refused and does not exist."""


@dataclass(frozen=True, slots=True)
class CarrierRefundHandler:
    """aiohttp handlers below `CARRIER_REFUND_ROOT`."""

    gate: MerchantGate = field(repr=False)
    charging_for: Callable[[str], PurchaseCharging] = field(repr=False)
    """Returns what charges an operator's lines, built on its current menu."""
    now: Callable[[], datetime]

    def build_routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        root, handler = CARRIER_REFUND_ROOT, self.gate.build_handler
        return [
            web.post(root, handler(REFUND_SCOPE, self._create)),
            web.get(root, handler(READ_REFUNDS_SCOPE, self._list), allow_head=False),
            web.get(
                f"{root}/remaining-amount", handler(READ_REFUNDS_SCOPE, self._tell_remaining), allow_head=False
            ),
            web.get(f"{root}/{{refund}}", handler(READ_REFUNDS_SCOPE, self._retrieve), allow_head=False),
        ]

    async def _create(self, call: MerchantCall) -> Answer:
        charging, charge = self.charging_for(call.operator), await self.gate.find_charge(call)
        currency = charging.menu.config.currency
        terms = MerchantTerms(call.merchant, call.settings, currency.code, currency.decimals)
        wanted = read_refund(call.body, terms)
        decision = await charging.refunds.refund_charge(charge, wanted.order)
        if not decision.is_new:
            has_correlator = not wanted.order.correlator.startswith(REFERENCE_KEY)
            raise CamaraError(*(errors.REPEATED_CORRELATOR if has_correlator else errors.REPEATED_REFERENCE))
        if decision.refusal:
            raise CamaraError(*errors.REFUND_ERRORS[decision.refusal])
        return 201, refund_body(decision.refund, charge, wanted)

    async def _list(self, call: MerchantCall) -> Answer:
        charge = await self.gate.find_charge(call)
        query = read_list_query(call.request.query, REFUND_LIST, self.now())
        charges = purchase_ports(self.gate.operators[call.operator]).charges
        found = await charges.list_refunds(call.operator, charge.id)
        require_few(found, REFUND_LIST)
        wanted = [each for each in found if query.is_wanted(STATUS, each.created_at)]
        return 200, query.cut_page([refund_body(each, charge) for each in wanted])

    async def _retrieve(self, call: MerchantCall) -> Answer:
        charge = await self.gate.find_charge(call)
        charges = purchase_ports(self.gate.operators[call.operator]).charges
        refund = await charges.find_refund(call.operator, call.request.match_info["refund"])
        if refund is None or refund.charge_id != charge.id:
            raise CamaraError(*errors.NO_REFUND)
        return 200, refund_body(refund, charge)

    async def _tell_remaining(self, call: MerchantCall) -> Answer:
        return 200, remaining_body(await self.gate.find_charge(call))
