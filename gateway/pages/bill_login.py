"""Login at one bill: the line that proved itself, and the account and bill it was bound to (R6, R7)."""

import asyncio
from dataclasses import dataclass, field, replace

from flows.domain.failures import Failure
from flows.domain.newest_bill import read_subscriber_and_bill
from flows.domain.records import Subscriber
from flows.selfcare import invoice
from flows.services.eligibility import ineligibility_outcome
from gateway.pages.action_request import build_action_request
from gateway.pages.page_request import PageRequest
from menus.model.facts import Text

BILLING_TIMEOUT_SECONDS = 2.5
"""Time billing has while a code is redeemed; the page after it asks again."""


@dataclass(frozen=True, slots=True)
class BillLogin:
    """A login at one bill, valid for ten minutes.

    Account and bill are empty when billing was unavailable as the code was redeemed: each page then looks the
    bill up again, so that an outage does not cost a second code.
    """

    number: str = field(repr=False)
    account: str = field(default="", repr=False)
    bill: str = ""


async def bind_if_answered(request: PageRequest, login: BillLogin) -> BillLogin:
    """Return the login bound to account and bill; unchanged when billing does not answer in time."""
    try:
        async with asyncio.timeout(BILLING_TIMEOUT_SECONDS):
            bound = await bind_to_bill(request, login)
    except (Failure, TimeoutError):
        return login
    return login if isinstance(bound, str) else bound


async def bind_login(request: PageRequest, login: BillLogin) -> BillLogin | str:
    """Return the login with account and bill, looked up where billing did not answer when the login began."""
    return login if login.bill else await bind_to_bill(request, login)


async def find_owner(request: PageRequest, login: BillLogin) -> Subscriber | None:
    """Return the login's subscriber; None where rules refuse it, or its number is another account's now."""
    try:
        subscriber = await request.ports.billing.get_subscriber(login.number)
    except Failure:
        return None
    is_same = login.account in ("", subscriber.account)
    refused = ineligibility_outcome(build_action_request(request, subscriber))
    return subscriber if is_same and refused is None else None


async def bind_to_bill(request: PageRequest, login: BillLogin) -> BillLogin | str:
    """Return the login with account and latest bill, or a text that says why there is no bill."""
    subscriber, newest_bills = await read_subscriber_and_bill(request.ports.billing, login.number)
    action_request = replace(build_action_request(request, subscriber), newest_bills=newest_bills)
    reason = ineligibility_outcome(action_request)
    if reason:
        return request.plain_text(f"house.{reason.name}", reason.facts)
    outcome = await invoice.show_latest(action_request)
    bill = outcome.facts.get("bill")
    if not isinstance(bill, Text):
        return request.plain_text(f"invoice.{outcome.name}", outcome.facts)
    return replace(login, account=subscriber.account, bill=bill.value)
