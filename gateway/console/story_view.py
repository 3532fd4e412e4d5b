"""A story as tables of text: times local, numbers and addresses masked, names translated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.console.console_request import ConsoleRequest
from gateway.console.story_findings import StoryFinding
from gateway.pages.languages import text_direction
from menus.text.masking import mask_email, mask_recipient
from storage.console.subscriber_story import SubscriberStory
from storage.credentials.send_budgets import parse_sends

NUMBER_COLUMNS = frozenset({"by", "line", "number", "notify_number", "account", "subscription"})
WORD_COLUMNS = frozenset({"state", "email_state", "kind", "purpose", "channel", "outcome", "route"})
SECTIONS = (
    *("tickets", "consents", "preferences", "registrations", "registrations from it", "opt_outs"),
    *("payment_intents", "purchase_charges", "spend_policies", "purchase_alerts", "codes", "code_sends"),
    *("code_tries", "passwords", "password_tries", "links", "bindings"),
)
"""Tables of a story in the order of the page, after the steps and the messages."""


@dataclass(frozen=True, slots=True)
class StoryTable:
    """A table of a page: headings and cells, all text."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]] = field(repr=False)


def story_tables(request: ConsoleRequest, operator: str, story: SubscriberStory) -> list[StoryTable]:
    """Return the tables that have rows; a table the order does not name comes last."""
    rest = [name for name in story.tables if name not in SECTIONS and name not in ("audit", "conversations")]
    names = [name for name in (*SECTIONS, *rest) if story.tables.get(name)]
    return [build_table(request, operator, name, story.tables[name]) for name in names]


def build_table(
    request: ConsoleRequest, operator: str, name: str, rows: Sequence[Mapping[str, Any]]
) -> StoryTable:
    """Return rows as a table of text."""
    columns = [*rows[0]] if rows else []
    cells = [[format_cell(request, operator, column, row[column]) for column in columns] for row in rows]
    return StoryTable(name, columns, cells)


def format_cell(request: ConsoleRequest, operator: str, column: str, value: Any) -> str:
    """Return a value as text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return request.local_time(value, operator)
    if isinstance(value, bool):
        return request.text("yes" if value else "no")
    if column == "times":
        sends = parse_sends(str(value), request.now)
        return ", ".join(request.local_time(each.at, operator) for each in sends)
    text = str(value)
    if column in NUMBER_COLUMNS:
        return mask_recipient(text)
    if column == "email":
        return mask_email(text)
    return request.word("word", text) if column in WORD_COLUMNS else text


def finding_text(request: ConsoleRequest, operator: str, finding: StoryFinding) -> str:
    """Return a finding as a sentence."""
    values = {
        name: _isolate(request, request.local_time(value, operator)) if isinstance(value, datetime) else value
        for name, value in finding.values.items()
    }
    if "state" in values:
        values["state"] = request.word("word", str(values["state"]))
    return request.text(finding.text, **values)


def _isolate(request: ConsoleRequest, text: str) -> str:
    """Return a time between isolates, so that date and hour keep their order in a right-to-left sentence."""
    return f"\u2066{text}\u2069" if text_direction(request.language) == "rtl" else text
