"""Facts: the typed values that fill the slots of a text, small enough to live in a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the pack's currency; never a float."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    """A billing month."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        """The month a day lies in."""
        return cls(day.year, day.month)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that go out as they are (never what a subscriber typed into a secret input)."""

    value: str


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number, spelled by the language's plural rules."""

    value: int


@dataclass(frozen=True, slots=True)
class Word:
    """The name of a catalogue text, so that a stored fact follows a change of language."""

    name: str

    @property
    def last(self) -> str:
        """What tells it from its like: `part` of `state.part`."""
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
    """A one-time code on its way into a message; it has no stored form, so no session can keep it."""

    value: str

    def __repr__(self) -> str:
        return "Code(***)"


Fact = Money | date | Month | Text | Count | Word | Number | Email | Code


@dataclass(frozen=True, slots=True)
class Rows:
    """A list a subscriber may pick from: the columns' names, then one tuple of facts a row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Fact, ...], ...]

    def row(self, index: int) -> dict[str, "Fact | Rows"]:
        """The facts of one row by column name; `index` counts from 0."""
        return dict(zip(self.columns, self.rows[index], strict=True))


Facts = Mapping[str, Fact | Rows]

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
"""An amount has fewer digits before its point and after it: written out, 1E+999999999 would fill the memory."""


def _money(body: str) -> Money:
    try:
        amount = Decimal(body)
    except InvalidOperation as error:
        raise ValueError("this is no amount") from error
    if not amount.is_finite() or abs(amount.adjusted()) > MOST_PLACES:
        raise ValueError("an amount is finite, and not as long as that")
    return Money(amount)


def _month(year: int, month: int) -> Month:
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


def stored(fact: Fact | Rows) -> Stored:
    """The JSON form of a fact; a Code has none and raises KeyError."""
    if isinstance(fact, Rows):
        rows: list[str | list[str]] = [[_WRITE[type(cell)](cell) for cell in row] for row in fact.rows]
        return [" ".join(fact.columns), *rows]
    return str(_WRITE[type(fact)](fact))


def _cell(text: str) -> Fact:
    return _READ[text[0]](text[1:])


def recalled(form: Stored) -> Fact | Rows:
    """The fact a stored form stands for; ValueError, TypeError, KeyError or IndexError when it is of none."""
    if isinstance(form, str):
        return _cell(form)
    columns, *rows = form
    if not isinstance(columns, str):
        raise ValueError("a list of rows opens with its columns")
    names = tuple(columns.split())
    if any(len(row) != len(names) for row in rows):
        raise ValueError("a row has a cell for each column")
    return Rows(names, tuple(tuple(map(_cell, row)) for row in rows))
