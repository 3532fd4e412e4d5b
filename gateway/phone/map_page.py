"""Menu map page: an operator's screens with their words, and funnel counts (reached, left, failed)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from flows.engine.menu_versions import MenuVersions
from gateway.http.html_templates import HtmlTemplates
from gateway.menu_map import svg
from gateway.menu_map.screen_cards import list_cards
from gateway.observability.funnel import Funnel, ScreenCounts
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import PackError
from menus.packs.graph import build_menu_graph
from menus.packs.loader import load_draft


@dataclass(frozen=True, slots=True)
class MapPage:
    """Renders the menu map with the funnel on it."""

    menu_versions: MenuVersions = field(repr=False)
    funnel: Funnel = field(repr=False)
    templates: HtmlTemplates = field(repr=False)
    locate_pack: Callable[[str], Path] = pack_compiler.pack_folder

    def render(self, query: Mapping[str, str]) -> str:
        """Return the page a query asks for; an unknown operator, channel or language gets the first one."""
        operator = _known(query.get("operator", ""), [*self.menu_versions.menus])
        channel, menu = _known(query.get("channel", ""), CHANNELS), self.menu_versions.current_menu(operator)
        language, words = _known(query.get("language", ""), [*menu.language_packs]), query.get("q", "")[:80]
        counts = self.funnel.channel_counts(operator, channel)
        values = {
            "operators": {each: self._name_operator(each) for each in self.menu_versions.menus},
            "operator": operator,
            "channels": CHANNELS,
            "channel": channel,
            "languages": [*menu.language_packs],
            "language": language,
            "words": words,
            "counts": sorted(counts.items(), key=lambda row: -row[1].visits),
            **self._draw_map(menu, (channel, language), query.get("path", "").split(), words),
        }
        return self.templates.render("map.html", values)

    def _draw_map(self, menu: Menu, shown: tuple[str, str], path: Sequence[str], words: str) -> dict[str, Any]:
        """Return the drawing and the screens with the words searched for, or why the pack cannot be drawn."""
        channel, language = shown
        counts = self.funnel.channel_counts(menu.name, channel)
        notes = {name: _funnel_note(count) for name, count in counts.items()}
        try:
            draft = load_draft(self.locate_pack(menu.name), pack_compiler.SHARED_PLACES)
            cards = list_cards(draft, menu, channel, language)
        except (PackError, KeyError) as error:
            return {"error": str(error), "cards": []}
        overlay = svg.Overlay(path, notes, {card.name: card.words for card in cards})
        drawing = svg.draw_graph(build_menu_graph(draft, channel), overlay)
        found = [card for card in cards if card.has_words(words)]
        return {"error": "", "drawing": Markup(drawing), "cards": found}  # noqa: S704  (the SVG writer escapes all)

    def _name_operator(self, name: str) -> str:
        """Return an operator's title with its name: two operators may have one title."""
        return f"{self.menu_versions.current_menu(name).config.title} ({name})"


def _known(value: str, known: Sequence[str]) -> str:
    """Return a value where it is known, else the first known one."""
    return value if value in known else known[0]


def _funnel_note(count: ScreenCounts) -> str:
    parts = [f"{count.visits} reached"]
    parts += [f"{count.abandonments} left"] if count.abandonments else []
    return ", ".join(parts + ([f"{count.failures} failed"] if count.failures else []))
