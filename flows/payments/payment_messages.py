"""Messages about payments: receipt by SMS and e-mail, failure, verification, money given back."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from flows.domain.payment_records import PaymentIntent
from flows.domain.records import OutboundMessage
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money, Month, PhoneNumber, Text
from menus.text.gsm import prepare_text, to_wire_text

FAILURE_TEXTS = {"funds": "wallet_funds", "limit": "wallet_limit", "no_wallet": "wallet_missing"}
"""Texts `pay.NAME_notice` about a failure whose reason helps the payer; others get `failed`."""
MESSAGE_LIFETIME = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class PaymentMessages:
    """Builds the messages of one payment; each is sent once, and STOP does not end them."""

    menu: Menu = field(repr=False)
    intent: PaymentIntent
    now: datetime

    def build_sms(self, name: str, remaining: Decimal = Decimal(0)) -> tuple[OutboundMessage, ...]:
        """Build the SMS `pay.NAME_notice` to the payer; none once the number was erased."""
        if not self.intent.payer:
            return ()
        text = self._fill_text(f"pay.{name}_notice", "sms", remaining)
        body = to_wire_text(prepare_text(text))
        return (self._message(name, "sms", self.intent.payer, self.intent.language, body),)

    def build_notice_mail(self, name: str, address: str) -> tuple[OutboundMessage, ...]:
        """Build `pay.NAME_notice` as an e-mail, for a payer whom no SMS reaches; none without an address."""
        if not address:
            return ()
        subject, body = (
            to_wire_text(self._fill_text(text, "email", Decimal(0)))
            for text in ("pay.notice_subject", f"pay.{name}_notice")
        )
        language = self.menu.language_pack(self.intent.language, "email").language
        return (self._message(name, "email", address, language, body, subject),)

    def build_mail(self, address: str, remaining: Decimal) -> tuple[OutboundMessage, ...]:
        """Build the receipt by e-mail; none without an address."""
        if not address:
            return ()
        subject, body = (
            to_wire_text(self._fill_text(name, "email", remaining))
            for name in ("pay.mail_subject", "pay.mail_notice")
        )
        language = self.menu.language_pack(self.intent.language, "email").language
        return (self._message("mail", "email", address, language, body, subject),)

    def _message(
        self, name: str, route: str, to: str, language: str, body: str, subject: str = ""
    ) -> OutboundMessage:
        return OutboundMessage(
            key=f"{self.intent.id}/{name}",
            operator=self.intent.operator,
            to=to,
            route="email" if route == "email" else "sms",
            kind="reply",
            body=body,
            language=language,
            subject=subject,
            expires_at=self.now + MESSAGE_LIFETIME,
        )

    def _fill_text(self, name: str, channel: str, remaining: Decimal) -> str:
        facts: Facts = {
            "month": Month.from_date(self.intent.issued),
            "line": PhoneNumber(self.intent.line),
            "paying": Money(self.intent.amount),
            "remaining": Money(remaining),
            "receipt": Text(self.intent.receipt),
        }
        return self.menu.fill_text(name, self.intent.language, channel, facts)
