"""Payment link: the bill a magic link pays, for whom, and the SMS that carries it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from flows.domain.actions import ActionRequest
from flows.domain.records import ChangeSet
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
    """Number (E.164) that gets the receipt."""
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


def build_link_change(request: ActionRequest, bill_id: str, facts: Facts) -> ChangeSet:
    """Build the change set that sends the link of a bill to the phone in use, by SMS."""
    account = request.require_subscriber().account
    linked = LinkedBill(account, bill_id, request.line, request.caller, request.language)
    link = request.build_link("pay", linked.encode(), LINK_LIFETIME, MAX_OPENS)
    url = Text(f"{request.ports.links_url}/pay#{link.token.value}")
    notice = request.build_sms("pay.link_notice", {**facts, "link": url}, "reply", LINK_LIFETIME)
    return request.build_change(links=(link,), messages=(notice,))
