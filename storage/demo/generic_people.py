"""Generic demo subscribers for an operator that is not in the demo world."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PEOPLE = Path(__file__).parent / "people.yaml"


@dataclass(frozen=True, slots=True)
class Where:
    """What the generic subscribers of an operator have in common."""

    country_code: str
    time_zone: str
    currency: str
    kind: str
    """Kind of their lines."""
    language: str


def generic(where: Where) -> dict[str, Any]:
    """Build an operator's definition from `people.yaml`, in the form of `world.yaml`."""
    people = yaml.safe_load(PEOPLE.read_text(encoding="utf-8"))
    return {
        "time_zone": where.time_zone,
        "currency": where.currency,
        "tax_percent": people["tax_percent"],
        "bill_prefix": people["prefix"],
        "due_days": people["due_days"],
        "subscribers": [_settled(person, where) for person in people["subscribers"]],
    }


def _settled(person: dict[str, Any], where: Where) -> dict[str, Any]:
    msisdn = f"+{where.country_code}{person['number']}"
    return {**person, "msisdn": msisdn, "kind": where.kind, "language": where.language}
