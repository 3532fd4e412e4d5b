"""Marks of Kill Bill's invoice items that we handed over: a charge's key in `itemDetails`."""

import json
from collections.abc import Mapping
from typing import Any

from storage.billing._client.answer_fields import identifier_text, objects_in

MARK_FIELD = "dialtreeCharge"
"""Field of an item's `itemDetails`, which is a JSON text, that holds the key of a charge."""


def charge_key(item: Mapping[str, Any]) -> str:
    """Return the key of an item that was handed over by us; empty for any other."""
    try:
        details = json.loads(item.get("itemDetails") or "")
    except (TypeError, ValueError, RecursionError):
        return ""
    return identifier_text(details.get(MARK_FIELD)) if isinstance(details, dict) else ""


def charge_keys(invoice: Mapping[str, Any]) -> set[str]:
    """Return the keys of the charges of ours on an invoice."""
    return {charge_key(each) for each in objects_in(invoice.get("items"))} - {""}
