"""What every page of the studio does first: whose menus they are, and the pack the user sees of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from flows.domain.pack_revisions import FOLDER_NUMBER
from gateway.console import console_responses as responses
from gateway.console.console_request import MENUS_PATH, ConsoleRequest
from gateway.console.studio.pack_view import PackReader, PackView
from gateway.studio.revision_desk import RevisionDesk

ViewResponder = Callable[[ConsoleRequest, PackView], Awaitable[web.Response]]
"""Answers a request about the pack the user sees."""

Decision = Callable[[RevisionDesk, ConsoleRequest], Awaitable[str]]
"""Does what a button says; returns the name of the text that says what was done."""


@dataclass(frozen=True, slots=True)
class StudioPage:
    """A page about one operator's menus."""

    reader: PackReader

    async def with_view(self, request: ConsoleRequest, respond: ViewResponder) -> web.Response:
        """Answer with the pack of the operator the address names; 403, recorded, for one not the user's."""
        operator = request.parts["operator"]
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        return await respond(request, await self.reader.read_view(request, operator))

    async def apply_decision(self, request: ConsoleRequest, decisions: Mapping[str, Decision]) -> str:
        """Do what the button says; return the name of the text that says what was done."""
        decision = decisions.get(request.fields.get("verb", ""))
        return "fault_nothing" if decision is None else await decision(self.reader.desk, request)

    def lead_to_map(self, operator: str, note: str) -> web.Response:
        """Lead to the operator's screens, with a note."""
        return responses.redirect_to(f"{operator_path(operator)}?note={note}")


async def refuse_operator(request: ConsoleRequest, operator: str) -> web.Response:
    """Refuse an operator that is not the user's, and keep that it was asked for."""
    entry = request.audit_entry("", "", "console.refused", f"menus {operator[:64]}", "refused")
    await request.site.staff_log.record_entry(entry)
    text = request.text("not_your_operator")
    return responses.message_page(request.site, request.language, MENUS_PATH, text, 403)


def operator_path(operator: str) -> str:
    """Return the address of an operator's screens."""
    return f"{MENUS_PATH}/{operator}"


def screen_path(operator: str, screen: str, language: str) -> str:
    """Return the address of a screen in a language."""
    return f"{operator_path(operator)}/screens/{screen}/{language}"


def revision_path(operator: str, number: int) -> str:
    """Return the address of a revision."""
    return f"{operator_path(operator)}/revisions/{number}"


def revision_name(request: ConsoleRequest, number: int) -> str:
    """Return what a revision is called in the user's language."""
    if number == FOLDER_NUMBER:
        return request.text("menus_folder")
    return request.text("menus_revision", number=number)
