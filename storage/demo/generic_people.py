"""Generic people, for an operator the demo world does not know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PEOPLE = Path(__file__).parent / "people.yaml"


@dataclass(frozen=True, slots=True)
class Where:
    """What an operator's people have in common."""

    country_code: str
    time_zone: str
    currency: str
    kind: str
    """The kind of line they have."""
    language: str


def generic(where: Where) -> dict[str, Any]:
    """An operator of the demo world, as its file would tell it."""
    told = yaml.safe_load(PEOPLE.read_text(encoding="utf-8"))
    return {
        "time_zone": where.time_zone,
        "currency": where.currency,
        "tax_percent": told["tax_percent"],
        "bill_prefix": told["prefix"],
        "due_days": told["due_days"],
        "subscribers": [_settled(person, where) for person in told["subscribers"]],
    }


def _settled(person: dict[str, Any], where: Where) -> dict[str, Any]:
    msisdn = f"+{where.country_code}{person['number']}"
    return {**person, "msisdn": msisdn, "kind": where.kind, "language": where.language}
