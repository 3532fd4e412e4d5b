"""Page of queues: the outbox by state and reason, replay of failed rows, providers and links."""

from dataclasses import dataclass

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.person_actions import MAX_ROW_DIGITS
from menus.text.masking import mask_recipient
from storage.console.queue_view import QueueView, SqlQueueViews
from storage.console.staff_actions import SqlStaffActions

QUEUES_PATH = "/console/queues"
ALL_DEAD = "all-dead"
"""Value of the button that replays every dead row the page lists."""


@dataclass(frozen=True, slots=True)
class QueuePages:
    """The page and the replay."""

    views: SqlQueueViews
    actions: SqlStaffActions

    async def show_queues(self, request: ConsoleRequest) -> web.Response:
        """Show the queues of the user's operators."""
        values = {
            "view": await self._read_view(request),
            "note": request.note,
            "mask_recipient": mask_recipient,
            "local_time": request.local_time,
        }
        return responses.staff_page(request, "queues.html", values)

    async def replay_rows(self, request: ConsoleRequest) -> web.Response:
        """Send one failed row again, or all dead rows listed; each is recorded, and sent twice is sent once."""
        chosen = request.fields.get("row", "")
        rows = [int(chosen)] if chosen.isdecimal() and len(chosen) <= MAX_ROW_DIGITS else []
        if chosen == ALL_DEAD:
            failed = (await self._read_view(request)).failed
            rows = [row.id for row in failed if row.state == "dead" and row.can_be_replayed]
        outcomes = [await self._replay_row(request, row) for row in rows]
        note = "note_replayed" if "done" in outcomes else "fault_nothing"
        return responses.redirect_to(f"{QUEUES_PATH}?note={note}")

    async def _replay_row(self, request: ConsoleRequest, row: int) -> str:
        entry = request.audit_entry("", "", "console.replayed", f"row {row}")
        return await self.actions.replay_row(row, request.user.operators, entry)

    async def _read_view(self, request: ConsoleRequest) -> QueueView:
        operators = request.user.operators & request.site.container.operators.keys()
        return await self.views.read_queues(operators, request.now)
