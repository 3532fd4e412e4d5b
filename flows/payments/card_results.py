"""Results of cards in calls: believed by the connection's signature, compared, applied once."""

from dataclasses import dataclass, field

from flows.domain.actions import OperatorPorts
from flows.domain.payment_records import CALL_CARD, CardResult, PaymentIntent, PaymentReport
from flows.payments.following import PaymentFollower
from flows.payments.payable import payment_ports
from menus.machine.menu import Menu
from menus.model.facts import Money
from menus.model.reply import Prompt, Reply

RESULT_TEXTS = {
    "succeeded": "pay.card_done",
    "booking": "pay.card_done",
    "booked": "pay.card_done",
    "failed": "pay.card_failed",
}
"""What the caller hears, by the payment's state; in any other that we are checking."""
UNCLEAR_TEXT = "pay.card_unclear"


@dataclass(frozen=True, slots=True)
class CardResults:
    """Takes the results of one operator's card payments in calls."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def apply_result(self, result: CardResult) -> Reply | None:
        """Apply a result and return what ends the call; None for a payment that is not one of ours.

        It may come again, late and out of order: the payment's state decides, and money that moved wins.
        """
        intents = payment_ports(self.ports).intents
        intent = await intents.find_intent(self.menu.name, result.payment)
        if intent is None or intent.provider != CALL_CARD:
            return None
        await PaymentFollower(self.menu, self.ports).apply_report(intent, _build_report(result))
        return self._build_reply(await intents.find_intent(self.menu.name, result.payment) or intent)

    def _build_reply(self, intent: PaymentIntent) -> Reply:
        name = RESULT_TEXTS.get(intent.state, UNCLEAR_TEXT)
        language = self.menu.language_pack(intent.language, "voice").language
        text = self.menu.fill_text(name, language, "voice", {"paying": Money(intent.amount)})
        return Reply("voice", language, name, 0, prompts=(Prompt("say", text),), ends_session=True)


def _build_report(result: CardResult) -> PaymentReport:
    """Return the result as a report; money without a confirmation code is about no payment of ours."""
    is_believed = bool(result.reference) or not result.is_paid
    return PaymentReport(
        state="paid" if result.is_paid else "failed",
        intent_id=result.payment if is_believed else "",
        reference=result.reference,
        amount=result.amount,
        currency=result.currency,
    )
