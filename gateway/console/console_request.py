"""One request of a signed-in user: who asks, in which language, with which form fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flows.domain.records import AuditEntry, Secret
from gateway.console.console_site import ConsoleSite
from gateway.console.console_texts import CONSOLE_LANGUAGES, console_word, fill_console_text
from gateway.console.user_file import ConsoleRole, ConsoleUser
from gateway.pages.csrf import CSRF_FIELD, is_seed
from gateway.pages.languages import text_direction

SESSION_COOKIE, FORM_COOKIE, LANGUAGE_COOKIE = "console", "console_form", "console_language"
AUDIT_CHANNEL = "console"
"""Channel of the audit entries of staff; their `correlation` is the user's name."""
MAX_ID_DIGITS = 18
"""Digits of a row's id that fit into 64 bits."""


class ConsolePage(NamedTuple):
    """A page of the console's menu: its path, the text that names it, who may open it."""

    path: str
    text: str
    roles: tuple[ConsoleRole, ...]


PEOPLE_ROLES: tuple[ConsoleRole, ...] = ("support", "auditor")
ERASURE_ROLES: tuple[ConsoleRole, ...] = ("auditor", "operations")
QUEUE_ROLES: tuple[ConsoleRole, ...] = ("operations",)
AUDIT_ROLES: tuple[ConsoleRole, ...] = ("auditor",)
MENU_ROLES: tuple[ConsoleRole, ...] = ("menus",)
MENUS_PATH = "/console/menus"
CONSOLE_PAGES: tuple[ConsolePage, ...] = (
    ConsolePage("/console/people", "people", PEOPLE_ROLES),
    ConsolePage(MENUS_PATH, "menus", MENU_ROLES),
    ConsolePage("/console/queues", "queues", QUEUE_ROLES),
    ConsolePage("/console/erasures", "erasures", ERASURE_ROLES),
    ConsolePage("/console/staff", "staff", AUDIT_ROLES),
)
"""The pages in the order of the menu; a sign-in leads to the first the user may open."""


@dataclass(frozen=True, slots=True)
class ConsoleRequest:
    """A request whose session was found; its form fields came with a valid CSRF token."""

    site: ConsoleSite = field(repr=False)
    user: ConsoleUser
    token: Secret
    """The session's token."""
    language: str
    path: str
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values in the path, by name."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values behind the question mark of the address; what a page is filtered by, never anybody's number."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    note: str = ""
    """Name of the text that says what the action before did; empty after none."""

    @property
    def now(self) -> datetime:
        """The current time, UTC."""
        return self.site.container.clock()

    @property
    def operators(self) -> frozenset[str]:
        """The operators served whose people and messages the user may see."""
        return self.user.operators & self.site.container.operators.keys()

    @property
    def allowed_pages(self) -> list[ConsolePage]:
        """The pages the user may open."""
        return [page for page in CONSOLE_PAGES if self.user.has_role(*page.roles)]

    def text(self, name: str, **values: object) -> str:
        """Return a text in the language of the request."""
        return fill_console_text(self.language, name, **values)

    def word(self, group: str, word: str) -> str:
        """Return what a state, kind or action is called in this language; the word itself if nothing else."""
        return console_word(self.language, group, word)

    def form_token(self, path: str) -> str:
        """Return the CSRF token of a form posted to this path."""
        return self.site.csrf_tokens.form_token(self.token.value, path)

    def form_key(self, action: str) -> str:
        """Return the idempotency key of a form: its nonce is the same when a browser sends it twice."""
        nonce = self.fields.get("nonce", "")
        return f"console/{self.user.name}/{action}/{nonce if is_seed(nonce) else ''}"

    def local_time(self, at: datetime, operator: str) -> str:
        """Return an instant in the operator's time zone, to the minute."""
        zone = self.site.container.menu_versions.current_menu(operator).config.time_zone
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"

    def clock_time(self, at: datetime, operator: str) -> str:
        """Return the time of day in the operator's time zone, to the second."""
        zone = self.site.container.menu_versions.current_menu(operator).config.time_zone
        return f"{at.astimezone(ZoneInfo(zone)):%H:%M:%S}"

    def audit_entry(
        self, operator: str, number: str, action: str, what: str = "", outcome: str = "ok"
    ) -> AuditEntry:
        """Build the audit entry of what the user does with a person's data."""
        name = self.user.name
        return AuditEntry(operator, number or name, action, self.now, AUDIT_CHANNEL, what, outcome, name)

    def layout_values(self) -> dict[str, Any]:
        """Return what every page of a signed-in user shows."""
        return {
            **page_frame(self.language, self.path),
            "user": self.user,
            "pages": self.allowed_pages,
            "word": self.word,
            "csrf_field": CSRF_FIELD,
            "form_token": self.form_token,
        }


def parse_row_id(text: str) -> int | None:
    """Return a row's id as a form or an address has it; None for a text that is none."""
    return int(text) if text.isdecimal() and len(text) <= MAX_ID_DIGITS else None


def page_frame(language: str, path: str) -> dict[str, Any]:
    """Return what every page shows, signed in or not."""
    return {
        "language": language,
        "languages": CONSOLE_LANGUAGES,
        "direction": text_direction(language),
        "path": path,
        "user": None,
        "text": lambda name, **values: fill_console_text(language, name, **values),
    }
