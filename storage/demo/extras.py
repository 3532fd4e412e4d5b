"""Demo data besides bills: billing centres, part months, usage, purchases, signed documents."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

SIGNED_SPECIMEN = Path(__file__).parent / "certified.pdf"
"""A PDF signed with a throwaway key: the issuer's document of every bill that has one."""
SPECIMEN_FORMAT, SPECIMEN_PLATFORM = "PAdES", "PA-DEMO"
USAGE_SAMPLES: tuple[tuple[int, str, int, str], ...] = (
    (1, "call", 12, "0"),
    (1, "text", 3, "0"),
    (2, "data", 350, "0"),
    (4, "call", 7, "0"),
    (5, "call", 3, "1.20"),
    (8, "data", 1200, "0"),
)
"""Days ago, kind, quantity, amount."""


def split_evenly(total: Decimal, parts: int, unit: Decimal) -> list[Decimal]:
    """Split a total into equal parts that add up to it; the last takes the rounding remainder."""
    each = (total / parts).quantize(unit)
    return [*[each] * (parts - 1), total - each * (parts - 1)]


def account_users(person: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return billing centre and number of each user of the account; most have one, without a centre."""
    number, centres = person["msisdn"], person.get("billing_centres", [""])
    return [
        (centre, number if not index else f"{number[:-2]}{index}{number[-1]}")
        for index, centre in enumerate(centres)
    ]


def prorata_columns(person: Mapping[str, Any], rubric: str) -> dict[str, int]:
    """Return the days of its month a line covers, as columns; 0 for whole months."""
    part = person.get("prorata", {}) if rubric == "prorata" else {}
    return {"days": part.get("days", 0), "of_days": part.get("of", 0)}


def build_entry_rows(
    operator: str, account: str, person: Mapping[str, Any], today: date, unit: Decimal
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a person's recent usage and purchases; no usage for one who never had a bill.

    The users of an account take turns.
    """
    common = {"operator": operator, "account": account}
    users = cycle(account_users(person))
    for days, kind, quantity, amount in USAGE_SAMPLES if person.get("amounts", True) else ():
        centre, user = next(users)
        row = {"what": "usage", "at": today - timedelta(days=days), "kind": kind, "quantity": quantity}
        yield {**common, **row, "amount": Decimal(amount), "label": "", "user": user, "centre": centre}
    for purchase in person.get("carrier_billing", {}).get("purchases", []):
        row = {
            "what": "purchases",
            "at": today - timedelta(days=3),
            "kind": purchase["category"],
            "quantity": 1,
        }
        yield {
            **common,
            **row,
            "amount": Decimal(str(purchase["amount"])).quantize(unit),
            "label": purchase["label"],
            "user": person["msisdn"],
            "centre": "",
        }


def has_documents(person: Mapping[str, Any]) -> bool:
    """Return whether the issuer makes documents of a person's bills: of businesses', and where it says so."""
    return "siret" in person or bool(person.get("documents"))


def build_document_row(operator: str, bill: str) -> dict[str, Any]:
    """Build the row of a bill's document."""
    data = SIGNED_SPECIMEN.read_bytes()
    return {
        "operator": operator,
        "bill": bill,
        "data": data,
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": SPECIMEN_FORMAT,
        "platform": SPECIMEN_PLATFORM,
    }
