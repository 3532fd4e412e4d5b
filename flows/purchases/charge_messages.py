"""Messages about a charge: each purchase, refusals, alerts, refunds, the code that confirms."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.purchase_records import Charge, ChargeDecision, Refund
from flows.domain.records import DeferredStep, OutboundMessage, Subscriber
from flows.purchases.charge_tasks import build_task
from flows.purchases.notifications import build_payment_notification
from flows.purchases.recap import build_recap_task
from flows.purchases.spending import limits_of
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money, Text, TextRef
from menus.text.gsm import prepare_text, to_wire_text

MESSAGE_LIFETIME = timedelta(days=3)
CLOCK_FORMAT = "%d/%m %H:%M"
INVITED_REASON = "unconfigured"
"""The reason whose refusal invites to choose limits (B13)."""


@dataclass(frozen=True, slots=True)
class ChargeMessages:
    """Builds what follows a decision: messages in the subscriber's language, and the hand-over to billing.

    STOP does not end these messages: they are about money, not advertising.
    """

    menu: Menu = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)
    language: str
    is_made_elsewhere: bool = False
    """Whether the operator's own system charges: then nothing is handed over to billing."""

    def build_items(self, decision: ChargeDecision) -> tuple[OutboundMessage | DeferredStep, ...]:
        """Return what is sent and done after a charge was decided or confirmed."""
        charge = decision.charge
        if charge.state == "denied":
            return (self._refusal(decision),)
        notifications = build_payment_notification(charge)
        if charge.state != "succeeded":
            return notifications
        made = self._message(decision, "made", f"{charge.id}/made")
        recap = build_recap_task(self.menu, self.pseudonyms, charge)
        handed_over = () if self.is_made_elsewhere else (build_task(charge, charge.changed_at),)
        return (made, *self._alerts(decision), *handed_over, recap, *notifications)

    def build_refund_notice(self, decision: ChargeDecision, refund: Refund) -> OutboundMessage:
        """Return the SMS about a refund."""
        return self._message(decision, "refunded", f"{refund.id}/refunded", {"charge": Money(refund.amount)})

    def code_text(self, charge: Charge, facts: Facts) -> str:
        """Return the SMS that carries the code of a two-step charge."""
        return self._fill_text("code", {**_charge_facts(self.menu, charge), **facts})

    def _refusal(self, decision: ChargeDecision) -> OutboundMessage:
        """Build the refusal: one a day for each merchant and reason, so that no merchant floods a phone."""
        charge = decision.charge
        day = charge.created_at.astimezone(ZoneInfo(self.menu.config.time_zone)).date().isoformat()
        key = self.pseudonyms.keyed_hash(
            charge.operator, charge.subscription, charge.merchant, charge.reason, day
        )
        name = "invited" if charge.reason == INVITED_REASON else "denied"
        return self._message(decision, name, f"{key}/refused", {"denial": TextRef(f"denial.{charge.reason}")})

    def _alerts(self, decision: ChargeDecision) -> Iterator[OutboundMessage]:
        """Yield one alert: the highest threshold that was reached."""
        if decision.crossed:
            alert = max(decision.crossed)
            yield self._message(decision, "alert", f"{decision.charge.id}/alert", {"alert": Money(alert)})

    def _message(
        self, decision: ChargeDecision, name: str, key: str, more: Facts | None = None
    ) -> OutboundMessage:
        charge, policy = decision.charge, decision.policy
        cap = policy.monthly_cap if policy else limits_of(self.menu).per_month
        facts: Facts = {
            **_charge_facts(self.menu, charge),
            "spent": Money(decision.spending.spent),
            "cap": Money(cap),
            **(more or {}),
        }
        return OutboundMessage(
            key=key,
            operator=charge.operator,
            to=charge.line,
            route="sms",
            kind="reply",
            body=self._fill_text(name, facts),
            language=self.language,
            expires_at=_latest(charge.changed_at),
        )

    def _fill_text(self, name: str, facts: Facts) -> str:
        text = self.menu.fill_text(f"purchases.{name}_notice", self.language, "sms", facts)
        return to_wire_text(prepare_text(text))


async def build_messages(
    menu: Menu, ports: OperatorPorts, pseudonyms: Pseudonyms, subscriber: Subscriber
) -> ChargeMessages:
    """Return the messages about a subscriber's charges, in the language of their choice."""
    preference = await ports.ledger.get_preference(subscriber.operator, subscriber.id)
    return ChargeMessages(menu, pseudonyms, menu.supported_language(preference.language or subscriber.language))


def _latest(moment: datetime) -> datetime:
    return moment + MESSAGE_LIFETIME


def _charge_facts(menu: Menu, charge: Charge) -> Facts:
    local = charge.changed_at.astimezone(ZoneInfo(menu.config.time_zone))
    return {
        "charge": Money(charge.amount),
        "bought_what": Text(charge.label),
        "seller": Text(charge.merchant),
        "when": Text(local.strftime(CLOCK_FORMAT)),
    }
