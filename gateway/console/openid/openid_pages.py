"""Pages of the sign-in by OpenID Connect: to the provider, back from it, and its back-channel logout."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from flows.domain.failures import Unavailable
from flows.domain.records import AuditEntry, Secret
from gateway.console import console_responses as responses
from gateway.console.console_pipeline import SIGN_IN_PATH, read_form
from gateway.console.console_request import AUDIT_CHANNEL, SESSION_COOKIE, page_frame
from gateway.console.console_site import ConsoleSite
from gateway.console.console_texts import fill_console_text
from gateway.console.openid.group_rights import NO_RIGHTS, read_groups, read_username
from gateway.console.openid.login_attempt import (
    ATTEMPT_COOKIE,
    ATTEMPT_LIFETIME,
    LoginAttempt,
    unseal_attempt,
)
from gateway.console.openid.openid_errors import OpenIdRefused
from gateway.console.openid.openid_sign_in import OpenIdSignIn
from storage.console.staff_identities import ExternalIdentity

log = logging.getLogger("dialtree.console")
OPENID_PATH = "/console/openid"


@dataclass(frozen=True, slots=True)
class OpenIdPages:
    """The addresses of the flow; whatever goes wrong leads to a page that says so, signed in nobody."""

    site: ConsoleSite
    sign_in: OpenIdSignIn

    async def begin(self, request: web.Request, language: str) -> web.Response:
        """Send the browser to the provider; where it comes back to is registered there, not in the request."""
        make = self.site.make_token
        attempt = LoginAttempt(make(), make(), make(), self.site.container.clock())
        provider = self.sign_in.provider
        try:
            endpoint = (await provider.load_metadata()).authorization_endpoint
        except Unavailable as failure:
            return self._show_outage(language, failure)
        url = attempt.authorization_url(endpoint, provider.settings, provider.return_url)
        response = responses.redirect_outside(url)
        self.site.cookies.set_cookie(
            *(response, ATTEMPT_COOKIE, attempt.seal(self.site.sealer), int(ATTEMPT_LIFETIME.total_seconds())),
            same_site="Lax",
        )
        return response

    async def finish(self, request: web.Request, language: str) -> web.Response:
        """Sign in who comes back from the provider, under a new session."""
        try:
            claims = await self._read_answer(request)
            response = await self._open_session(request, language, claims)
        except OpenIdRefused as refusal:
            self.site.sign_in_counter.labels("refused").inc()
            log.warning("console.openid_refused", extra={"reason": refusal.reason})
            text = "openid_no_rights" if refusal.reason == NO_RIGHTS else "openid_refused"
            response = self._message(language, text, 403)
        except Unavailable as failure:
            response = self._show_outage(language, failure)
        self.site.cookies.delete_cookie(response, ATTEMPT_COOKIE)
        return response

    async def sign_out_there(self, request: web.Request, language: str) -> web.Response:
        """Send the browser to the provider's own sign-out, where there is one."""
        provider = self.sign_in.provider
        try:
            endpoint = (await provider.load_metadata()).end_session_endpoint
        except Unavailable as failure:
            return self._show_outage(language, failure)
        if not endpoint:
            return responses.redirect_to(SIGN_IN_PATH)
        back = f"{provider.return_url.removesuffix('/openid/callback')}/sign-in"
        query = urlencode({"client_id": provider.settings.client_id, "post_logout_redirect_uri": back})
        return responses.redirect_outside(f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")

    async def close_sessions(self, request: web.Request, language: str) -> web.Response:
        """Answer the provider's back-channel logout: end the sessions that its signed token names."""
        fields = await read_form(request)
        token, now = fields.get("logout_token", ""), self.site.container.clock()
        try:
            identity = await self.sign_in.read_logout(token, now)
        except OpenIdRefused as refusal:
            log.warning("console.openid_refused", extra={"reason": refusal.reason})
            return responses.empty_response(400)
        count = await self.site.sessions.close_sessions_of(identity)
        log.info("console.openid_signed_out", extra={"count": count})
        return responses.empty_response(200)

    async def _read_answer(self, request: web.Request) -> Mapping[str, Any]:
        """Return the claims of the ID token that the provider's answer leads to."""
        cookie = self.site.cookies.read_cookie(request, ATTEMPT_COOKIE)
        attempt = unseal_attempt(cookie, self.site.sealer)
        now = self.site.container.clock()
        code = attempt.require_answer(request.query, self.sign_in.provider.settings.issuer, now)
        return await self.sign_in.redeem(code, attempt, now)

    async def _open_session(
        self, request: web.Request, language: str, claims: Mapping[str, Any]
    ) -> web.Response:
        """Open a session under a new token, whatever cookie the browser came with, and end that one."""
        site, settings, now = self.site, self.sign_in.provider.settings, self.site.container.clock()
        wanted = read_username(claims, settings)
        groups = tuple(read_groups(claims, settings))
        identity = ExternalIdentity(settings.issuer, claims["sub"], str(claims.get("sid") or ""), groups)
        name = await site.identities.claim_name(identity, wanted, site.users.read_users().keys(), now)
        token = Secret(site.make_token())
        entry = AuditEntry("", name, "console.sign_in", now, AUDIT_CHANNEL, "openid", "ok", name)
        await site.sessions.close_session(Secret(site.cookies.read_cookie(request, SESSION_COOKIE)))
        await site.sessions.open_session(token, name, self.sign_in.credential, now, entry, identity)
        site.sign_in_counter.labels("ok").inc()
        page = site.templates.render("signed_in.html", page_frame(language, SIGN_IN_PATH))
        response = responses.html_response(page, language)
        site.cookies.set_cookie(response, SESSION_COOKIE, token.value)
        return response

    def _show_outage(self, language: str, failure: Unavailable) -> web.Response:
        """Say that the provider does not answer; the log says how."""
        self.site.sign_in_counter.labels("unavailable").inc()
        log.error(
            "console.openid_unavailable", extra={"failure": type(failure).__name__, "reason": str(failure)}
        )
        return self._message(language, "openid_unavailable", 503)

    def _message(self, language: str, name: str, status: int) -> web.Response:
        text = fill_console_text(language, name)
        return responses.message_page(self.site, language, SIGN_IN_PATH, text, status)
