"""Page of the operators whose menus the user may edit: what is published, drafts, revisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from flows.domain.pack_revisions import FOLDER_NUMBER, PackRevision, RevisionStateError, StoredDraft
from gateway.console import console_responses as responses
from gateway.console.console_request import MENUS_PATH, ConsoleRequest, parse_row_id
from gateway.console.studio.pack_view import editor_of
from gateway.console.studio.studio_page import operator_path, refuse_operator, revision_name
from gateway.studio.revision_desk import RevisionDesk

LISTED_REVISIONS = 20


@dataclass(frozen=True, slots=True)
class PlannedPublication:
    """A publication that has not taken effect: what, and when, as text."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class OperatorState:
    """An operator's drafts and revisions, as text."""

    operator: str
    served: str
    planned: Sequence[PlannedPublication]
    """What will be published, the last first."""
    drafts: Sequence[str]
    revisions: Sequence[PackRevision]
    """The newest, the newest first."""
    may_return: bool
    """Whether a revision is served, so that the installed pack can be gone back to."""


@dataclass(frozen=True, slots=True)
class OperatorList:
    """The page."""

    desk: RevisionDesk

    async def show_operators(self, request: ConsoleRequest) -> web.Response:
        """Show the user's operators."""
        values = {
            "note": request.note,
            "operators": [await self._read_state(request, each) for each in sorted(request.operators)],
            "operator_path": operator_path,
            "local_time": request.local_time,
        }
        return responses.staff_page(request, "studio/list.html", values)

    async def cancel_planned(self, request: ConsoleRequest) -> web.Response:
        """Take back a planned publication; one that took effect, or was taken back already, stays as it is."""
        operator, row = request.parts["operator"], parse_row_id(request.fields.get("publication", ""))
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        publications, note = self.desk.revisions.publications, "note_plan_cancelled"
        try:
            await publications.cancel_scheduled(operator, row or 0, editor_of(request), request.now)
        except RevisionStateError:
            note = "fault_revision_state"
        return responses.redirect_to(f"{MENUS_PATH}?note={note}")

    async def _read_state(self, request: ConsoleRequest, operator: str) -> OperatorState:
        served = await self.desk.served_number(operator)
        publications = await self.desk.revisions.publications.list_publications(operator)
        drafts = await self.desk.drafts.list_drafts(operator)
        revisions = await self.desk.revisions.list_revisions(operator, request.now)
        planned = [
            PlannedPublication(
                each.id,
                request.text(
                    "menus_scheduled",
                    revision=revision_name(request, each.number),
                    at=request.local_time(each.effective_at, operator),
                ),
            )
            for each in publications
            if each.effective_at > request.now
        ]
        return OperatorState(
            operator,
            revision_name(request, served),
            planned,
            [_draft_name(request, each) for each in drafts],
            revisions[:LISTED_REVISIONS],
            served != FOLDER_NUMBER,
        )


def _draft_name(request: ConsoleRequest, draft: StoredDraft) -> str:
    saved = request.local_time(draft.updated_at, draft.operator)
    if draft.author == request.user.name:
        return request.text("menus_own_draft", at=saved)
    return request.text("menus_other_draft", author=draft.author, at=saved)
