"""Charges of merchants handed over to a BSS over the network: find the key, then post."""

from typing import Protocol

from flows.domain.purchase_records import BillCharge
from storage.billing._client.confirmed_post import confirm_post


class ChargeResource(Protocol):
    """The charges of one kind of BSS."""

    async def find_charge(self, charge: BillCharge) -> bool:
        """Return whether the BSS has a charge under this key."""

    async def post_charge(self, charge: BillCharge) -> None:
        """Post the charge; raises Refused when nothing was booked, Unavailable when that is not known."""


class RemoteCharges:
    """The `ChargeBilling` part of a backend over the network."""

    _charges: ChargeResource

    async def add_charge(self, charge: BillCharge) -> bool:
        """Post a charge or a credit unless its key is there; False when it was.

        Such interfaces book whatever is posted, so the key is looked for first. BookingUnconfirmed when a post
        got no answer: it may be booked now, a little later, or not at all.
        """
        if await self._charges.find_charge(charge):
            return False
        await confirm_post(self._charges.post_charge(charge), "a charge")
        return True
