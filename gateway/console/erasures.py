"""Page of erasures that wait: a person other than who asked approves, and the line is erased at once."""

from dataclasses import dataclass

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.subject_requests import drop_sessions, erase_subject, find_subject
from menus.text.masking import mask_recipient
from storage.console.erasure_requests import ErasureRequest, SqlErasureRequests
from storage.privacy.data_map import DataSubject

ERASURES_PATH = "/console/erasures"


@dataclass(frozen=True, slots=True)
class ErasurePages:
    """The list and the decision."""

    erasures: SqlErasureRequests

    async def show_list(self, request: ConsoleRequest) -> web.Response:
        """Show what waits, numbers masked."""
        waiting = await self.erasures.list_waiting(request.operators)
        values = {
            "waiting": waiting,
            "note": request.note,
            "mask_recipient": mask_recipient,
            "local_time": request.local_time,
        }
        return responses.staff_page(request, "erasures.html", values)

    async def decide(self, request: ConsoleRequest) -> web.Response:
        """Approve and erase, or refuse; never one's own request."""
        approve = request.fields.get("decision", "") == "approve"
        if not approve and request.fields.get("decision", "") != "refuse":
            return _lead_back("fault_nothing")
        request_id, name = request.fields.get("id", "")[:32], request.user.name
        found = [each for each in await self.erasures.list_waiting(request.operators) if each.id == request_id]
        if not found:
            return _lead_back("fault_nothing")
        action = "console.erasure_approved" if approve else "console.erasure_refused"
        entry = request.audit_entry(found[0].operator, found[0].number, action)
        decided = await self.erasures.decide_request(
            request_id, request.operators, name, entry, approve=approve
        )
        if decided is None:
            return _lead_back("fault_own_request")
        if approve:
            await self._erase_line(request, decided)
        return _lead_back("note_erased" if approve else "note_refused")

    async def _erase_line(self, request: ConsoleRequest, decided: ErasureRequest) -> None:
        """Erase the line; a process that ends in the middle leaves a request that can be approved again."""
        container = request.site.container
        found = await find_subject(container, decided.operator, decided.number)
        subject = found.subject if found else DataSubject(decided.operator, decided.number)
        await erase_subject(container, subject, confirmed=True)
        await drop_sessions(container, subject)
        entry = request.audit_entry(decided.operator, decided.number, "privacy.erase")
        await self.erasures.finish_request(decided, entry)


def _lead_back(note: str) -> web.Response:
    return responses.redirect_to(f"{ERASURES_PATH}?note={note}")
