"""A visit: one request for a page, with everything a page may ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from flows.domain.actions import World
from menus.machine.menu import Menu
from menus.model.facts import Fact, Rows


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. What was typed (`fields`) may be secret and goes nowhere but into a port."""

    menu: Menu = field(repr=False)
    world: World = field(repr=False)
    path: str
    """Where forms are posted: the page's own path, without a query."""
    language: str
    languages: tuple[str, ...]
    """Those the page could be had in."""
    asked: bool
    """Was the language asked for in the address? Then it is carried along."""
    form_token: str = field(repr=False)
    sitting: str = field(repr=False)
    """The token of the visitor's sitting at the bill; empty when there is none."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    source: str = field(default="", repr=False)
    """Where the request came from, to count by."""

    @property
    def operator(self) -> str:
        """The operator's name outside."""
        return self.menu.name

    @property
    def now(self) -> datetime:
        """The instant, UTC."""
        return self.world.now()

    @property
    def here(self) -> str:
        """The page's address with the language that was asked for."""
        return f"{self.path}?lang={self.language}" if self.asked else self.path

    def said(self, name: str, facts: Mapping[str, Fact | Rows] | None = None) -> str:
        """A text of the catalogue as plain words."""
        return self.menu.words(name, self.language, "web", facts or {})

    def words(self, name: str, facts: Mapping[str, Fact | Rows] | None = None) -> str:
        """A text of the catalogue, ready to stand in HTML."""
        return escape(self.said(name, facts))

    def fact(self, fact: Fact) -> str:
        """A fact as this language writes it, plain."""
        return self.menu.tongues[self.language].show(fact, "web")
