"""Page of queues: the outbox by state and reason, replay of failed rows, providers and links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from menus.text.masking import mask_recipient
from storage.console.queue_view import QueueView, SqlQueueViews
from storage.console.staff_actions import SqlStaffActions
from storage.outbox.lane_pauses import PAUSABLE_KINDS, PausableLane, PausedLane

QUEUES_PATH = "/console/queues"
LANE_VERBS = ("pause", "resume", "cancel")
PAUSABLE_ROUTES = ("sms", "email")
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
            "nonce": request.site.make_token(),
            "lanes": self._lanes(request),
            "pauses": await self._list_pauses(request),
            "mask_recipient": mask_recipient,
            "local_time": request.local_time,
        }
        return responses.staff_page(request, "queues.html", values)

    async def replay_rows(self, request: ConsoleRequest) -> web.Response:
        """Send one failed row again, or all dead rows listed; each is recorded, and sent twice is sent once."""
        chosen = request.fields.get("row", "")
        row_id = parse_row_id(chosen)
        rows = [] if row_id is None else [row_id]
        if chosen == ALL_DEAD:
            failed = (await self._read_view(request)).failed
            rows = [row.id for row in failed if row.state == "dead" and row.can_be_replayed]
        outcomes = [await self._replay_row(request, row) for row in rows]
        note = "note_replayed" if "done" in outcomes else "fault_nothing"
        return _lead_back(note)

    async def change_lane(self, request: ConsoleRequest) -> web.Response:
        """Pause, resume or cancel the notices or campaigns of one of the user's operators."""
        verb, name = request.fields.get("verb", ""), request.fields.get("lane", "")
        lane = self._lanes(request).get(name)
        if lane is None or verb not in LANE_VERBS:
            return _lead_back("fault_nothing")
        if verb == "cancel" and request.fields.get("confirmed", "") != "yes":
            return _lead_back("fault_cancel_unconfirmed")
        entry = request.audit_entry(lane.operator, "", f"console.outbox_{verb}", f"{lane.kind} {lane.route}")
        if not await self.actions.record_once(request.form_key(verb), entry):
            return _lead_back("note_repeated")
        await self._apply_verb(request, lane, verb)
        return _lead_back(f"note_{verb}")

    async def _apply_verb(self, request: ConsoleRequest, lane: PausableLane, verb: str) -> None:
        pauses = request.site.container.lane_pauses.acting_as(request.user.name)
        if verb == "pause":
            await pauses.hold_back(lane, request.site.container.clock, request.site.sleep)
        elif verb == "resume":
            await pauses.resume(lane, request.now)
        else:
            await pauses.cancel(lane, request.now)

    def _lanes(self, request: ConsoleRequest) -> Mapping[str, PausableLane]:
        """Return what the user may pause, by name."""
        lanes = [
            PausableLane(operator, kind, route)
            for operator in sorted(request.operators)
            for kind in PAUSABLE_KINDS
            for route in PAUSABLE_ROUTES
        ]
        return {" ".join(lane): lane for lane in lanes}

    async def _list_pauses(self, request: ConsoleRequest) -> Sequence[PausedLane]:
        paused = await request.site.container.lane_pauses.list_pauses()
        return [each for each in paused if each.lane.operator in request.operators]

    async def _replay_row(self, request: ConsoleRequest, row: int) -> str:
        entry = request.audit_entry("", "", "console.replayed", f"row {row}")
        return await self.actions.replay_row(row, request.user.operators, entry)

    async def _read_view(self, request: ConsoleRequest) -> QueueView:
        return await self.views.read_queues(request.operators, request.now)


def _lead_back(note: str) -> web.Response:
    return responses.redirect_to(f"{QUEUES_PATH}?note={note}")
