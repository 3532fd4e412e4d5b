"""Choices: the numbered options of a screen, the same on every surface."""

from collections.abc import Iterator

from menus.facts import Fact, Rows
from menus.menu import Menu
from menus.screen import Node
from menus.session import Session
from menus.surface import SURFACES


def listed(node: Node, session: Session) -> list[dict[str, Fact | Rows]]:
    """The rows an `each` screen offers, as facts."""
    rows = session.facts.get(node.each.of) if node.each else None
    return [rows.row(index) for index in range(len(rows.rows))] if isinstance(rows, Rows) else []


def options(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """The screen's options on the session's channel as (key, text), rows first."""
    channel, language = session.channel, session.language
    if node.each:
        for index, row in enumerate(listed(node, session), 1):
            yield str(index), menu.words(node.each.text, language, channel, row)
    for option in node.options:
        if channel in option.keys:
            yield option.keys[channel], menu.words(option.text, language, channel, session.facts)


def more_key(node: Node, session: Session) -> str:
    """The key that turns the page: out of the way of the screen's own options."""
    surface = SURFACES[session.channel]
    taken = len(listed(node, session)) >= 9 or (session.channel, surface.more) in node.keys
    return surface.wide_more if taken else surface.more
