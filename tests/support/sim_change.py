"""Billing that says when a line's SIM was changed."""

from dataclasses import replace
from datetime import datetime

from flows.domain.ports import Billing
from flows.domain.records import Subscriber
from gateway.demo.faulty_billing import FaultyBilling


class SimChangeBilling(FaultyBilling):
    """A backend that knows when the SIM was changed."""

    sim_changed_at: datetime

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        return replace(await super().recheck_subscriber(msisdn), sim_changed_at=self.sim_changed_at)


def with_sim_change(billing: Billing, changed: datetime) -> Billing:
    later = SimChangeBilling(billing)
    later.sim_changed_at = changed
    return later
