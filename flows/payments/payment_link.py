"""Payment link: the bill a magic link pays, for whom, and the SMS or e-mail that carries it."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

from flows.domain.actions import ActionRequest
from flows.domain.records import ChangeSet, OutboundMessage
from flows.services.email_validation import email_of
from menus.model.facts import Facts, Text

LINK_LIFETIME, MAX_OPENS = timedelta(hours=24), 50
"""Lifetime of a link and how often it can be opened; it shows nothing that needs a code."""


@dataclass(frozen=True, slots=True)
class LinkedBill:
    """The bill a payment link leads to; its amount is read when the link is opened."""

    account: str = field(repr=False)
    bill_id: str
    line: str = field(repr=False)
    """Number (E.164) the bill was asked for by."""
    payer: str = field(repr=False)
    """Number (E.164) that gets the receipt; empty where the link went by e-mail, and the receipt goes there."""
    language: str

    def encode(self) -> str:
        """Serialise to the JSON stored in the link."""
        return json.dumps([self.account, self.bill_id, self.line, self.payer, self.language])


def parse_payment_link(text: str) -> LinkedBill:
    """Parse the JSON stored in a link; ValueError when it names no bill."""
    try:
        return LinkedBill(*map(str, json.loads(text)))
    except (TypeError, RecursionError) as error:
        raise ValueError("the stored link value is not a bill") from error


@dataclass(frozen=True, slots=True)
class LinkDestination:
    """Where a subscriber is sent a link: to the phone in use, or to an address (empty for the phone)."""

    address: str = field(default="", repr=False)

    @property
    def outcome(self) -> str:
        """The outcome of a step that sends there."""
        return "mailed" if self.address else "ok"

    def build_message(self, request: ActionRequest, text: str, facts: Facts) -> OutboundMessage:
        """Build the SMS `TEXT_notice`, or the e-mail `TEXT_mail_notice`; dropped when the link is over."""
        if not self.address:
            return request.build_sms(f"{text}_notice", facts, "reply", LINK_LIFETIME)
        mail = request.build_email(f"{text}_mail", self.address, facts)
        return replace(mail, kind="reply", expires_at=request.now + LINK_LIFETIME)


async def find_destination(request: ActionRequest) -> LinkDestination | None:
    """Return where links can be sent: by SMS; by e-mail from a withheld number or a line without SMS.

    None where there is no validated address either. The address is the line's own, never one that is typed.
    """
    subscriber = request.require_subscriber()
    is_own_line = request.caller == subscriber.msisdn
    if request.caller and not (is_own_line and subscriber.kind != "mobile"):
        return LinkDestination()
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    address, is_validated = email_of(preference, subscriber)
    return LinkDestination(address) if address and is_validated else None


def build_link_change(
    request: ActionRequest, bill_id: str, facts: Facts, destination: LinkDestination
) -> ChangeSet:
    """Build the change set that sends the link of a bill."""
    account = request.require_subscriber().account
    payer = "" if destination.address else request.caller
    linked = LinkedBill(account, bill_id, request.line, payer, request.language)
    link = request.build_link("pay", linked.encode(), LINK_LIFETIME, MAX_OPENS)
    url = Text(f"{request.ports.links_url}/pay#{link.token.value}")
    notice = destination.build_message(request, "pay.link", {**facts, "link": url})
    return request.build_change(outcome=destination.outcome, links=(link,), messages=(notice,))
