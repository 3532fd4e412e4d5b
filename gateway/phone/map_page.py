"""Menu map page: an operator's menu graph with funnel counts (reached, left, failed)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from flows.engine.menu_versions import MenuVersions
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
    locate_pack: Callable[[str], Path] = pack_compiler.pack_folder

    def render(self, operator: str, channel: str, path: Sequence[str] = ()) -> str:
        """Return the page with a path highlighted; an unknown operator or channel gets the first one."""
        operator = operator if operator in self.menu_versions.menus else next(iter(self.menu_versions.menus))
        channel = channel if channel in CHANNELS else "ussd"
        counts = self.funnel.channel_counts(operator, channel)
        return PAGE_TEMPLATE.format(
            title=escape(f"{operator} on {channel}"),
            operators="".join(_html_option(name, operator) for name in self.menu_versions.menus),
            channels="".join(_html_option(name, channel) for name in CHANNELS),
            drawing=_draw_map(self.locate_pack(operator), channel, counts, path),
            rows="".join(_funnel_rows(counts)),
        )


def _draw_map(pack: Path, channel: str, counts: Mapping[str, ScreenCounts], path: Sequence[str]) -> str:
    notes = {name: _funnel_note(count) for name, count in counts.items()}
    try:
        return svg.draw_graph(
            build_menu_graph(load_draft(pack, pack_compiler.SHARED_PLACES), channel), svg.Overlay(path, notes)
        )
    except PackError as error:
        return f"<pre>{escape(str(error))}</pre>"


def _funnel_note(count: ScreenCounts) -> str:
    parts = [f"{count.visits} reached"]
    parts += [f"{count.abandonments} left"] if count.abandonments else []
    return ", ".join(parts + ([f"{count.failures} failed"] if count.failures else []))


def _html_option(name: str, selected: str) -> str:
    return f"<option{' selected' if name == selected else ''}>{escape(name)}</option>"


def _funnel_rows(counts: Mapping[str, ScreenCounts]) -> Iterator[str]:
    for name, count in sorted(counts.items(), key=lambda row: -row[1].visits):
        yield (
            f"<tr><th scope=row>{escape(name)}</th><td>{count.visits}</td><td>{count.abandonments}</td>"
            f"<td>{count.failures}</td></tr>"
        )


PAGE_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/phone/icon.svg"><link rel="stylesheet" href="/phone/phone.css"></head>
<body class="map"><header><h1>{title}</h1><form method="get" action="/phone/map">
<label>Operator <select name="operator">{operators}</select></label>
<label>Channel <select name="channel">{channels}</select></label>
<button>Show</button> <a href="/phone">The phone</a></form></header>
<main><section class="chart" tabindex="0" aria-label="Map">{drawing}</section>
<section><h2>Funnel</h2><table><thead><tr><th>Screen</th><th>Reached</th><th>Left</th><th>Failed</th></tr></thead>
<tbody>{rows}</tbody></table></section></main></body></html>
"""
