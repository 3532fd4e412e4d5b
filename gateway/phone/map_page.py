"""Menu map page: an operator's menu graph with funnel counts (reached, left, failed)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from flows.engine.menu_versions import Shelf
from gateway.menu_map import svg
from gateway.observability.funnel import Count, Funnel
from gateway.publishing import pack_compiler
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import PackError
from menus.packs.graph import chart
from menus.packs.loader import draft


@dataclass(frozen=True, slots=True)
class Maps:
    """Renders the menu map with the funnel on it."""

    shelf: Shelf = field(repr=False)
    funnel: Funnel = field(repr=False)
    where: Callable[[str], Path] = pack_compiler.folder

    def page(self, operator: str, channel: str, path: Sequence[str] = ()) -> str:
        """Return the page with a path highlighted; an unknown operator or channel gets the first one."""
        operator = operator if operator in self.shelf.menus else next(iter(self.shelf.menus))
        channel = channel if channel in CHANNELS else "ussd"
        counts = self.funnel.counts(operator, channel)
        return PAGE.format(
            title=escape(f"{operator} on {channel}"),
            operators="".join(_option(name, operator) for name in self.shelf.menus),
            channels="".join(_option(name, channel) for name in CHANNELS),
            drawing=_drawing(self.where(operator), channel, counts, path),
            rows="".join(_rows(counts)),
        )


def _drawing(pack: Path, channel: str, counts: Mapping[str, Count], path: Sequence[str]) -> str:
    notes = {name: _note(count) for name, count in counts.items()}
    try:
        return svg.draw(chart(draft(pack, pack_compiler.PLACES), channel), svg.Marks(path, notes))
    except PackError as error:
        return f"<pre>{escape(str(error))}</pre>"


def _note(count: Count) -> str:
    parts = [f"{count.reached} reached"]
    parts += [f"{count.left} left"] if count.left else []
    return ", ".join(parts + ([f"{count.failed} failed"] if count.failed else []))


def _option(name: str, chosen: str) -> str:
    return f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>"


def _rows(counts: Mapping[str, Count]) -> Iterator[str]:
    for name, count in sorted(counts.items(), key=lambda row: -row[1].reached):
        yield (
            f"<tr><th scope=row>{escape(name)}</th><td>{count.reached}</td><td>{count.left}</td>"
            f"<td>{count.failed}</td></tr>"
        )


PAGE = """<!doctype html>
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
