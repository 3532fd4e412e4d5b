"""Facts: typed values for the slots of text templates, with their JSON form in a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency of the pack; never a float."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    """A billing month."""

    year: int
    month: int

    @classmethod
    def from_date(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(day.year, day.month)


@dataclass(frozen=True, slots=True)
class Text:
    """Words shown as they are (never the value of a secret input)."""

    value: str


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number; the texts around it follow the language's plural rules."""

    value: int


@dataclass(frozen=True, slots=True)
class TextRef:
    """A reference to a catalogue text by name, so that a stored fact follows a change of language."""

    name: str

    @property
    def last_part(self) -> str:
        """The last component of the name: `part` of `state.part`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A phone number in E.164; screens show it masked."""

    value: str


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail address; screens show it masked."""

    value: str


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A one-time code for a message; it cannot be encoded, so no session can keep it."""

    value: str

    def __repr__(self) -> str:
        return "Code(***)"


Fact = Money | date | Month | Text | Count | TextRef | PhoneNumber | Email | OneTimeCode


@dataclass(frozen=True, slots=True)
class Rows:
    """A table a subscriber may pick a row from: column names and one tuple of facts per row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Fact, ...], ...]

    def row(self, index: int) -> dict[str, "Fact | Rows"]:
        """Return the facts of one row by column name; `index` counts from 0."""
        return dict(zip(self.columns, self.rows[index], strict=True))


Facts = Mapping[str, Fact | Rows]
"""Facts by slot name."""

# Stored form of a fact: a type letter and its value. `_READ` reverses it.
_ENCODERS = {
    Money: lambda fact: f"m{fact.amount}",
    date: lambda fact: f"d{fact.isoformat()}",
    Month: lambda fact: f"y{fact.year}-{fact.month}",
    Text: lambda fact: f"t{fact.value}",
    Count: lambda fact: f"i{fact.value}",
    TextRef: lambda fact: f"w{fact.name}",
    PhoneNumber: lambda fact: f"n{fact.value}",
    Email: lambda fact: f"e{fact.value}",
}

MAX_AMOUNT_DIGITS = 30
"""Largest decimal exponent of a stored amount: written out, 1E+999999999 would exhaust the memory."""


def _decode_money(body: str) -> Money:
    try:
        amount = Decimal(body)
    except InvalidOperation as error:
        raise ValueError("stored amount is not a number") from error
    if not amount.is_finite() or abs(amount.adjusted()) > MAX_AMOUNT_DIGITS:
        raise ValueError(f"stored amount is not finite or has an exponent above {MAX_AMOUNT_DIGITS}")
    return Money(amount)


def _decode_month(year: int, month: int) -> Month:
    """Build a month; ValueError when there is no such month."""
    return Month.from_date(date(year, month, 1))


_DECODERS: Mapping[str, Callable[[str], Fact]] = {
    "m": _decode_money,
    "d": date.fromisoformat,
    "y": lambda body: _decode_month(*map(int, body.split("-"))),
    "t": Text,
    "i": lambda body: Count(int(body)),
    "w": TextRef,
    "n": PhoneNumber,
    "e": Email,
}

StoredFact = str | list[str | list[str]]
"""JSON form of a fact: a string; of rows a list, the column names first."""


def encode_fact(fact: Fact | Rows) -> StoredFact:
    """Encode a fact for JSON; KeyError for a `OneTimeCode`, which must not be stored."""
    if isinstance(fact, Rows):
        rows: list[str | list[str]] = [[_ENCODERS[type(cell)](cell) for cell in row] for row in fact.rows]
        return [" ".join(fact.columns), *rows]
    return str(_ENCODERS[type(fact)](fact))


def _decode_cell(text: str) -> Fact:
    return _DECODERS[text[0]](text[1:])


def decode_fact(form: StoredFact) -> Fact | Rows:
    """Decode a stored fact; ValueError, TypeError, KeyError or IndexError when it is malformed."""
    if isinstance(form, str):
        return _decode_cell(form)
    columns, *rows = form
    if not isinstance(columns, str):
        raise ValueError("stored rows must begin with the column names")
    names = tuple(columns.split())
    if any(len(row) != len(names) for row in rows):
        raise ValueError("a stored row must have one cell per column")
    return Rows(names, tuple(tuple(map(_decode_cell, row)) for row in rows))
