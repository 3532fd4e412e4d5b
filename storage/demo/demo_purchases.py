"""Demo data of purchases on the bill: a person's spending policy, and this month's charges."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as upsert

from storage.sql.tables import purchase_charges, spend_policies

CHARGED_BEFORE = timedelta(days=3)
"""How long ago the demo's purchases were made."""
INSERT_POLICY = upsert(spend_policies).on_conflict_do_nothing()
INSERT_CHARGE = upsert(purchase_charges).on_conflict_do_nothing()


def write_purchases(
    connection: Connection, subscriber: Mapping[str, Any], person: Mapping[str, Any], now: datetime
) -> None:
    """Write what a person of the demo allows and has bought; their own choices since the last seeding stay."""
    section = person.get("carrier_billing")
    if section is None:
        return
    connection.execute(INSERT_POLICY, _policy_row(subscriber, section, now))
    charges = list(_charge_rows(subscriber, section, now))
    if charges:
        connection.execute(INSERT_CHARGE, charges)


def _policy_row(subscriber: Mapping[str, Any], section: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "operator": subscriber["operator"],
        "subscription": subscriber["id"],
        "is_enabled": True,
        "monthly_cap": Decimal(str(section["monthly_cap"])),
        "alerts": " ".join(map(str, section["alerts"])),
        "blocked": " ".join(section["blocked"]),
        "blocked_merchants": "",
        "changed_at": now,
    }


def _charge_rows(
    subscriber: Mapping[str, Any], section: Mapping[str, Any], now: datetime
) -> Iterator[dict[str, Any]]:
    """Yield charges that billing has already: the demo's billing lists the same purchases."""
    at = now - CHARGED_BEFORE
    for index, purchase in enumerate(section["purchases"]):
        correlator = f"demo-{subscriber['id']}-{index}-{at:%Y-%m}"
        yield {
            "id": f"demo-{subscriber['account'][-11:]}-{index}-{at:%Y%m}",
            "operator": subscriber["operator"],
            "subscription": subscriber["id"],
            "account": subscriber["account"],
            "line": b"",
            "merchant": "demo",
            "correlator": correlator,
            "reference": correlator,
            "category": purchase["category"],
            "label": purchase["label"],
            "amount": Decimal(str(purchase["amount"])).quantize(Decimal("0.01")),
            "currency": "EUR",
            "state": "succeeded",
            "period": f"{at:%Y-%m}",
            "created_at": at,
            "changed_at": at,
            "reserved_until": None,
            "reason": "",
            "refunded": Decimal(0),
            "is_billed": True,
        }
