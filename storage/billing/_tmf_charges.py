"""TM Forum charges: rated TMF635 v4 `usage`, found by its key before it is posted again."""

from datetime import datetime, time, tzinfo
from typing import Any

from flows.domain.failures import NotEligible, NotFound
from flows.domain.purchase_records import BillCharge
from storage.billing._client.answer_fields import as_object, clean_text, field_error, identifier_text
from storage.billing._client.body_reader import JsonAnswer
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.paging import BssResource, gather_all, read_list
from storage.billing._tmf_mapping import characteristics
from storage.billing._tmf_options import TmForumOptions

KEY_NAME = "chargeId"
"""Characteristic of a usage that holds the key of a charge."""
REJECTED = "rejected"
"""Status of a usage that is not billed."""
PAGE_SIZE = 50
MAX_USAGES = 500
"""Usages read to find one key, from a server that ignores the filter."""


class TmfCharges:
    """Posts and finds charges through the client of the BSS."""

    def __init__(self, client: BssClient, options: TmForumOptions, currency: str, zone: tzinfo) -> None:
        self._client, self._currency, self._zone = client, currency, zone
        self._path, self._query = f"{options.usages.strip('/')}/usage", options.charge_query

    async def find_charge(self, charge: BillCharge) -> bool:
        """Return whether a usage has this key; NotEligible for one the BSS rejected afterwards.

        InvalidRecord when the list does not end.
        """
        query = self._query.replace("{key}", path_segment(charge.key))

        async def fetch_page(offset: int) -> JsonAnswer:
            return await self._client.get(f"{self._path}?{query}&offset={offset}&limit={PAGE_SIZE}")

        listed = await read_list(fetch_page, PAGE_SIZE, MAX_USAGES)
        complete = await gather_all(map(self._complete_usage, listed.rows))
        usages = [each for each in complete if not isinstance(each, NotFound) and _has_key(each, charge)]
        if not usages and not listed.is_complete:
            raise field_error("list of usage: it does not end")
        if usages and all(clean_text(each.get("status")).lower() == REJECTED for each in usages):
            raise NotEligible("the BSS rejected the charge")
        return bool(usages)

    async def post_charge(self, charge: BillCharge) -> None:
        """Post the charge; NotEligible when the BSS answers that it bills nothing."""
        answer = await self._client.send("POST", self._path, self._usage_body(charge))
        if clean_text(as_object(answer.body).get("status")).lower() == REJECTED:
            raise NotEligible("the BSS rejected the charge")

    async def _complete_usage(self, listed: BssResource) -> BssResource:
        """Return a listed usage with its characteristics, read by its id where the list leaves them out."""
        if listed.get("usageCharacteristic") or not identifier_text(listed.get("id")):
            return listed
        return as_object(
            (await self._client.get(f"{self._path}/{path_segment(identifier_text(listed['id']))}")).body
        )

    def _usage_body(self, charge: BillCharge) -> dict[str, Any]:
        """Return the usage. A credit is negative: a BSS that knows none must refuse it, not charge it."""
        at = datetime.combine(charge.charged_on, time(), self._zone).isoformat()
        words = {KEY_NAME: charge.key, "rubric": "third_party", "kind": charge.category}
        return {
            "@type": "Usage",
            "description": charge.label,
            "usageDate": at,
            "usageType": "purchase",
            "status": "rated",
            "relatedParty": [
                {"id": charge.account, "role": "billingAccount", "@referredType": "BillingAccount"}
            ],
            "usageCharacteristic": [{"name": each, "value": value} for each, value in words.items()],
            "ratedProductUsage": [
                {
                    "isBilled": False,
                    "ratingDate": at,
                    "ratingAmountType": "credit" if charge.amount < 0 else "charge",
                    "taxIncludedRatingAmount": {"unit": self._currency, "value": float(charge.amount)},
                }
            ],
        }


def _has_key(usage: BssResource, charge: BillCharge) -> bool:
    words = characteristics(usage.get("usageCharacteristic"))
    return words.get(KEY_NAME.lower()) == charge.key
