"""Page of what staff did, for auditors: who looked at whom, who changed what, who was refused."""

from dataclasses import dataclass

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from storage.console.staff_log import NEWEST, PAGE_ENTRIES, SqlStaffLog, StaffEntry

STAFF_PATH = "/console/staff"


@dataclass(frozen=True, slots=True)
class StaffLogPage:
    """The list, newest first; its address may name the entry before which it begins."""

    entries: SqlStaffLog

    async def show_entries(self, request: ConsoleRequest) -> web.Response:
        """Show a page of entries of the user's operators; that it was read is an entry, too."""
        before = parse_row_id(request.parts.get("before", ""))
        await self.entries.record_entry(request.audit_entry("", "", "console.staff_log"))
        entries = await self.entries.list_entries(request.operators, NEWEST if before is None else before)
        first = min(request.operators, default="")
        values = {
            "entries": entries,
            "older": entries[-1].id if len(entries) == PAGE_ENTRIES else None,
            "local_time": lambda entry: _entry_time(request, entry, first),
        }
        return responses.staff_page(request, "staff.html", values)


def _entry_time(request: ConsoleRequest, entry: StaffEntry, first_operator: str) -> str:
    """Return an entry's time at its operator; of a sign-in at the user's first, else in UTC."""
    operator = entry.operator or first_operator
    return request.local_time(entry.at, operator) if operator else f"{entry.at:%Y-%m-%d %H:%M} UTC"
