"""Page of one person: a posted number leads to a sealed address, and that to the story of the line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.past_conversations import PastConversations
from gateway.console.story_findings import find_reasons
from gateway.console.story_view import build_table, finding_text, story_tables
from gateway.console.subject_requests import FoundSubject, find_subject
from gateway.pages.languages import text_direction
from menus.text.masking import mask_recipient
from storage.console.staff_actions import RESENT_STATES
from storage.console.subscriber_story import SqlStories, SubscriberStory
from storage.privacy.data_map import DataSubject

PEOPLE_PATH = "/console/people"
LIFT_REASONS = ("asked_by_phone", "asked_in_shop", "sent_by_mistake")
"""Why STOP is lifted; a choice and no free text, which might name people."""
LOOKUPS_PER_MINUTE = 60
"""Numbers and stories one user may look up; more is copying, not helping."""


@dataclass(frozen=True, slots=True)
class PeoplePages:
    """The look-up and the story."""

    stories: SqlStories
    past_conversations: PastConversations = field(repr=False)

    async def show_lookup(self, request: ConsoleRequest, fault: str = "", status: int = 200) -> web.Response:
        """Show the form for a number."""
        operators = sorted(request.operators)
        return responses.staff_page(request, "people.html", {"operators": operators, "fault": fault}, status)

    async def submit_lookup(self, request: ConsoleRequest) -> web.Response:
        """Lead from a number to its page; the number stands in no address and no log."""
        operator, typed = request.fields.get("operator", ""), request.fields.get("number", "")
        if operator not in request.operators:
            return await self._refuse_operator(request, operator)
        number = request.site.container.menu_versions.current_menu(operator).parse_msisdn(typed)
        if number is None:
            return await self.show_lookup(request, "not_a_number", 422)
        if not await within_lookup_limit(request):
            return await self.show_lookup(request, "too_many_lookups", 429)
        return responses.redirect_to(seal_address(request, operator, number))

    async def show_story(self, request: ConsoleRequest, fault: str = "", typed: str = "") -> web.Response:
        """Show the story of the line the address names; 404 for an address of another session.

        `fault` names the text that says why an action did nothing, `typed` is what was typed for it.
        """
        subject = unseal_address(request)
        if subject is None:
            return await self.show_lookup(request, "address_gone", 404)
        if not await within_lookup_limit(request):
            return await self.show_lookup(request, "too_many_lookups", 429)
        found = await find_subject(request.site.container, subject.operator, subject.number)
        found = found or FoundSubject(subject, billing_answered=False)
        await request.site.container.write_behind.write_pending()
        entry = request.audit_entry(subject.operator, subject.number, "console.view", "story")
        story = await self.stories.read_story(found.subject, entry)
        values = {
            "note": fault or request.note,
            "typed": {request.fields.get("reference", ""): typed},
            **_story_values(request, found, story),
            **_action_values(request, story),
            "conversations": await self.past_conversations.show_all(subject.operator, story.conversations),
        }
        return responses.staff_page(request, "story.html", values, 422 if fault else 200)

    async def _refuse_operator(self, request: ConsoleRequest, operator: str) -> web.Response:
        """Refuse an operator that is not the user's, and keep that it was asked for."""
        entry = request.audit_entry("", "", "console.refused", f"people {operator[:64]}", "refused")
        await request.site.staff_log.record_entry(entry)
        return await self.show_lookup(request, "not_your_operator", 403)


async def within_lookup_limit(request: ConsoleRequest) -> bool:
    """Count a look-up; return whether the user is within the limit."""
    counters = request.site.container.counters
    return await counters.count_event("console", request.user.name, 60) <= LOOKUPS_PER_MINUTE


def seal_address(request: ConsoleRequest, operator: str, number: str) -> str:
    """Return the address of a person's page: encrypted, and useless after the user has signed out."""
    label = request.site.sessions.session_label(request.token)
    return f"{PEOPLE_PATH}/{request.site.sealer.seal_words([operator, number], label)}"


def unseal_address(request: ConsoleRequest) -> DataSubject | None:
    """Return whom the address names; None when it is another session's, altered, or not the user's to see."""
    label = request.site.sessions.session_label(request.token)
    words = request.site.sealer.unseal_words(request.parts["person"], label)
    if words is None:
        return None
    operator, number = words
    return DataSubject(operator, number) if operator in request.operators else None


def _story_values(request: ConsoleRequest, found: FoundSubject, story: SubscriberStory) -> dict[str, Any]:
    subject, container = found.subject, request.site.container
    operator = subject.operator
    reasons = find_reasons(found, story, request.now)
    return {
        "number": mask_recipient(subject.number),
        "operator": operator,
        "log_name": container.pseudonyms.keyed_hash(operator, subject.number),
        "facts": _line_facts(request, found),
        "findings": [finding_text(request, operator, each) for each in reasons],
        "steps": build_table(request, operator, "audit", story.tables.get("audit", ())),
        "messages": story.messages,
        "tables": story_tables(request, operator, story),
        "local_time": lambda at: request.local_time(at, operator) if at else "-",
        "clock_time": lambda at: request.clock_time(at, operator),
        "direction_of": text_direction,
        "mask_recipient": mask_recipient,
    }


def _action_values(request: ConsoleRequest, story: SubscriberStory) -> dict[str, Any]:
    """Return what the page's forms need; the user of another role sees the story and no form."""
    may_act = request.user.has_role("support")
    tickets = story.tables.get("tickets", ()) if may_act else ()
    sendable = (each for each in story.messages if each.kind == "notice" and each.state in RESENT_STATES)
    return {
        "address": f"{PEOPLE_PATH}/{request.parts['person']}",
        "nonce": request.site.make_token(),
        "may_act": may_act,
        "opted_out": bool(story.tables.get("opt_outs")),
        "lift_reasons": LIFT_REASONS,
        "open_tickets": [row for row in tickets if row["state"] != "closed"],
        "resendable": {each.id for each in sendable if each.text},
    }


def _line_facts(request: ConsoleRequest, found: FoundSubject) -> Mapping[str, str]:
    """Return what billing says of the line, by the name of its text."""
    line = found.subscriber
    if line is None:
        return {}
    changed = request.local_time(line.sim_changed_at, line.operator) if line.sim_changed_at else "-"
    kind = request.word("word", line.kind)
    return {"line_kind": kind, "line_since": line.since.isoformat(), "line_sim_changed": changed}
