"""Menu map page: an operator's menu graph with funnel counts (reached, left, failed)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from flows.engine.menu_versions import MenuVersions
from gateway.http.html_templates import HtmlTemplates
from gateway.menu_map import svg
from gateway.observability.funnel import Funnel, ScreenCounts
from gateway.publishing import pack_compiler
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

    def render(self, operator: str, channel: str, path: Sequence[str] = ()) -> str:
        """Return the page with a path highlighted; an unknown operator or channel gets the first one."""
        operator = operator if operator in self.menu_versions.menus else next(iter(self.menu_versions.menus))
        channel = channel if channel in CHANNELS else "ussd"
        counts = self.funnel.channel_counts(operator, channel)
        by_visits = sorted(counts.items(), key=lambda row: -row[1].visits)
        values = {
            "operator": operator,
            "operators": tuple(self.menu_versions.menus),
            "channel": channel,
            "channels": CHANNELS,
            "counts": by_visits,
            **_draw_map(self.locate_pack(operator), channel, counts, path),
        }
        return self.templates.render("map.html", values)


def _draw_map(
    pack: Path, channel: str, counts: Mapping[str, ScreenCounts], path: Sequence[str]
) -> dict[str, str | Markup]:
    """Return the drawing, or the error of a pack on disk that cannot be drawn."""
    notes = {name: _funnel_note(count) for name, count in counts.items()}
    try:
        graph = build_menu_graph(load_draft(pack, pack_compiler.SHARED_PLACES), channel)
    except PackError as error:
        return {"error": str(error)}
    drawing = svg.draw_graph(graph, svg.Overlay(path, notes))
    return {"error": "", "drawing": Markup(drawing)}  # noqa: S704  (the SVG writer escapes all names)


def _funnel_note(count: ScreenCounts) -> str:
    parts = [f"{count.visits} reached"]
    parts += [f"{count.abandonments} left"] if count.abandonments else []
    return ", ".join(parts + ([f"{count.failures} failed"] if count.failures else []))
