"""Page of the user's draft: findings, what it changes, proposing it to another person, discarding it."""

from aiohttp import web

from flows.domain.pack_revisions import (
    DraftChangedError,
    FindingsPresentError,
    RevisionError,
    StoredDraft,
)
from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.studio.draft_saving import read_words
from gateway.console.studio.pack_view import PackView, editor_of
from gateway.console.studio.studio_page import StudioPage, operator_path, revision_name, revision_path
from gateway.studio.revision_comparison import compare_revisions


class DraftPage(StudioPage):
    """Shows the draft; proposes or discards it."""

    async def show_draft(self, request: ConsoleRequest) -> web.Response:
        """Show what the user's draft changes."""
        return await self.with_view(request, self._show_view)

    async def decide(self, request: ConsoleRequest) -> web.Response:
        """Propose or discard the draft; never one saved after the page was opened."""
        return await self.with_view(request, self._decide)

    async def _show_view(self, request: ConsoleRequest, view: PackView) -> web.Response:
        served = await self.reader.desk.read_files(view.operator, view.served)
        base = view.own_draft.base if view.own_draft else view.served
        values = {
            "view": view,
            "note": request.note,
            "message": request.fields.get("message", ""),
            "differences": compare_revisions(served, view.files),
            "served_name": revision_name(request, view.served),
            "base_name": revision_name(request, base),
            "is_stale": base != view.served,
            "address": _draft_path(view.operator),
            "operator_path": operator_path,
        }
        return responses.staff_page(request, "studio/draft.html", values)

    async def _decide(self, request: ConsoleRequest, view: PackView) -> web.Response:
        draft = view.own_draft
        if draft is None or request.fields.get("version", "") != view.version:
            return _lead_back(view.operator, "fault_conflict")
        try:
            if request.fields.get("verb", "") == "discard":
                return await self._discard(request, draft)
            return await self._propose(request, draft)
        except DraftChangedError:
            return _lead_back(view.operator, "fault_conflict")
        except FindingsPresentError:
            return _lead_back(view.operator, "fault_findings")
        except RevisionError:
            return _lead_back(view.operator, "fault_no_message")

    async def _discard(self, request: ConsoleRequest, draft: StoredDraft) -> web.Response:
        if request.fields.get("confirmed", "") != "yes":
            return _lead_back(draft.operator, "fault_discard")
        await self.reader.desk.drafts.discard_draft(draft, editor_of(request), request.now)
        return self.lead_to_map(draft.operator, "note_discarded")

    async def _propose(self, request: ConsoleRequest, draft: StoredDraft) -> web.Response:
        desk, message = self.reader.desk, read_words(request, "message")
        served = await desk.read_files(draft.operator, await desk.served_number(draft.operator))
        if served.digest == draft.files.digest:
            return _lead_back(draft.operator, "fault_no_changes")
        revision = await desk.propose(draft, editor_of(request), message)
        return responses.redirect_to(f"{revision_path(draft.operator, revision.number)}?note=note_proposed")


def _draft_path(operator: str) -> str:
    return f"{operator_path(operator)}/draft"


def _lead_back(operator: str, note: str) -> web.Response:
    return responses.redirect_to(f"{_draft_path(operator)}?note={note}")
