"""What stands out in a story: why a code, a notice or a sign-in did not work, for an agent to say."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flows.services.sim_swap import SIM_SWAP_WINDOW
from gateway.console.subject_requests import FoundSubject
from storage.console.subscriber_story import SubscriberStory
from storage.credentials.attempt_counter import MAX_WRONG_PER_DAY

RECENT = timedelta(days=7)
"""Older failures of messages are listed, not pointed out."""
UNDELIVERED_STATES = frozenset({"dead", "failed", "unknown", "expired", "again", "opted_out"})
MAX_FAILURES = 5
"""Messages pointed out; the list has them all."""


@dataclass(frozen=True, slots=True)
class StoryFinding:
    """A sentence: the name of its text and the values of its slots, instants among them."""

    text: str
    values: dict[str, Any] = field(default_factory=dict, repr=False)


def find_reasons(found: FoundSubject, story: SubscriberStory, now: datetime) -> list[StoryFinding]:
    """Return what stands out, the most likely reason of a call to the help desk first."""
    return [
        *_line_findings(found, now),
        *_code_findings(story),
        *_lock_findings(story, now),
        *_message_findings(story, now),
    ]


def _line_findings(found: FoundSubject, now: datetime) -> Iterator[StoryFinding]:
    if not found.billing_answered:
        yield StoryFinding("why_billing_down")
    elif found.subscriber is None:
        yield StoryFinding("why_no_subscriber")
    changed_at = found.subscriber.sim_changed_at if found.subscriber else None
    if changed_at is not None and now - changed_at < SIM_SWAP_WINDOW:
        yield StoryFinding("why_fresh_sim", {"at": changed_at, "until": changed_at + SIM_SWAP_WINDOW})


def _code_findings(story: SubscriberStory) -> Iterator[StoryFinding]:
    """Yield the newest withheld code of each reason."""
    seen = set[str]()
    for row in story.tables.get("audit", ()):
        if row["action"] == "code.withheld" and row["outcome"] not in seen:
            seen.add(row["outcome"])
            yield StoryFinding(f"why_withheld_{row['outcome']}", {"at": row["at"]})


def _lock_findings(story: SubscriberStory, now: datetime) -> Iterator[StoryFinding]:
    for table, text in (("password_tries", "why_password_locked"), ("code_tries", "why_code_locked")):
        for row in story.tables.get(table, ()):
            if row["wrong"] >= MAX_WRONG_PER_DAY and now - row["since"] < timedelta(days=1):
                yield StoryFinding(text, {"at": row["since"] + timedelta(days=1)})
                break


def _message_findings(story: SubscriberStory, now: datetime) -> Iterator[StoryFinding]:
    for row in story.tables.get("opt_outs", ()):
        yield StoryFinding("why_opted_out", {"at": row["at"]})
    recent = (each for each in story.messages if now - each.created_at < RECENT)
    stuck = [each for each in recent if each.state in UNDELIVERED_STATES]
    for each in stuck[:MAX_FAILURES]:
        values = {"row": each.id, "at": each.created_at, "state": each.state, "reason": each.reason or "-"}
        yield StoryFinding("why_message", values)
