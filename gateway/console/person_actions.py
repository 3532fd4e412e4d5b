"""Actions on a person: answer a ticket, lift STOP, send a notice again, export, ask for erasure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from flows.services.tickets import AnswerTooLongError, build_answer, build_closure
from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from gateway.console.people import LIFT_REASONS, PEOPLE_PATH, PeoplePages, unseal_address
from gateway.console.subject_requests import export_as_json, find_subject
from gateway.console.ticket_answers import find_refusal
from storage.console.erasure_requests import SqlErasureRequests
from storage.console.staff_actions import ActionOutcome, SqlStaffActions

REPEATED_NOTES: Mapping[ActionOutcome, str] = {"repeated": "note_repeated", "nothing": "fault_nothing"}
"""What the page says of an action that did nothing now."""


@dataclass(frozen=True, slots=True)
class PersonActions:
    """The actions; each answers with the person's page, by a redirect, so that a reload repeats nothing."""

    pages: PeoplePages
    actions: SqlStaffActions
    erasures: SqlErasureRequests

    async def answer_ticket(self, request: ConsoleRequest) -> web.Response:
        """Text an answer to the phone that asked, or close the ticket; the same words are sent once."""
        subject = unseal_address(request)
        if subject is None:
            return await self.pages.show_story(request)
        container, reference = request.site.container, request.fields.get("reference", "")
        ticket = await container.tickets.find_ticket(subject.operator, reference)
        if ticket is None:
            return _lead_back(request, "fault_nothing")
        menu, text = (
            container.menu_versions.current_menu(subject.operator),
            request.fields.get("answer", "").strip(),
        )
        is_closing = request.fields.get("close", "") == "yes"
        refusal = "" if is_closing else await find_refusal(container, subject.operator, ticket, text)
        if refusal:
            return await self.pages.show_story(request, fault=f"answer_{refusal}", typed=text)
        try:
            change = (
                build_closure(menu, ticket, request.now)
                if is_closing
                else build_answer(menu, ticket, text, request.now)
            )
        except AnswerTooLongError:
            return await self.pages.show_story(request, fault="answer_too_long", typed=text)
        action = "console.ticket_closed" if is_closing else "console.ticket_answered"
        entry = request.audit_entry(subject.operator, subject.number, action, ticket.reference)
        change = replace(change, audit_entries=(*change.audit_entries, entry))
        await container.operators[subject.operator].ledger.commit(change)
        return _lead_back(request, "note_ticket")

    async def lift_opt_out(self, request: ConsoleRequest) -> web.Response:
        """Delete the number's STOP, for one of the reasons."""
        subject, reason = unseal_address(request), request.fields.get("reason", "")
        if subject is None:
            return await self.pages.show_story(request)
        if reason not in LIFT_REASONS:
            return _lead_back(request, "fault_no_reason")
        entry = request.audit_entry(subject.operator, subject.number, "console.opt_out_lifted", reason)
        outcome = await self.actions.lift_opt_out(subject, request.form_key("lift"), entry)
        return _lead_back(request, REPEATED_NOTES.get(outcome, "note_lifted"))

    async def resend_notice(self, request: ConsoleRequest) -> web.Response:
        """Send one of the person's notices once more."""
        subject, row = unseal_address(request), parse_row_id(request.fields.get("row", ""))
        if subject is None:
            return await self.pages.show_story(request)
        if row is None:
            return _lead_back(request, "fault_nothing")
        found = await find_subject(request.site.container, subject.operator, subject.number)
        owner = found.subject if found else subject
        entry = request.audit_entry(subject.operator, subject.number, "console.notice_resent", f"row {row}")
        outcome = await self.actions.resend_notice(owner, row, request.form_key(f"resend/{row}"), entry)
        return _lead_back(request, REPEATED_NOTES.get(outcome, "note_resent"))

    async def export_person(self, request: ConsoleRequest) -> web.Response:
        """Return all that is stored about the line, as JSON."""
        subject = unseal_address(request)
        if subject is None:
            return await self.pages.show_story(request)
        found = await find_subject(request.site.container, subject.operator, subject.number)
        entry = request.audit_entry(subject.operator, subject.number, "console.export")
        await request.site.staff_log.record_entry(entry)
        await request.site.container.write_behind.write_pending()
        exported = await request.site.container.privacy.export(found.subject if found else subject)
        return responses.download_file(export_as_json(exported).encode(), "export.json", "application/json")

    async def request_erasure(self, request: ConsoleRequest) -> web.Response:
        """Ask for the line's erasure, which a second person decides."""
        subject = unseal_address(request)
        if subject is None:
            return await self.pages.show_story(request)
        if request.fields.get("confirmed", "") != "yes":
            return _lead_back(request, "fault_not_confirmed")
        entry = request.audit_entry(subject.operator, subject.number, "console.erasure_requested")
        is_new = await self.erasures.add_request(subject.operator, subject.number, request.user.name, entry)
        return _lead_back(request, "note_erasure" if is_new else "note_repeated")


def _lead_back(request: ConsoleRequest, note: str) -> web.Response:
    """Lead to the person's page, which says what was done."""
    return responses.redirect_to(f"{PEOPLE_PATH}/{request.parts['person']}?note={note}")
