"""Console middleware: language, session, role, CSRF token, time limit, error page of every request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from aiohttp import web

from flows.domain.failures import BadRequest, Failure
from flows.domain.records import Secret
from gateway.console import console_responses as responses
from gateway.console.console_request import LANGUAGE_COOKIE, SESSION_COOKIE, ConsoleRequest
from gateway.console.console_site import ConsoleSite
from gateway.console.console_texts import CONSOLE_LANGUAGES, fill_console_text, load_texts
from gateway.console.user_file import ConsoleRole, ConsoleUser
from gateway.http import decoding
from gateway.pages.csrf import CSRF_FIELD, is_seed
from gateway.pages.languages import negotiate_language

log = logging.getLogger("dialtree.console")
CONSOLE_TIMEOUT_SECONDS = 10.0
"""Hard limit of a request; then the user gets the error page."""
SIGN_IN_PATH = "/console/sign-in"
NOTE_PREFIXES = ("note_", "fault_")
"""Names of texts that an address may ask a page to show."""
StaffResponder = Callable[[ConsoleRequest], Awaitable[web.Response]]
OpenResponder = Callable[[web.Request, str], Awaitable[web.Response]]
"""Answers a request of a visitor who is not signed in, in a language."""
ConsoleHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ConsolePipeline:
    """Wraps the pages; every error ends here."""

    site: ConsoleSite

    def open_handler(self, respond: OpenResponder) -> ConsoleHandler:
        """Return the handler of a page that needs no session."""

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, respond)

        return serve

    def view_handler(self, respond: StaffResponder, *roles: ConsoleRole) -> ConsoleHandler:
        """Return the handler of a GET for users with one of these roles; any role without."""
        return self.open_handler(lambda request, language: self._view(request, language, respond, roles))

    def submit_handler(self, respond: StaffResponder, *roles: ConsoleRole) -> ConsoleHandler:
        """Return the handler of a POST: as a GET, and only with the form's CSRF token."""

        async def submit(staff: ConsoleRequest, request: web.Request) -> web.Response:
            fields = await read_form(request)
            if not self.site.csrf_tokens.is_valid(staff.token.value, staff.path, fields.get(CSRF_FIELD, "")):
                return self._message(staff.language, staff.path, "stale_form", 403)
            return await respond(replace(staff, fields=fields))

        async def answer(request: web.Request, language: str) -> web.Response:
            return await self._view(request, language, lambda staff: submit(staff, request), roles)

        return self.open_handler(answer)

    async def _view(
        self, request: web.Request, language: str, respond: StaffResponder, roles: tuple[ConsoleRole, ...]
    ) -> web.Response:
        token = Secret(self.site.cookies.read_cookie(request, SESSION_COOKIE))
        user = await self._find_user(token)
        if user is None:
            response = responses.redirect_to(SIGN_IN_PATH)
            self.site.cookies.delete_cookie(response, SESSION_COOKIE)
            return response
        note = request.query.get("note", "")
        note = note if note.startswith(NOTE_PREFIXES) and note in load_texts(language) else ""
        parts = dict(request.match_info)
        staff = ConsoleRequest(self.site, user, token, language, request.path, parts, request.query, note=note)
        if roles and not user.has_role(*roles):
            return await self._refuse_role(staff)
        return await respond(staff)

    async def _find_user(self, token: Secret) -> ConsoleUser | None:
        """Return the user of a session, with the rights they have now; None for anybody else."""
        if not is_seed(token.value):
            return None
        session = await self.site.sessions.find_session(token, self.site.container.clock())
        return self.site.find_user(session) if session else None

    async def _refuse_role(self, staff: ConsoleRequest) -> web.Response:
        """Answer 403 and keep in the audit log that the user tried."""
        page = staff.path.removeprefix("/console/").partition("/")[0]
        await self.site.staff_log.record_entry(staff.audit_entry("", "", "console.refused", page, "refused"))
        return self._message(staff.language, staff.path, "not_allowed", 403)

    async def _answer(self, request: web.Request, respond: OpenResponder) -> web.Response:
        """Answer under the time limit; any other error is logged and becomes the error page."""
        language = self._choose_language(request)
        try:
            async with asyncio.timeout(CONSOLE_TIMEOUT_SECONDS):
                response = await respond(request, language)
        except BadRequest as error:
            response = self._message(language, SIGN_IN_PATH, "bad_request", error.status)
        except (Exception, TimeoutError) as error:
            # outermost handler: the user always gets a page, the log gets the reason
            is_expected = isinstance(error, (Failure, TimeoutError))
            extra = {"failure": type(error).__name__}
            log.error("console.request_failed", exc_info=not is_expected, extra=extra)
            response = self._message(language, SIGN_IN_PATH, "unavailable", 503)
        self._keep_language(request, response)
        return responses.add_hsts(self.site, response)

    def _message(self, language: str, path: str, name: str, status: int) -> web.Response:
        text = fill_console_text(language, name)
        return responses.message_page(self.site, language, path, text, status)

    def _choose_language(self, request: web.Request) -> str:
        """Return the language the address names, else the one chosen before, else the browser's."""
        chosen = request.query.get("lang", "") or self.site.cookies.read_cookie(request, LANGUAGE_COOKIE)
        return negotiate_language(CONSOLE_LANGUAGES, chosen, request.headers.get("Accept-Language", ""))

    def _keep_language(self, request: web.Request, response: web.Response) -> None:
        if request.query.get("lang", "") in CONSOLE_LANGUAGES:
            self.site.cookies.set_cookie(response, LANGUAGE_COOKIE, request.query["lang"])


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Return the posted fields; BadRequest for anything a browser's form would not send."""
    body = await decoding.read_body(request)
    return decoding.LimitedFields(decoding.decode_form(body, request.content_type, request.charset))
