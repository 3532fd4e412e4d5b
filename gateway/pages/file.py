"""Page: file behind a magic link and a one-time code sent separately (B4, B8, B24, F6)."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from aiohttp import web

from flows.domain.actions import ActionRequest
from flows.domain.failures import NotFound
from flows.domain.records import AuditEntry, LinkPurpose, Secret
from flows.selfcare import code
from flows.selfcare.export_period import ExportPeriod
from flows.services import file_links
from gateway.pages import magic_links, responses
from gateway.pages.action_request import build_action_request
from gateway.pages.exports import PERIOD_INPUTS, posted_period
from gateway.pages.file_builder import FileBuilder
from gateway.pages.file_jobs import FileJobs
from gateway.pages.form_input import CODE_INPUT, read_code
from gateway.pages.form_repeats import FormRepeats
from gateway.pages.page_request import PageRequest
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Count, Facts, PhoneNumber

log = logging.getLogger("dialtree.pages")
LINK_PURPOSE: LinkPurpose = "file"
SEALED_LINK_FIELD = "slip"
"""The field that stands for the link's token, encrypted for this visitor."""
RESEND_FIELD = "resend"
"""The field of the form that asks for another code."""
TICKET_FIELD = "ticket"
"""The field that says, encrypted for this visitor, that the code was right and the file is being built."""
WAIT_FIELD = "wait"
"""The field that keeps the page's minutes until the next code in another language; 0 when one was sent."""
TICKET_LIFETIME = timedelta(minutes=5)
TICKET_WORDS = 3
"""Words of a ticket: when it expires, the link's token, the key of the form."""
OPENING_SUFFIX = "/opened"
"""Ends the key of the opening that a form used up."""
FORM_INPUTS = (CODE_INPUT,)
PERIOD_FIELDS = tuple(each.name for each in PERIOD_INPUTS)
EXPORT_INPUTS = (CODE_INPUT, *PERIOD_INPUTS)


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link whose code was right."""

    token: Secret
    key: str
    """Key of the form it was opened with, which may be pressed again."""


@dataclass(frozen=True, slots=True)
class FilePage:
    """`/{operator}/file`: first the link's token, then the code, then the file."""

    token_sealer: TokenSealer = field(repr=False)
    make_token: Callable[[], str] = field(repr=False)
    form_repeats: FormRepeats = field(repr=False)
    file_builder: FileBuilder = field(default_factory=FileBuilder, repr=False)
    file_jobs: FileJobs = field(default_factory=FileJobs, repr=False)

    async def view(self, request: PageRequest) -> web.Response:
        """Show the page the link leads to; viewing it sends no code."""
        return self.show_form(request, "", 200)

    async def submit(self, request: PageRequest) -> web.Response:
        """Answer a token with the form for the code, or a code with the file."""
        sealed_link = request.form_fields.get(SEALED_LINK_FIELD, "")
        return (
            await self._redeem_code(request, sealed_link) if sealed_link else await self._exchange_link(request)
        )

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the first page with an error text."""
        return magic_links.show_link_form(request, "page.file_title", "page.file_send", text, status)

    async def _exchange_link(self, request: PageRequest) -> web.Response:
        """Exchange the posted token for the code form, and send the code."""
        token = magic_links.posted_token(request)
        link = await magic_links.find_link(request, token, LINK_PURPOSE)
        file = _parse_link_value(link.value) if link else None
        if link is None or file is None:
            return magic_links.link_expired_page(request)
        request = magic_links.in_language_of(request, link)
        sealed_link = self.token_sealer.seal_words((token.value, link.value), _seal_label(request))
        return await self._send_code(request, file, sealed_link)

    async def _send_code(
        self, request: PageRequest, file: file_links.LinkedFile, sealed_link: str
    ) -> web.Response:
        """Send a code to the line the link was made for, and show the form for it.

        The page says "sent" only when a code was sent, else when the next may be asked for. A number without a
        subscriber is answered like any other.
        """
        try:
            subscriber = await request.ports.billing.get_subscriber(file.number)
        except NotFound:
            return self._code_form(request, file, sealed_link)
        asked = build_action_request(request, subscriber, LINK_PURPOSE, f"file/{self.make_token()}")
        outcome = await code.send_code(asked)
        wait = 0 if outcome.name == "ok" else await _minutes_to_wait(asked)
        return self._code_form(request, file, sealed_link, wait_minutes=wait)

    async def _redeem_code(self, request: PageRequest, sealed_link: str) -> web.Response:
        """Redeem the code and send the file; show the form again for a wrong code.

        The page stays as it is after a download, so the button may be pressed again: within minutes that sends
        the file again, and uses up neither an attempt nor an opening.
        """
        words = self.token_sealer.unseal_words(sealed_link, _seal_label(request)) or [""]
        ticket_key, code = self._ticket_key(request, words[0]), read_code(request.form_fields)
        key = ticket_key or self.form_repeats.press_key(request, "file code", code, words[0])
        file = await self._find_file(request, words, key)
        if file is None:
            return magic_links.link_expired_page(request)
        if RESEND_FIELD in request.form_fields:
            return await self._send_code(request, file, sealed_link)
        if magic_links.is_language_switch(request) and TICKET_FIELD not in request.form_fields:
            return self._code_form(request, file, sealed_link, wait_minutes=_posted_wait(request))
        try:
            period = _read_period(request, file)
        except ValueError:
            return self._code_form(request, file, sealed_link, "page.period_wrong")
        if ticket_key or await self.form_repeats.redeem_code(request, file.number, LINK_PURPOSE, code, key):
            return await self._send_file(request, OpenedLink(Secret(words[0]), key), file, period)
        return self._code_form(request, file, sealed_link, "page.file_refused")

    async def _find_file(
        self, request: PageRequest, words: Sequence[str], key: str
    ) -> file_links.LinkedFile | None:
        """Return the file of the link; of a link that this very form used up, the file it named."""
        link = await magic_links.find_link(request, Secret(words[0]), LINK_PURPOSE)
        if link is not None:
            return _parse_link_value(link.value)
        is_open = await self.form_repeats.is_done(request, f"{key}{OPENING_SUFFIX}")
        return _parse_link_value(words[1]) if is_open and len(words) > 1 else None

    def _ticket_key(self, request: PageRequest, token: str) -> str:
        """Return the key of the form whose code was right and which waits for this link's file; else empty."""
        sealed = request.form_fields.get(TICKET_FIELD, "")
        words = self.token_sealer.unseal_words(sealed, _ticket_label(request)) or []
        is_current = len(words) == TICKET_WORDS and request.now < datetime.fromisoformat(words[0])
        return words[2] if is_current and words[1] == token else ""

    def _preparing_page(self, request: PageRequest, opened: OpenedLink) -> web.Response:
        """Say that the file is being prepared, with a button that asks for it again without a second code."""
        words = ((request.now + TICKET_LIFETIME).isoformat(), opened.token.value, opened.key)
        hidden = {
            **{name: request.form_fields.get(name, "") for name in PERIOD_FIELDS},
            SEALED_LINK_FIELD: request.form_fields[SEALED_LINK_FIELD],
            TICKET_FIELD: self.token_sealer.seal_words(words, _ticket_label(request)),
        }
        log.info("pages.file_preparing", extra={"operator": request.operator})
        switch = {"switch_field": magic_links.SWITCH_FIELD, "switch_fields": hidden}
        return responses.file_preparing_page(request, "page.file_title", {"hidden": hidden, **switch})

    async def _send_file(
        self,
        request: PageRequest,
        opened: OpenedLink,
        file: file_links.LinkedFile,
        period: ExportPeriod | None,
    ) -> web.Response:
        """Send the file; it is built first, so that only a file that exists uses up an opening."""
        built = await self.file_jobs.await_file(
            f"{request.operator} {opened.token.value} {request.language} {request.is_raw} {period}",
            lambda: self.file_builder.build_file(request, file, period),
        )
        if built is None:
            return self._preparing_page(request, opened)
        if not await self._use_link(request, opened):
            return magic_links.link_expired_page(request)
        entry = AuditEntry(
            request.operator, file.number, f"web.file.{file.kind}", request.now, "web", file.bill_id
        )
        request.ports.ledger.record_audit_entry(entry)
        log.info("pages.file_opened", extra={"operator": request.operator})
        return responses.file_attachment(built.data, built.name, built.suffix)

    async def _use_link(self, request: PageRequest, opened: OpenedLink) -> bool:
        """Use up one opening for all presses of this form; return whether there was one."""

        async def use() -> bool:
            return await request.ports.ledger.use_link(opened.token, LINK_PURPOSE, request.now) is not None

        return await self.form_repeats.do_once(request, f"{opened.key}{OPENING_SUFFIX}", use)

    def _code_form(
        self,
        request: PageRequest,
        file: file_links.LinkedFile,
        sealed_link: str,
        error_text: str = "",
        wait_minutes: int = 0,
    ) -> web.Response:
        """Show the form for the code, and a button that asks for another one."""
        facts: Facts = {"line": PhoneNumber(file.number), "minutes": Count(wait_minutes)}
        values = {
            "error": error_text,
            "inputs": EXPORT_INPUTS if file.kind in file_links.EXPORT_KINDS else FORM_INPUTS,
            "prompt": request.plain_text("page.code_wait" if wait_minutes else "page.file_code", facts),
            "hidden": {SEALED_LINK_FIELD: sealed_link},
            "other_button": (RESEND_FIELD, "page.resend"),
        }
        switch = {SEALED_LINK_FIELD: sealed_link, WAIT_FIELD: str(wait_minutes)}
        return magic_links.linked_page(request, "file_code.html", "page.file_title", values, switch)


def _read_period(request: PageRequest, file: file_links.LinkedFile) -> ExportPeriod | None:
    """Return the posted period of an export; None for none, ValueError for what is no period."""
    return posted_period(request) if file.kind in file_links.EXPORT_KINDS else None


async def _minutes_to_wait(asked: ActionRequest) -> int:
    """Return the minutes until another code may be asked for like this, rounded up: at least 1."""
    codes, operator = asked.ports.codes, asked.menu.name
    next_at = await codes.next_code_at(operator, asked.line, asked.argument, asked.requester, asked.now)
    return max(1, ceil((next_at - asked.now).total_seconds() / 60))


def _posted_wait(request: PageRequest) -> int:
    """Return the minutes that the page in the other language named; 0 for anything else."""
    posted = request.form_fields.get(WAIT_FIELD, "")
    return int(posted) if re.fullmatch(r"[0-9]{1,4}", posted) else 0


def _parse_link_value(value: str) -> file_links.LinkedFile | None:
    """Return the file a link's value names; None for an unreadable one."""
    try:
        return file_links.parse_file_link(value)
    except ValueError:
        log.error("pages.link_unreadable")
        return None


def _seal_label(request: PageRequest) -> str:
    """Return a seal label of this page and visitor."""
    return f"file {request.path} {request.form_token}"


def _ticket_label(request: PageRequest) -> str:
    """Return a seal label of this page and visitor: no other sealed text passes for a ticket."""
    return f"file ticket {request.path} {request.form_token}"
