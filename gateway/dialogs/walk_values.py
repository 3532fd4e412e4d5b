"""Values that a walk types: what a person knows, wrong values, months, numbers, addresses."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from menus.packfile.schema import AcceptForm

SECRET_KINDS = ("pin", "password", "customer_code")
LAST_CODE = "{code}"
"""How a dialog writes the one-time code that came last."""
WRONG_SECRETS = ("000000", "Wrong1Word", "8042", "8043", "1234")
"""Values that are no secret of the demo's people; the numbers also serve as new PINs, good and too simple."""
MONTHS = ("0326", "0226", "0120", "0426")
"""The month of a walk, the one before, one long ago and the next."""
OTHER_VALUES: Mapping[str, Sequence[str]] = {
    "email": ("walker@example.test",),
    "text": ("Too expensive", "ABC-1", "30", "1", "299", "bus", "tout"),
    "date": ("01032026", "01012020"),
    "digits": ("1", "12", "123", "1234", "12345678", "73282932000074"),
}
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Walker:
    """A person who walks: the number, what they know, and the numbers of others."""

    msisdn: str = field(repr=False)
    language: str
    secrets: Sequence[str] = field(default=(), repr=False)
    others: Sequence[str] = field(default=(), repr=False)
    references: Sequence[str] = field(default=(), repr=False)
    """Numbers of the person's bills."""

    @classmethod
    def from_dataset(
        cls, person: Mapping[str, Any], everyone: Sequence[str], references: Sequence[str]
    ) -> "Walker":
        """Return a person of the demo's data set."""
        secrets = [str(person[kind]) for kind in SECRET_KINDS if kind in person]
        others = [number for number in everyone if number != person["msisdn"]]
        return cls(person["msisdn"], person["language"], secrets, others, references)

    def values_for(self, accept: AcceptForm, lines: Sequence[str], *, is_right: bool = True) -> list[str]:
        """Return values for an input, likely ones first; `lines` is what the screen shows.

        `is_right` says whether the right value is wanted, rather than a wrong one.
        """
        values = list(self._values_of_type(accept.type, is_secret=accept.secret))
        if accept.secret and not is_right:
            values = [*WRONG_SECRETS, *values]
        if not accept.secret:
            values += [number for line in lines for number in _DIGITS.findall(line)]
        fits = (value for value in values if value == LAST_CODE or self._fits(accept, value))
        return list(dict.fromkeys(fits))

    def arguments_for(self, takes: str) -> list[str]:
        """Return values to write behind a keyword."""
        if takes == "msisdn_code":
            return [f"{number} {code}" for number in self.others for code in (LAST_CODE, "000000")]
        return list(self._values_of_type(takes, is_secret=takes == "password")) if takes else [""]

    def _values_of_type(self, kind: str, *, is_secret: bool) -> Iterator[str]:
        if is_secret:
            yield from (*self.secrets, LAST_CODE, *WRONG_SECRETS)
        elif kind == "month":
            yield from MONTHS
        elif kind == "text":
            yield from (*self.references, *OTHER_VALUES[kind])
        elif kind == "msisdn":
            yield from (f"00{number[1:]}" for number in (*self.others, self.msisdn) if number)
        else:
            yield from OTHER_VALUES.get(kind, ())

    @staticmethod
    def _fits(accept: AcceptForm, value: str) -> bool:
        wrong_type = accept.type == "digits" and not value.isdecimal()
        return not wrong_type and (accept.type == "month" or accept.least <= len(value) <= accept.most)


@dataclass
class OutcomeMemory:
    """What each value led to at a screen, so that a walk tries new ones first and then those that fit."""

    outcomes: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set), repr=False)
    """Outcomes of the step behind a screen, by caller, screen and value."""

    def record(self, caller: str, screen: str, value: str, outcome: str) -> None:
        """Record an outcome."""
        self.outcomes[caller, screen, value].add(outcome)

    def choose(self, caller: str, screen: str, values: Sequence[str], wanted: str) -> str:
        """Return a value that led to the wanted outcome, else a new one, else one that proved nothing."""
        return min(values, key=lambda value: self._rank(self.outcomes[caller, screen, value], wanted))

    @staticmethod
    def _rank(seen: set[str], wanted: str) -> int:
        if wanted in seen:
            return 0
        return 1 if not seen else 3 if "ok" in seen else 2
