"""Send budgets of one-time codes: how many codes may be asked for a number, apart for each purpose."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

SendLimits = Sequence[tuple[int, timedelta, Literal["soon", "many"]]]
"""Rows of (most sends, within this time, outcome of the next send)."""
HALF_MINUTE, HOUR, DAY = timedelta(seconds=30), timedelta(hours=1), timedelta(days=1)

PURPOSE_LIMITS: SendLimits = ((1, HALF_MINUTE, "soon"), (3, HOUR, "many"), (6, DAY, "many"))
"""Limits of one purpose."""
OWN_LIMITS: Mapping[str, SendLimits] = {
    "file": ((1, HALF_MINUTE, "soon"), (10, HOUR, "many"), (30, DAY, "many")),
    "notice-mail": ((5, HOUR, "many"), (10, DAY, "many")),
    "mailbox": ((5, HOUR, "many"), (10, DAY, "many")),
}
"""Limits of purposes of their own: each document that is opened takes a code; confirmation mails that one phone
asks for, and that one address gets whoever asks (`flows.services.mail_budget`)."""
TOTAL_LIMITS: SendLimits = ((6, HOUR, "many"), (12, DAY, "many"))
"""Limits over all purposes but those of `OWN_LIMITS`, so that no phone is flooded by asking for each."""
MAX_KEPT = max(count for limits in (PURPOSE_LIMITS, TOTAL_LIMITS, *OWN_LIMITS.values()) for count, *_ in limits)
"""Sends kept of each purpose and kind of requester."""
OTHERS_MARK = "~"
"""Mark behind the stored time of a send that somebody else than the line's own handset asked for."""
PURPOSE_MARK = "|"
"""Begins the purpose behind a stored time; a send without it was stored before and counts for each."""


@dataclass(frozen=True, slots=True)
class CodeSend:
    """One code that was asked for."""

    at: datetime
    by_others: bool = False
    """Whether somebody else than the line's own handset asked."""
    purpose: str = ""
    """Empty counts for every purpose."""

    def encode(self) -> str:
        """Return the send as it is stored."""
        return f"{self.at.isoformat()}{OTHERS_MARK * self.by_others}{PURPOSE_MARK}{self.purpose}"


def refusal_reason(
    sends: Sequence[CodeSend], purpose: str, now: datetime, *, by_others: bool
) -> Literal["", "soon", "many"]:
    """Return why the next send is refused, given those before, newest first; empty if it is allowed."""
    for limits, times in _budgets(sends, purpose, by_others=by_others):
        for count, within, outcome in limits:
            if len(times) >= count and now - times[count - 1] < within:
                return outcome
    return ""


def next_send_at(sends: Sequence[CodeSend], purpose: str, now: datetime, *, by_others: bool) -> datetime:
    """Return when the next send is allowed, given those before, newest first: `now` or later."""
    reached = [
        times[count - 1] + within
        for limits, times in _budgets(sends, purpose, by_others=by_others)
        for count, within, _ in limits
        if len(times) >= count
    ]
    return max([now, *reached])


def parse_sends(stored: str, now: datetime) -> list[CodeSend]:
    """Parse the stored sends, newest first.

    An unreadable value counts as the maximum of sends just now (fail closed): no code is sent until the
    row is purged, a day after its last send.
    """
    try:
        return [_parse_send(text) for text in json.loads(stored)]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return [CodeSend(now, by_others) for by_others in (False, True) for _ in range(MAX_KEPT)]


def encode_sends(sends: Sequence[CodeSend]) -> str:
    """Return the sends as they are stored, newest first, no more than the limits look at."""
    kinds = {(each.by_others, each.purpose) for each in sends}
    kept = [each for kind in kinds for each in _of_kind(sends, kind)[:MAX_KEPT]]
    return json.dumps([each.encode() for each in sorted(kept, key=lambda each: each.at, reverse=True)])


def _of_kind(sends: Sequence[CodeSend], kind: tuple[bool, str]) -> list[CodeSend]:
    return [each for each in sends if (each.by_others, each.purpose) == kind]


def _budgets(
    sends: Sequence[CodeSend], purpose: str, *, by_others: bool
) -> list[tuple[SendLimits, list[datetime]]]:
    """Return each budget a send takes from, with the times of the sends that took from it before."""
    same = [each for each in sends if each.by_others == by_others]
    own = [each.at for each in same if each.purpose in ("", purpose)]
    if purpose in OWN_LIMITS:
        return [(OWN_LIMITS[purpose], own)]
    total = [each.at for each in same if each.purpose not in OWN_LIMITS]
    return [(PURPOSE_LIMITS, own), (TOTAL_LIMITS, total)]


def _parse_send(text: str) -> CodeSend:
    stamp, _, purpose = text.partition(PURPOSE_MARK)
    at = datetime.fromisoformat(stamp.removesuffix(OTHERS_MARK)).astimezone(UTC)
    return CodeSend(at, stamp.endswith(OTHERS_MARK), purpose)
