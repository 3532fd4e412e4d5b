"""Session: the state of one subscriber's conversation, and its JSON form in the session store."""

from dataclasses import dataclass, field
from operator import attrgetter

from pydantic_core import from_json, to_json

from menus.model.facts import Fact, Rows, decode_fact, encode_fact


@dataclass(slots=True)
class Session:
    """Session state, the one mutable value of a turn; no secrets, nothing that cannot be rebuilt."""

    operator: str
    channel: str
    caller: str = field(repr=False)
    """The caller's MSISDN (E.164), or empty when the network withheld it."""
    revision: str
    """The pack revision that the session runs on until it ends."""
    state: str
    """Name of the current node."""
    language: str
    line_kind: str = ""
    """Kind of the subject's line (mobile, fixed...), empty until known; it decides which proof is asked."""
    proofs: tuple[str, ...] = ()
    """Proofs given for the subject so far: `line`, `code`, `password`..."""
    resume_node: str = ""
    """The node to resume once the proof being asked is given."""
    trail: tuple[str, ...] = ()
    """The screens that `back` leads to, nearest last; never one that asked for a secret."""
    page: int = 0
    """Page of the current screen, from 0."""
    notes: tuple[tuple[int, str], ...] = ()
    """Notes shown before pages of this screen, up to the current one: (page, words)."""
    misses: int = 0
    """Wrong answers in a row."""
    silences: int = 0
    """Voice time-outs without input in a row."""
    turn: int = 0
    """Number of turns so far."""
    watermark: str = ""
    """Watermark (keyed hash) of the accumulated text at the last hop of Africa's Talking; the text itself
    may hold secrets."""
    subject: str = field(default="", repr=False)
    """The number the session is about (E.164), when that is not the caller's own."""
    dial: int = 0
    """Tells the session's effects from those of an earlier session with the same id; 0 for the first."""
    owner_hash: str = ""
    """Keyed hash of that number's owner when the session began, empty until known (recycled numbers)."""
    page_size: str = ""
    """Page size of the connection, `128/56`; empty where it is the channel's own."""
    facts: dict[str, Fact | Rows] = field(default_factory=dict, repr=False)

    @property
    def msisdn(self) -> str:
        """The number of the line the session is about: the subject's, else the caller's own."""
        return self.subject or self.caller

    def restore(self, earlier: "Session") -> None:
        """Become what the session was before."""
        for name in Session.__slots__:
            setattr(self, name, getattr(earlier, name))

    def dump(self) -> bytes:
        """Encode as compact JSON: the field values in order, without their names."""
        facts = {name: encode_fact(fact) for name, fact in self.facts.items()} if self.facts else {}
        return to_json((*_field_values(self), facts))


_FIELD_NAMES = tuple(name for name in Session.__slots__ if name != "facts")
_field_values = attrgetter(*_FIELD_NAMES)
_PROOFS_INDEX, _TRAIL_INDEX, _NOTES_INDEX = (
    _FIELD_NAMES.index("proofs"),
    _FIELD_NAMES.index("trail"),
    _FIELD_NAMES.index("notes"),
)
_INT_FIELDS = ("page", "misses", "silences", "turn", "dial")
_JSON_TYPES = {"proofs": list, "trail": list, "notes": list, "facts": dict, **dict.fromkeys(_INT_FIELDS, int)}
_ROW_TYPES = tuple(_JSON_TYPES.get(name, str) for name in Session.__slots__)
"""JSON types of the values `dump` writes, checked on load: the content of the store is not trusted."""


def load_session(data: bytes) -> Session:
    """Decode a session written by `Session.dump`; ValueError when the bytes are not one."""
    try:
        row = from_json(data, cache_strings="keys")
        if tuple(map(type, row)) != _ROW_TYPES:
            raise ValueError("stored session has fields of other types or another number of them")
        row[_PROOFS_INDEX], row[_TRAIL_INDEX] = (
            _checked_names(row[_PROOFS_INDEX]),
            _checked_names(row[_TRAIL_INDEX]),
        )
        notes, facts = row[_NOTES_INDEX], row[-1]
        row[_NOTES_INDEX] = tuple((int(page), str(words)) for page, words in notes) if notes else ()
        row[-1] = {name: decode_fact(form) for name, form in facts.items()} if facts else {}
        return Session(*row)
    except (TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError("stored session is malformed") from error


def _checked_names(words: list[str]) -> tuple[str, ...]:
    """Return the names as a tuple; TypeError when one is not a string."""
    "".join(words)  # the fastest check that all are strings
    return tuple(words)
