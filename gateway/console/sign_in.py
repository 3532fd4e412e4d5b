"""Sign-in and sign-out of staff: a new session for every sign-in, wrong passwords limited and counted."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from flows.domain.records import AuditEntry, Secret
from gateway.console import console_responses as responses
from gateway.console.console_pipeline import SIGN_IN_PATH, read_form
from gateway.console.console_request import (
    AUDIT_CHANNEL,
    FORM_COOKIE,
    SESSION_COOKIE,
    ConsoleRequest,
    page_frame,
)
from gateway.console.console_site import ConsoleSite
from gateway.console.user_file import ConsoleUser
from gateway.pages.csrf import CSRF_FIELD, is_seed

log = logging.getLogger("dialtree.console")
HOME_PATH = "/console"
STATUSES: Mapping[str, int] = {"": 200, "stale_form": 403, "sign_in_wrong": 403, "sign_in_locked": 429}
"""Status of the form by the text above it."""
MAX_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The form to sign in, what it leads to, and the way out."""

    site: ConsoleSite

    async def show_form(self, request: web.Request, language: str, fault: str = "") -> web.Response:
        """Show the form, with the text of a fault above it."""
        seed = self.site.cookies.read_cookie(request, FORM_COOKIE)
        new_seed = "" if is_seed(seed) else self.site.make_token()
        values = {
            **page_frame(language, SIGN_IN_PATH),
            "fault": fault,
            "csrf_field": CSRF_FIELD,
            "token": self.site.csrf_tokens.form_token(new_seed or seed, SIGN_IN_PATH),
            "has_passwords": bool(self.site.settings.users_file),
            "has_openid": self.site.openid is not None,
            "signed_out": "out" in request.query,
        }
        page = self.site.templates.render("sign_in.html", values)
        response = responses.html_response(page, language, STATUSES[fault])
        if new_seed:
            self.site.cookies.set_cookie(response, FORM_COOKIE, new_seed)
        return response

    async def submit_form(self, request: web.Request, language: str) -> web.Response:
        """Check name and password; open a new session, or say that they are wrong."""
        fields = await read_form(request)
        seed = self.site.cookies.read_cookie(request, FORM_COOKIE)
        if not self.site.csrf_tokens.is_valid(seed, SIGN_IN_PATH, fields.get(CSRF_FIELD, "")):
            return await self.show_form(request, language, "stale_form")
        name = fields.get("name", "").strip().lower()[:MAX_NAME_LENGTH]
        user = self.site.users.read_users().get(name)
        now = self.site.container.clock()
        outcome = await self.site.sign_in.check_password(
            *(name, self.site.client_key(request), user.password_hash if user else ""),
            *(Secret(fields.get("password", "")), now),
        )
        self.site.sign_in_counter.labels(outcome).inc()
        if user is None or outcome != "ok":
            await self._record_refusal(user, outcome)
            fault = "sign_in_locked" if outcome == "locked" else "sign_in_wrong"
            return await self.show_form(request, language, fault)
        return await self._open_session(request, user)

    async def sign_out(self, request: ConsoleRequest) -> web.Response:
        """End the session and show the form."""
        entry = request.audit_entry("", "", "console.sign_out")
        await self.site.staff_log.record_entry(entry)
        await self.site.sessions.close_session(request.token)
        response = responses.redirect_to(f"{SIGN_IN_PATH}?out")
        self.site.cookies.delete_cookie(response, SESSION_COOKIE)
        return response

    async def _open_session(self, request: web.Request, user: ConsoleUser) -> web.Response:
        """Open a session under a new token, whatever cookie the browser came with, and end that one."""
        before = Secret(self.site.cookies.read_cookie(request, SESSION_COOKIE))
        token, now = Secret(self.site.make_token()), self.site.container.clock()
        entry = AuditEntry("", user.name, "console.sign_in", now, AUDIT_CHANNEL, "", "ok", user.name)
        await self.site.sessions.close_session(before)
        await self.site.sessions.open_session(token, user.name, user.password_hash, now, entry)
        response = responses.redirect_to(HOME_PATH)
        self.site.cookies.set_cookie(response, SESSION_COOKIE, token.value)
        self.site.cookies.delete_cookie(response, FORM_COOKIE)
        return response

    async def _record_refusal(self, user: ConsoleUser | None, outcome: str) -> None:
        """Audit a wrong password, and log one that was not read: who is locked cannot fill the audit log.

        A name that is not a user's may be a password, so it is not kept.
        """
        if outcome == "locked":
            log.error("console.sign_in_locked")
            return
        name, now = user.name if user else "", self.site.container.clock()
        entry = AuditEntry("", name, "console.sign_in", now, AUDIT_CHANNEL, "", outcome, name)
        await self.site.staff_log.record_entry(entry)
