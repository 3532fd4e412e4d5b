"""Purchase ports: the store of policies and charges, and billing that takes charges over."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from flows.domain.purchase_records import (
    BillCharge,
    Charge,
    ChargeDecision,
    ChargeRequest,
    ChargeStep,
    MonthlySpending,
    PolicyChange,
    Refund,
    RefundDecision,
    SpendPolicy,
)
from flows.domain.records import AuditEntry, DeferredStep, OutboundMessage

Followers = Callable[[ChargeDecision], Sequence[OutboundMessage | DeferredStep]]
"""Builds what is sent and done after a decision. Called inside its transaction: pure, and maybe twice."""

RefundFollowers = Callable[[ChargeDecision, Refund], Sequence[OutboundMessage | DeferredStep]]
"""The same after a refund; the decision shows the charge and its month with the refund taken off."""


class SpendPolicies(Protocol):
    """Store of the subscribers' spending policies."""

    async def find_policy(self, operator: str, subscription: str) -> SpendPolicy | None:
        """Return a line's policy; None when it never chose one (B13)."""

    async def change_policy(
        self,
        change: PolicyChange,
        messages: Sequence[OutboundMessage] = (),
        entries: Sequence[AuditEntry] = (),
    ) -> SpendPolicy | None:
        """Make a change with its messages in one transaction, once per key; return the policy as it is now.

        None, and nothing is written, when the line has no policy and the change does not begin one.
        """


class Charges(Protocol):
    """Store of charges. A line's decisions are made one at a time, so no cap is passed (B15)."""

    async def decide_charge(self, request: ChargeRequest, followers: Followers) -> ChargeDecision:
        """Decide a charge and store it, accepted or denied, with what follows, in one locked transaction.

        A correlator the merchant has used before decides nothing: the earlier charge is returned.
        """

    async def advance_charge(self, step: ChargeStep, followers: Followers) -> ChargeDecision | None:
        """Make a step of a charge; None when it is in another state or its reservation has lapsed."""

    async def refund_charge(self, wanted: Refund, followers: RefundFollowers) -> RefundDecision:
        """Give back part or all of a charge and store it with what follows, or say what is against it.

        A correlator the merchant has used before gives nothing back: the earlier refund is returned. NotFound
        for an unknown charge.
        """

    async def find_refund(self, operator: str, refund_id: str) -> Refund | None:
        """Return a refund of this operator; None when there is none."""

    async def list_refunds(self, operator: str, charge_id: str) -> Sequence[Refund]:
        """Return the refunds of a charge, newest first."""

    async def mark_billed(self, operator: str, charge_id: str) -> None:
        """Note that billing has the charge."""

    async def mark_refund_billed(self, operator: str, refund_id: str) -> None:
        """Note that billing has the refund."""

    async def find_charge(self, operator: str, charge_id: str) -> Charge | None:
        """Return a charge of this operator; None when there is none."""

    async def list_merchant_charges(
        self, operator: str, merchant: str, since: datetime, until: datetime, limit: int
    ) -> Sequence[Charge]:
        """Return a merchant's charges created from `since` to `until`, newest first."""

    async def list_month(self, operator: str, subscription: str, period: str) -> Sequence[Charge]:
        """Return all charges of a line in one month, newest first."""

    async def read_month(self, operator: str, subscription: str, period: str, now: datetime) -> MonthlySpending:
        """Return what a line's purchases of one month come to."""


@runtime_checkable
class ChargeBilling(Protocol):
    """Billing that takes charges over to the next bill. Optional for a backend; its capability is `charges`."""

    async def add_charge(self, charge: BillCharge) -> bool:
        """Put a charge on the account's next bill, once per key; False when it was there already."""
