"""Page request context: operator, language, login, form fields and ports of one request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.actions import OperatorPorts
from gateway.http.html_templates import HtmlTemplates
from menus.machine.menu import Menu
from menus.model.facts import Fact, Rows


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for a page. The form fields may hold secrets and are passed to ports only."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    templates: HtmlTemplates = field(repr=False)
    path: str
    """Where forms are posted: the page's own path, without a query."""
    language: str
    languages: tuple[str, ...]
    """Languages the page is available in."""
    language_requested: bool
    """Whether the URL or a magic link names the language; it is then kept in URLs."""
    form_token: str = field(repr=False)
    login_token: str = field(repr=False)
    """The token of the visitor's login at the bill; empty when there is none."""
    form_fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit_key: str = field(default="", repr=False)
    """What the client address is rate-limited by."""
    payment_id: str = field(default="", repr=False)
    """The payment the URL names; it opens the page of that payment's state and nothing else."""
    refresh_count: int = 0
    """How often the page has asked for itself again."""
    is_raw: bool = False
    """Whether the URL asks for files in their form for programs: `?format=raw`."""

    @property
    def operator(self) -> str:
        """The operator's name in URLs."""
        return self.menu.name

    @property
    def now(self) -> datetime:
        """The current time, UTC."""
        return self.ports.now()

    @property
    def self_url(self) -> str:
        """The page's URL path, with the language and the format if the request named them."""
        return self._url_naming([f"lang={self.language}"] if self.language_requested else [])

    def url_in(self, language: str) -> str:
        """Return the page's URL path in another language, with the format if the request named it."""
        return self._url_naming([f"lang={language}"])

    def _url_naming(self, named: list[str]) -> str:
        parameters = [*named, "format=raw"] if self.is_raw else named
        return f"{self.path}?{'&'.join(parameters)}" if parameters else self.path

    def plain_text(self, name: str, facts: Mapping[str, Fact | Rows] | None = None) -> str:
        """Return a text of the catalogue as plain text."""
        return self.menu.fill_text(name, self.language, "web", facts or {})

    def format_fact(self, fact: Fact) -> str:
        """Return a fact as this language writes it, plain text."""
        return self.menu.language_packs[self.language].format_fact(fact, "web")
