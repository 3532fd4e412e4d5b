"""Numbered options of a screen and their keys: rows of a list, own options, the "more" key."""

from collections.abc import Iterator
from math import ceil

from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.model.facts import Fact, Rows
from menus.model.session import Session


def rows_of(node: Node, session: Session) -> list[dict[str, Fact | Rows]]:
    """Return the rows of an `each` screen as facts by column name."""
    rows = session.facts.get(node.each.rows_fact) if node.each else None
    return [rows.row(index) for index in range(len(rows.rows))] if isinstance(rows, Rows) else []


def selectable_rows(node: Node, session: Session) -> list[dict[str, Fact | Rows]]:
    """Return the rows that may be picked; none where the rows lead nowhere."""
    return rows_of(node, session) if node.each and node.each.to else []


def unselectable_lines(menu: Menu, session: Session, node: Node) -> Iterator[str]:
    """Yield one line for each row that is shown but cannot be picked."""
    if node.each and not node.each.to:
        for row in rows_of(node, session):
            yield menu.fill_text(node.each.text, session.language, session.channel, row)


def numbered_choices(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """Yield the choices on the session's channel as (key, text): rows, numbered from 1, then own options."""
    channel, language = session.channel, session.language
    if node.each:
        for index, row in enumerate(selectable_rows(node, session), 1):
            yield str(index), menu.fill_text(node.each.text, language, channel, row)
    for option in node.options:
        if channel in option.keys:
            yield option.keys[channel], menu.fill_text(option.text, language, channel, session.facts)


def voice_page_count(menu: Menu, session: Session, node: Node) -> int:
    """Return the number of pages in a call: selectable rows are read `voice.rows` at a time."""
    return max(1, ceil(len(selectable_rows(node, session)) / menu.config.voice.rows))


def rows_on_page(menu: Menu, session: Session) -> slice:
    """Return the slice of selectable rows that is read on the session's page of a call."""
    first = session.page * menu.config.voice.rows
    return slice(first, first + menu.config.voice.rows)


def more_key(node: Node, session: Session) -> str:
    """Return the key for the next page: the surface's longer one when an option has the usual key."""
    surface = SURFACES[session.channel]
    in_use = len(selectable_rows(node, session)) >= 9 or (session.channel, surface.more) in node.options_by_key
    return surface.wide_more if in_use else surface.more
