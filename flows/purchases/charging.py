"""Charging: a merchant's request becomes a decided charge, is confirmed or cancelled."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.purchase_records import (
    HELD_STATES,
    Charge,
    ChargeDecision,
    ChargeRequest,
    ChargeState,
    ChargeStep,
    DenialReason,
    NotificationSink,
    PurchaseCategory,
)
from flows.domain.purchase_rules import month_of
from flows.domain.records import CodeRequest, OutboundMessage, Secret, Subscriber
from flows.purchases.charge_messages import ChargeMessages, build_messages
from flows.purchases.refunding import PurchaseRefunds
from flows.purchases.spending import limits_of, purchase_ports
from flows.services.sim_swap import has_new_sim
from menus.machine.menu import Menu
from menus.model.facts import OneTimeCode


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """What a merchant asks to be charged."""

    merchant: str
    category: PurchaseCategory
    line: str = field(repr=False)
    """Number (E.164) to charge."""
    amount: Decimal
    """In the operator's currency, tax included."""
    label: str
    reference: str
    correlator: str
    """Key of the request; empty for none."""
    sink: NotificationSink | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MadePurchase:
    """A purchase that the operator's own system has charged."""

    order: PurchaseOrder
    """Its correlator is the id of the payment there."""
    charged_at: datetime
    is_listed: bool
    """Whether billing lists it by itself among the purchases that are not billed yet."""


@dataclass(frozen=True, slots=True)
class PurchaseCharging:
    """Charges of one operator's lines."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)

    async def charge(self, order: PurchaseOrder, *, is_two_step: bool) -> ChargeDecision:
        """Decide an order: charge it, or reserve it for a second step; NotFound for an unknown number.

        The subscriber is read from billing itself, so that a fresh SIM swap is seen.
        """
        subscriber = await self.ports.billing.recheck_subscriber(order.line)
        messages = await self._messages_to(subscriber)
        charge = self._build_charge(order, subscriber, is_two_step=is_two_step)
        denial = self._find_denial(order, subscriber, is_two_step=is_two_step)
        request = ChargeRequest(charge, limits_of(self.menu), denial)
        decision = await purchase_ports(self.ports).charges.decide_charge(request, messages.build_items)
        if not decision.is_new or decision.charge.state != "pending_validation":
            return decision
        if await self._send_code(decision.charge, messages):
            return decision
        await self._advance(decision.charge, HELD_STATES, "cancelled", "code")
        return replace(decision, denial="code")

    async def confirm(self, charge: Charge) -> ChargeDecision | None:
        """Charge what is reserved; None when it is not, or not any more."""
        return await self._advance(charge, ("reserved",), "succeeded")

    async def cancel(self, charge: Charge) -> ChargeDecision | None:
        """Give up a reservation; None when there is none any more."""
        return await self._advance(charge, HELD_STATES, "cancelled", "merchant")

    async def validate(self, charge: Charge, code: str) -> Literal["ok", "wrong", "locked", "over"]:
        """Check the subscriber's code; `over` when nothing waits for one."""
        if not charge.holds_amount(self.ports.now()) or charge.state != "pending_validation":
            return "over"
        answer = await self.ports.codes.redeem_code(
            *(charge.operator, charge.line, _code_purpose(charge), Secret(code)),
            now=self.ports.now(),
            source=charge.merchant,
        )
        if answer != "ok":
            return answer
        return "ok" if await self._advance(charge, ("pending_validation",), "reserved") else "over"

    async def record(self, made: MadePurchase) -> ChargeDecision:
        """Take over a purchase that the operator's own system has charged, once: it is told and counted.

        Raises NotFound for a number that is no line of the operator.
        """
        subscriber = await self.ports.billing.get_subscriber(made.order.line)
        at, charge_id = made.charged_at, self._made_id(made.order.merchant, made.order.correlator)
        charge = replace(
            self._build_charge(made.order, subscriber, is_two_step=False),
            id=charge_id,
            state="succeeded",
            period=month_of(at, ZoneInfo(self.menu.config.time_zone)),
            created_at=at,
            changed_at=at,
            is_billed=made.is_listed,
        )
        messages = replace(await self._messages_to(subscriber), is_made_elsewhere=True)
        request = ChargeRequest(charge, limits_of(self.menu), is_made=True)
        return await purchase_ports(self.ports).charges.decide_charge(request, messages.build_items)

    async def take_back(self, merchant: str, correlator: str) -> None:
        """Note that the operator's own system has given a purchase back; one that is not known is ignored."""
        charges = purchase_ports(self.ports).charges
        charge = await charges.find_charge(self.menu.name, self._made_id(merchant, correlator))
        if charge is not None:
            await self.refunds.take_back(charge)

    @property
    def refunds(self) -> PurchaseRefunds:
        """Refunds of the same lines."""
        return PurchaseRefunds(self.menu, self.ports, self.pseudonyms)

    def _made_id(self, merchant: str, correlator: str) -> str:
        """Return the id of a purchase made elsewhere: it follows from what names it there."""
        return f"{self.pseudonyms.keyed_hash('purchase', self.menu.name, merchant, correlator):0>32}"

    async def _advance(
        self, charge: Charge, expected: tuple[ChargeState, ...], state: ChargeState, reason: str = ""
    ) -> ChargeDecision | None:
        messages = await self._messages_of(charge)
        step = ChargeStep(charge.operator, charge.id, expected, state, self.ports.now(), reason)
        return await purchase_ports(self.ports).charges.advance_charge(step, messages.build_items)

    async def _messages_of(self, charge: Charge) -> ChargeMessages:
        return await self._messages_to(await self.ports.billing.get_subscriber(charge.line))

    async def _messages_to(self, subscriber: Subscriber) -> ChargeMessages:
        return await build_messages(self.menu, self.ports, self.pseudonyms, subscriber)

    def _find_denial(
        self, order: PurchaseOrder, subscriber: Subscriber, *, is_two_step: bool
    ) -> DenialReason | None:
        """Return what is against an order before the policy is looked at."""
        rules, limits = self.menu.config.rules.purchases, limits_of(self.menu)
        is_served = subscriber.segment == "residential" or (rules is not None and rules.businesses)
        if rules is None or subscriber.kind != "mobile" or not is_served:
            return "ineligible"
        if has_new_sim(subscriber, self.ports.now(), timedelta(hours=rules.sim_hours)):
            return "sim"
        needs_code = limits.code_from is not None and order.amount >= limits.code_from
        return "code" if needs_code and not is_two_step else None

    def _build_charge(self, order: PurchaseOrder, subscriber: Subscriber, *, is_two_step: bool) -> Charge:
        now, charge_id = self.ports.now(), f"{int(self.ports.random_digits(38)):032x}"
        return Charge(
            id=charge_id,
            operator=subscriber.operator,
            subscription=subscriber.id,
            account=subscriber.account,
            line=subscriber.msisdn,
            merchant=order.merchant,
            correlator=order.correlator or charge_id,
            reference=order.reference,
            category=order.category,
            label=order.label,
            amount=order.amount,
            currency=self.menu.config.currency.code,
            state=self._wanted_state(order.amount, is_two_step=is_two_step),
            period=month_of(now, ZoneInfo(self.menu.config.time_zone)),
            created_at=now,
            changed_at=now,
            reserved_until=self._hold_until(now) if is_two_step else None,
            sink=order.sink,
        )

    def _wanted_state(self, amount: Decimal, *, is_two_step: bool) -> ChargeState:
        code_from = limits_of(self.menu).code_from
        if not is_two_step:
            return "succeeded"
        return "pending_validation" if code_from is not None and amount >= code_from else "reserved"

    def _hold_until(self, now: datetime) -> datetime:
        rules = self.menu.config.rules.purchases
        return now + timedelta(minutes=rules.hold_minutes if rules else 0)

    async def _send_code(self, charge: Charge, messages: ChargeMessages) -> bool:
        """Send the code that confirms a charge, valid as its reservation; False over a limit of codes."""
        code = self.ports.random_digits(self.menu.config.rules.code_digits)
        until = charge.reserved_until or charge.created_at
        notice = OutboundMessage(
            key=f"{charge.id}/code",
            operator=charge.operator,
            to=charge.line,
            route="sms",
            kind="code",
            body=messages.code_text(charge, {"code": OneTimeCode(code)}),
            language=messages.language,
            expires_at=until,
        )
        request = CodeRequest(
            key=f"{charge.id}/code",
            operator=charge.operator,
            number=charge.line,
            purpose=_code_purpose(charge),
            code=Secret(code),
            requested_at=charge.created_at,
            expires_at=until,
            message=notice,
            requester=charge.merchant,
        )
        return await self.ports.codes.issue_code(request) == "ok"


def _code_purpose(charge: Charge) -> str:
    """Return the purpose of a charge's code: it confirms this charge and no other."""
    return f"buy {charge.id[:24]}"
