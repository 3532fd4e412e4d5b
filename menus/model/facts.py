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
    def of(cls, day: date) -> "Month":
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
class Word:
    """A reference to a catalogue text by name, so that a stored fact follows a change of language."""

    name: str

    @property
    def last(self) -> str:
        """The last component of the name: `part` of `state.part`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number in E.164; screens show it masked."""

    value: str


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail address; screens show it masked."""

    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code for a message; it cannot be encoded, so no session can keep it."""

    value: str

    def __repr__(self) -> str:
        return "Code(***)"


Fact = Money | date | Month | Text | Count | Word | Number | Email | Code


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
_WRITE = {
    Money: lambda fact: f"m{fact.amount}",
    date: lambda fact: f"d{fact.isoformat()}",
    Month: lambda fact: f"y{fact.year}-{fact.month}",
    Text: lambda fact: f"t{fact.value}",
    Count: lambda fact: f"i{fact.value}",
    Word: lambda fact: f"w{fact.name}",
    Number: lambda fact: f"n{fact.value}",
    Email: lambda fact: f"e{fact.value}",
}

MOST_PLACES = 30
"""Largest decimal exponent of a stored amount: written out, 1E+999999999 would exhaust the memory."""


def _money(body: str) -> Money:
    try:
        amount = Decimal(body)
    except InvalidOperation as error:
        raise ValueError("stored amount is not a number") from error
    if not amount.is_finite() or abs(amount.adjusted()) > MOST_PLACES:
        raise ValueError(f"stored amount is not finite or has an exponent above {MOST_PLACES}")
    return Money(amount)


def _month(year: int, month: int) -> Month:
    """Build a month; ValueError when there is no such month."""
    return Month.of(date(year, month, 1))


_READ: Mapping[str, Callable[[str], Fact]] = {
    "m": _money,
    "d": date.fromisoformat,
    "y": lambda body: _month(*map(int, body.split("-"))),
    "t": Text,
    "i": lambda body: Count(int(body)),
    "w": Word,
    "n": Number,
    "e": Email,
}

Stored = str | list[str | list[str]]
"""JSON form of a fact: a string; of rows a list, the column names first."""


def stored(fact: Fact | Rows) -> Stored:
    """Encode a fact for JSON; KeyError for a `OneTimeCode`, which must not be stored."""
    if isinstance(fact, Rows):
        rows: list[str | list[str]] = [[_WRITE[type(cell)](cell) for cell in row] for row in fact.rows]
        return [" ".join(fact.columns), *rows]
    return str(_WRITE[type(fact)](fact))


def _cell(text: str) -> Fact:
    return _READ[text[0]](text[1:])


def recalled(form: Stored) -> Fact | Rows:
    """Decode a stored fact; ValueError, TypeError, KeyError or IndexError when it is malformed."""
    if isinstance(form, str):
        return _cell(form)
    columns, *rows = form
    if not isinstance(columns, str):
        raise ValueError("stored rows must begin with the column names")
    names = tuple(columns.split())
    if any(len(row) != len(names) for row in rows):
        raise ValueError("a stored row must have one cell per column")
    return Rows(names, tuple(tuple(map(_cell, row)) for row in rows))
