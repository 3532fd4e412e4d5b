"""Generic demo subscribers for an operator that is not in the demo world."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PEOPLE_FILE = Path(__file__).parent / "people.yaml"


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """What the generic subscribers of an operator have in common."""

    country_code: str
    time_zone: str
    currency: str
    kinds: tuple[str, ...]
    """Kinds of line it serves: everybody has the first, and one more person each of the others."""
    language: str


def build_generic_operator(profile: OperatorProfile) -> dict[str, Any]:
    """Build an operator's definition from `people.yaml`, in the form of `world.yaml`."""
    people = yaml.safe_load(PEOPLE_FILE.read_text(encoding="utf-8"))
    return {
        "time_zone": profile.time_zone,
        "currency": profile.currency,
        "tax_percent": people["tax_percent"],
        "bill_prefix": people["prefix"],
        "due_days": people["due_days"],
        "subscribers": [
            _complete_person(person, profile, kind)
            for kind, persons in zip(profile.kinds, _persons_by_kind(people), strict=False)
            for person in persons
        ],
    }


def _persons_by_kind(people: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the people of the first kind of line, then one person for each further kind."""
    yield people["subscribers"]
    yield from ([person] for person in people["of_other_kinds"])


def _complete_person(person: dict[str, Any], profile: OperatorProfile, kind: str) -> dict[str, Any]:
    msisdn = f"+{profile.country_code}{person['number']}"
    return {**person, "msisdn": msisdn, "kind": kind, "language": profile.language}
