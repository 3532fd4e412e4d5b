"""Menu trials (A/B): a share of new conversations on an approved revision that is not published."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flows.domain.pack_revisions import RevisionError

MIN_SHARE_PERCENT, MAX_SHARE_PERCENT = 1, 50
NO_PUBLICATION = 0
"""Stands for the id of a publication where the pack of the folder was never replaced."""

TrialSide = Literal["trial", "published"]
"""Which menus a caller's new conversations are on while a trial runs."""
TrialState = Literal["begun", "running", "ended"]
"""Waits for a second person; takes its share of conversations; takes none any more."""


class OwnTrialError(RevisionError):
    """Who began a trial may not approve it; another person must."""


class TrialStateError(RevisionError):
    """The operator has another trial, or this one was decided or ended already."""


@dataclass(frozen=True, slots=True)
class PackTrial:
    """A trial of a revision against what is published; it ends with the next publication at the latest."""

    id: int
    operator: str
    number: int
    """The revision tried."""
    share_percent: int
    """Share of the callers whose new conversations are on it, 1 to 50 %."""
    beginner: str
    """Who began it: another person approves it."""
    publication_id: int
    """Id of the publication it is tried against; `NO_PUBLICATION` for the pack of the folder."""
    created_at: datetime
    approver: str = ""
    approved_at: datetime | None = None
    ended_by: str = ""
    ended_at: datetime | None = None

    def state_beside(self, publication_id: int) -> TrialState:
        """Return its state while the publication of this id is served."""
        if self.ended_at or publication_id != self.publication_id:
            return "ended"
        return "running" if self.approved_at else "begun"


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """What happened on one side of a trial; numbers of conversations, and nothing of who had them."""

    conversations: int
    """Conversations begun."""
    outcomes: Mapping[str, int]
    """Conversations that ended on each final screen, by its name."""


def choose_side(trial_id: int, share_percent: int, caller_hash: str) -> TrialSide:
    """Return a caller's side of a trial: always the same one in every process.

    `caller_hash` is the keyed hash of the caller's number; a withheld number, empty, has no side of its own and
    gets what is published.
    """
    if not caller_hash:
        return "published"
    digest = hashlib.sha256(f"{trial_id} {caller_hash}".encode()).digest()
    return "trial" if int.from_bytes(digest[:8]) % 100 < share_percent else "published"
