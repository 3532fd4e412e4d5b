"""What all pages of the console are built on, put together from the container and the settings."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from flows.domain.records import Secret
from gateway.console.openid.identity_provider import IdentityProvider
from gateway.console.openid.openid_sign_in import OpenIdSignIn
from gateway.console.user_file import ConsoleUser, UserFile
from gateway.console_settings import ConsoleSettings
from gateway.http.client_address import rate_limit_key_reader
from gateway.http.html_templates import HtmlTemplates
from gateway.pages.csrf import CookieJar, CsrfTokens
from gateway.pages.sealed_token import TokenSealer
from gateway.studio.revision_desk import RevisionDesk
from gateway.wiring.container import Container
from gateway.wiring.revision_wiring import build_desk
from storage.console.erasure_requests import SqlErasureRequests
from storage.console.queue_view import SqlQueueViews
from storage.console.screen_figures import SqlScreenFigures
from storage.console.sign_in_attempts import StaffSignIn
from storage.console.staff_actions import SqlStaffActions
from storage.console.staff_identities import SqlStaffIdentities
from storage.console.staff_log import SqlStaffLog
from storage.console.staff_sessions import SessionTerms, SqlStaffSessions, StaffSession
from storage.console.subscriber_story import SqlStories
from storage.crypto import AeadCipher, derive_key

CONSOLE_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ConsoleSite:
    """Services of the console's pages."""

    container: Container = field(repr=False)
    settings: ConsoleSettings
    users: UserFile
    sessions: SqlStaffSessions = field(repr=False)
    identities: SqlStaffIdentities = field(repr=False)
    sign_in: StaffSignIn = field(repr=False)
    stories: SqlStories = field(repr=False)
    actions: SqlStaffActions = field(repr=False)
    erasures: SqlErasureRequests = field(repr=False)
    queue_views: SqlQueueViews = field(repr=False)
    staff_log: SqlStaffLog = field(repr=False)
    screen_figures: SqlScreenFigures = field(repr=False)
    revision_desk: RevisionDesk = field(repr=False)
    """Drafts and revisions of the menus."""
    cookies: CookieJar
    csrf_tokens: CsrfTokens = field(repr=False)
    sealer: TokenSealer = field(repr=False)
    """Seals a person's number into the address of their page."""
    templates: HtmlTemplates = field(repr=False)
    client_key: Callable[[web.Request], str] = field(repr=False)
    """Returns the client address that wrong passwords are counted by."""
    sign_in_counter: Counter = field(repr=False)
    openid: OpenIdSignIn | None = field(repr=False)
    """The identity provider that signs staff in; None where there is none."""
    make_token: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32), repr=False)
    """Returns a URL-safe token of 256 random bits."""
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)

    def find_user(self, session: StaffSession) -> ConsoleUser | None:
        """Return the user of a session with the rights they have now; None when the sign-in counts no more."""
        if session.groups is None:
            user = self.users.read_users().get(session.username)
            credential = user.password_hash if user else ""
        else:
            user = self.openid.find_user(session) if self.openid else None
            credential = self.openid.credential if self.openid else ""
        return user if self.sessions.is_of_credential(session, credential) else None


def build_site(container: Container, settings: ConsoleSettings) -> ConsoleSite:
    """Build the services of the console."""
    secret = Secret(container.settings.secret_key.get_secret_value())
    terms = SessionTerms(timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.session_hours))
    return ConsoleSite(
        container,
        settings,
        UserFile(Path(settings.users_file) if settings.users_file else None),
        SqlStaffSessions(container.database, secret, terms),
        SqlStaffIdentities(container.database, secret),
        StaffSignIn(container.database, secret),
        SqlStories(container.database, secret),
        SqlStaffActions(container.database, secret),
        SqlErasureRequests(container.database, secret),
        SqlQueueViews(container.database),
        SqlStaffLog(container.database, secret),
        SqlScreenFigures(container.database, secret),
        build_desk(container.settings, container.database, container.revision_follower),
        CookieJar(settings.public_url.startswith("https://")),
        CsrfTokens(derive_key(secret, "console")),
        TokenSealer(AeadCipher(secret, "console addresses")),
        HtmlTemplates(CONSOLE_FOLDER / "templates"),
        rate_limit_key_reader(container.guard.trusted_proxies),
        _sign_in_counter(container.metrics_registry.registry),
        _openid_sign_in(settings, container.clock),
    )


def _openid_sign_in(settings: ConsoleSettings, clock: Callable[[], datetime]) -> OpenIdSignIn | None:
    if settings.openid is None:
        return None
    return_url = f"{settings.public_url}/console/openid/callback"
    return OpenIdSignIn.from_provider(IdentityProvider(settings.openid, return_url, clock))


def _sign_in_counter(registry: CollectorRegistry) -> Counter:
    return Counter(
        "dialtree_console_sign_ins",
        "Attempts to sign in to the support console, by outcome: ok, wrong, locked, refused or unavailable",
        ("outcome",),
        registry=registry,
    )
