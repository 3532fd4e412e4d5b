"""Choices: the numbered options of a screen, the same on every surface."""

from collections.abc import Iterator
from math import ceil

from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.model.facts import Fact, Rows
from menus.model.session import Session


def listed(node: Node, session: Session) -> list[dict[str, Fact | Rows]]:
    """The rows of an `each` screen, as facts."""
    rows = session.facts.get(node.each.of) if node.each else None
    return [rows.row(index) for index in range(len(rows.rows))] if isinstance(rows, Rows) else []


def offered(node: Node, session: Session) -> list[dict[str, Fact | Rows]]:
    """The rows that may be picked: none where they are only told."""
    return listed(node, session) if node.each and node.each.to else []


def told(menu: Menu, session: Session, node: Node) -> Iterator[str]:
    """The rows that are only told, one line each."""
    if node.each and not node.each.to:
        for row in listed(node, session):
            yield menu.words(node.each.text, session.language, session.channel, row)


def options(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """The screen's options on the session's channel as (key, text), rows first."""
    channel, language = session.channel, session.language
    if node.each:
        for index, row in enumerate(offered(node, session), 1):
            yield str(index), menu.words(node.each.text, language, channel, row)
    for option in node.options:
        if channel in option.keys:
            yield option.keys[channel], menu.words(option.text, language, channel, session.facts)


def hearings(menu: Menu, session: Session, node: Node) -> int:
    """How many pages a caller hears: rows to pick from by as many as the pack says, others all at once."""
    return max(1, ceil(len(offered(node, session)) / menu.form.voice.rows))


def heard(menu: Menu, session: Session) -> slice:
    """The rows to pick from that a caller hears on the page the session is on."""
    first = session.page * menu.form.voice.rows
    return slice(first, first + menu.form.voice.rows)


def more_key(node: Node, session: Session) -> str:
    """The key that turns the page: out of the way of the screen's own options."""
    surface = SURFACES[session.channel]
    taken = len(offered(node, session)) >= 9 or (session.channel, surface.more) in node.keys
    return surface.wide_more if taken else surface.more
