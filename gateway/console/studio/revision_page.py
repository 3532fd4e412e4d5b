"""Page of a revision: what it changes; another person approves it; published, planned, rolled back."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from flows.domain.pack_revisions import (
    FOLDER_NUMBER,
    FindingsPresentError,
    OwnRevisionError,
    PackRevision,
    RevisionError,
)
from gateway.console import console_responses as responses
from gateway.console.console_request import MENUS_PATH, ConsoleRequest, parse_row_id
from gateway.console.studio.pack_view import editor_of
from gateway.console.studio.studio_page import (
    Decision,
    StudioPage,
    operator_path,
    refuse_operator,
    revision_name,
    revision_path,
)
from gateway.studio.revision_comparison import compare_revisions
from gateway.studio.revision_desk import RevisionDesk


class RevisionPage(StudioPage):
    """The page and the decisions on it."""

    async def show_revision(self, request: ConsoleRequest) -> web.Response:
        """Show what a revision changes against what is published; a published one, against its base."""
        operator = request.parts["operator"]
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        revision = await self._find_revision(request)
        if revision is None:
            return self.lead_to_map(operator, "fault_nothing")
        desk, served = self.reader.desk, await self.reader.desk.served_number(operator)
        compared = revision.base if revision.number == served else served
        old = await desk.read_files(operator, compared)
        new = await desk.read_files(operator, revision.number)
        values = {
            "operator": operator,
            "revision": revision,
            "note": request.note,
            "editors": ", ".join(sorted(revision.editors)),
            "is_own": request.user.name in revision.editors,
            "is_stale": revision.state in ("proposed", "approved") and revision.base != served,
            "compared_name": revision_name(request, compared),
            "base_name": revision_name(request, revision.base),
            "differences": compare_revisions(old, new),
            "zone": _time_zone(request, operator).key,
            "address": revision_path(operator, revision.number),
            "operator_path": operator_path,
            "local_time": request.local_time,
        }
        return responses.staff_page(request, "studio/revision.html", values)

    async def decide(self, request: ConsoleRequest) -> web.Response:
        """Approve, reject or publish; what the rules forbid is refused and says why."""
        operator = request.parts["operator"]
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        number = parse_row_id(request.parts["number"])
        if number is None:
            return self.lead_to_map(operator, "fault_nothing")
        try:
            note = await self.apply_decision(request, DECISIONS)
        except OwnRevisionError:
            note = "fault_own_revision"
        except FindingsPresentError:
            note = "fault_findings"
        except RevisionError:
            note = "fault_revision_state"
        path = MENUS_PATH if number == FOLDER_NUMBER else revision_path(operator, number)
        return responses.redirect_to(f"{path}?note={note}")

    async def _find_revision(self, request: ConsoleRequest) -> PackRevision | None:
        number = parse_row_id(request.parts["number"])
        try:
            return await self.reader.desk.revisions.read_revision(
                request.parts["operator"], number or FOLDER_NUMBER, request.now
            )
        except RevisionError:
            return None


async def _approve(desk: RevisionDesk, request: ConsoleRequest) -> str:
    await desk.approve(*_address(request), editor_of(request))
    return "note_approved"


async def _reject(desk: RevisionDesk, request: ConsoleRequest) -> str:
    await desk.reject(*_address(request), editor_of(request))
    return "note_rejected"


async def _publish(desk: RevisionDesk, request: ConsoleRequest) -> str:
    operator, number = _address(request)
    typed = request.fields.get("at", "")
    at = _parse_time(typed, _time_zone(request, operator))
    if typed and (at is None or at <= request.now):
        return "fault_time"
    await desk.publish(operator, number, editor_of(request), at)
    return "note_scheduled" if at else "note_published"


async def _roll_back(desk: RevisionDesk, request: ConsoleRequest) -> str:
    operator, number = _address(request)
    await desk.roll_back(operator, editor_of(request), number)
    return "note_published"


DECISIONS: Mapping[str, Decision] = {
    "approve": _approve,
    "reject": _reject,
    "publish": _publish,
    "return": _roll_back,
}
"""What the buttons of this page and of the list of operators do, by their value."""


def _address(request: ConsoleRequest) -> tuple[str, int]:
    """Return the operator and the number of the revision that the address names."""
    return request.parts["operator"], int(request.parts["number"])


def _time_zone(request: ConsoleRequest, operator: str) -> ZoneInfo:
    menu = request.site.container.menu_versions.current_menu(operator)
    return ZoneInfo(menu.config.time_zone)


def _parse_time(typed: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant of a local time as browsers post it (`2026-03-10T18:00`); None for anything else."""
    try:
        return datetime.strptime(typed, "%Y-%m-%dT%H:%M").replace(tzinfo=zone)
    except ValueError:
        return None
