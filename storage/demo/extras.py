"""What people of the demo world have besides bills: centres, part months, usage, purchases, originals."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

ORIGINAL = Path(__file__).parent / "certified.pdf"
"""A specimen signed with a throwaway key: the issuer's document behind every bill that has one."""
FORMAT, PLATFORM = "PAdES", "PA-DEMO"
USAGE: tuple[tuple[int, str, int, str], ...] = (
    (1, "call", 12, "0"),
    (1, "text", 3, "0"),
    (2, "data", 350, "0"),
    (4, "call", 7, "0"),
    (5, "call", 3, "1.20"),
    (8, "data", 1200, "0"),
)
"""Days ago, what, how much, what it cost."""


def shares(total: Decimal, parts: int, unit: Decimal) -> list[Decimal]:
    """A total in so many parts that add up to it, the last with what is left over."""
    each = (total / parts).quantize(unit)
    return [*[each] * (parts - 1), total - each * (parts - 1)]


def users_of(person: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Billing centre and number of everybody on the account; one number without a centre for most."""
    number, centres = person["msisdn"], person.get("billing_centres", [""])
    return [
        (centre, number if not index else f"{number[:-2]}{index}{number[-1]}")
        for index, centre in enumerate(centres)
    ]


def part_of(person: Mapping[str, Any], rubric: str) -> dict[str, int]:
    """How many days of its month a line covers; none for whole months."""
    part = person.get("prorata", {}) if rubric == "prorata" else {}
    return {"days": part.get("days", 0), "of_days": part.get("of", 0)}


def entries_of(
    operator: str, account: str, person: Mapping[str, Any], today: date, unit: Decimal
) -> Iterator[dict[str, Any]]:
    """What the person used these last days, and bought on the bill; who never had a bill used nothing yet."""
    common = {"operator": operator, "account": account}
    for days, kind, quantity, amount in USAGE if person.get("amounts", True) else ():
        row = {"what": "usage", "at": today - timedelta(days=days), "kind": kind, "quantity": quantity}
        yield {**common, **row, "amount": Decimal(amount), "label": ""}
    for bought in person.get("carrier_billing", {}).get("purchases", []):
        row = {"what": "purchases", "at": today - timedelta(days=3), "kind": bought["category"], "quantity": 1}
        yield {
            **common,
            **row,
            "amount": Decimal(str(bought["amount"])).quantize(unit),
            "label": bought["label"],
        }


def document(operator: str, bill: str) -> dict[str, Any]:
    """The issuer's document of a bill."""
    data = ORIGINAL.read_bytes()
    return {
        "operator": operator,
        "bill": bill,
        "data": data,
        "sha256": hashlib.sha256(data).hexdigest(),
        "format": FORMAT,
        "platform": PLATFORM,
    }
