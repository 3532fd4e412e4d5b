"""Page that dials the user's draft: a phone of a demo person, on USSD, in a call and by SMS."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest
from gateway.console.studio.draft_phones import DraftPhone, DraftPhones, people_of
from gateway.console.studio.pack_view import PackView
from gateway.console.studio.studio_page import StudioPage, operator_path
from gateway.dialogs.format import DialogError

STARTING_VERBS = ("dial", "call", "text")


@dataclass(frozen=True, slots=True)
class PhonePage(StudioPage):
    """Shows the phone and does what its buttons say."""

    phones: DraftPhones
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held while a phone acts: a button pressed twice is two actions, one after the other."""

    async def show_phone(self, request: ConsoleRequest) -> web.Response:
        """Show the phone as it is."""
        return await self.with_view(request, self._show_view)

    async def act(self, request: ConsoleRequest) -> web.Response:
        """Perform one action on a draft without findings, and show the phone after it."""
        return await self.with_view(request, self._act)

    async def _show_view(self, request: ConsoleRequest, view: PackView, fault: str = "") -> web.Response:
        phone = self.phones.find_phone(request.user.name, view.operator)
        menu = view.loaded.menu
        values = {
            "view": view,
            "fault": fault,
            "phone": phone,
            "is_of_draft": phone is not None and phone.digest == view.files.digest,
            "numbers": menu.config.numbers if menu else None,
            "people": people_of(menu) if menu and not view.findings else (),
            "address": f"{operator_path(view.operator)}/phone",
            "operator_path": operator_path,
        }
        return responses.staff_page(request, "studio/phone.html", values, 422 if fault else 200)

    async def _act(self, request: ConsoleRequest, view: PackView) -> web.Response:
        if view.findings or view.loaded.menu is None:
            return await self._show_view(request, view, "fault_phone_findings")
        async with self.lock:
            try:
                phone = await self._find_or_open(request, view)
                await phone.perform(request.fields.get("verb", ""), request.fields.get("answer", ""))
            except DialogError:
                return await self._show_view(request, view, "fault_phone_action")
        return responses.redirect_to(f"{operator_path(view.operator)}/phone")

    async def _find_or_open(self, request: ConsoleRequest, view: PackView) -> DraftPhone:
        """Return the user's phone; a new one, recorded, for another person, another state or a fresh start."""
        fields, phone = request.fields, self.phones.find_phone(request.user.name, view.operator)
        starts = fields.get("verb", "") in STARTING_VERBS
        caller = fields.get("caller", "")
        is_same = phone is not None and phone.digest == view.files.digest and phone.caller == caller
        if phone is not None and (not starts or (is_same and fields.get("fresh", "") != "yes")):
            return phone
        if not starts or view.loaded.menu is None:
            raise DialogError("nothing is open")
        entry = request.audit_entry(view.operator, "", "pack.dialled", view.version)
        await request.site.staff_log.record_entry(entry)
        folder = self.reader.desk.locate_pack(view.operator)
        return await self.phones.open_phone(request.user.name, view, view.loaded.menu, folder, caller)
