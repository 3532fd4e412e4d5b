"""A session: where one subscriber stands in one conversation."""

from dataclasses import dataclass, field
from operator import attrgetter

from pydantic_core import from_json, to_json

from menus.model.facts import Fact, Rows, recalled, stored


@dataclass(slots=True)
class Session:
    """The one mutable value of a turn; it holds no secret and nothing that cannot be rebuilt."""

    operator: str
    channel: str
    caller: str = field(repr=False)
    """E.164, or empty when the network withheld it."""
    revision: str
    """The pack revision this conversation runs on until it ends."""
    state: str
    language: str
    kind: str = ""
    """The kind of the subject's line (mobile, fixed...), empty until known: it decides which proof is asked."""
    proofs: tuple[str, ...] = ()
    """What the caller has shown for the subject so far: `line`, `code`, `password`..."""
    then: str = ""
    """The screen that waits behind the proof being asked."""
    trail: tuple[str, ...] = ()
    """The screens behind this one, nearest last; never one that asked for a secret."""
    page: int = 0
    notes: tuple[tuple[int, str], ...] = ()
    """What was said before pages of this screen, up to the one shown: on which, and its words."""
    misses: int = 0
    """Wrong answers in a row."""
    silences: int = 0
    """Times in a row the caller said nothing."""
    turn: int = 0
    heard: str = ""
    """The watermark of the accumulated text at the last hop (Africa's Talking); the text may hold secrets."""
    subject: str = field(default="", repr=False)
    """The number it is about (E.164), when that is not the caller's own."""
    owner: str = ""
    """Whose that number was when this began: a keyed hash, empty until known."""
    facts: dict[str, Fact | Rows] = field(default_factory=dict, repr=False)

    @property
    def number(self) -> str:
        """The number of the line it is about: the subject's, else the caller's own."""
        return self.subject or self.caller

    def dump(self) -> bytes:
        """Compact JSON: the fields in order, without their names."""
        facts = {name: stored(fact) for name, fact in self.facts.items()}
        return to_json((*_FIELDS(self), facts))


_PLAIN = tuple(name for name in Session.__slots__ if name != "facts")
_FIELDS = attrgetter(*_PLAIN)
_PROOFS, _TRAIL, _NOTES = _PLAIN.index("proofs"), _PLAIN.index("trail"), _PLAIN.index("notes")
_COUNTS = ("page", "misses", "silences", "turn")
_JSON = {"proofs": list, "trail": list, "notes": list, "facts": dict, **dict.fromkeys(_COUNTS, int)}
_SHAPE = tuple(_JSON.get(name, str) for name in Session.__slots__)
"""The types of what `dump` writes: whoever can write to the store may have put anything in their place."""


def load(data: bytes) -> Session:
    """The session `dump` wrote; ValueError when the bytes are not one."""
    try:
        row = from_json(data, cache_strings="keys")
        if tuple(map(type, row)) != _SHAPE:
            raise ValueError("these bytes hold something else than a session does")
        row[_PROOFS], row[_TRAIL] = _names(row[_PROOFS]), _names(row[_TRAIL])
        row[_NOTES] = tuple((int(page), str(words)) for page, words in row[_NOTES])
        row[-1] = {name: recalled(form) for name, form in row[-1].items()}
        return Session(*row)
    except (TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError("these bytes are not a session") from error


def _names(words: list[str]) -> tuple[str, ...]:
    """As they are; TypeError when one is no string."""
    "".join(words)
    return tuple(words)
