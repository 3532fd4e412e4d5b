"""Screen renderer for USSD and SMS: pages of text with options and navigation keys."""

from collections.abc import Iterator

from menus.machine.menu import Menu
from menus.machine.options import hearings, listed, more_key, options
from menus.machine.options import told as lines
from menus.machine.screen import Node
from menus.machine.surface import SURFACES, Surface
from menus.machine.transitions_table import HOME
from menus.model.facts import Fact, Rows
from menus.model.reply import Reply
from menus.model.session import Session
from menus.render.voice import spoken
from menus.text.gsm import plain, prepare
from menus.text.paginate import Block, Feet, pages

CALLS = ("agent", "voice")
"""Targets of a hand-over whose text already says whom to call: its screen has no help line."""


def show(menu: Menu, session: Session, note: str = "") -> Reply:
    """Render the reply for the session's screen; `note` names a text shown before it.

    The session keeps the note, because it moves the text after it to later pages.
    """
    if session.channel == "voice":
        return spoken(menu, session, note)
    if note or session.notes:
        remark(menu, session, note)
    node, texts = menu.nodes[session.state], written(menu, session)
    channel = SURFACES[session.channel].channel
    page = texts[min(session.page, len(texts) - 1)]
    return Reply(channel, session.language, node.name, session.turn, page, ends=node.closes)


def told(menu: Menu, session: Session) -> str:
    """Render the screen as a message that cannot be answered: its text and rows, without keys."""
    node = menu.nodes[session.state]
    rows = [_words(menu, session, node.each.text, row) for row in listed(node, session)] if node.each else []
    return plain(prepare("\n".join([_words(menu, session, node.text, session.facts), *rows])))


def page_count(menu: Menu, session: Session) -> int:
    """Return the number of pages of the session's screen."""
    if session.channel == "voice":
        return hearings(menu, session, menu.nodes[session.state])
    return len(written(menu, session))


def remark(menu: Menu, session: Session, note: str) -> None:
    """Show a note before the session's current page; notes on this and later pages are dropped."""
    before = tuple(earlier for earlier in session.notes if earlier[0] < session.page)
    words = _words(menu, session, note, session.facts) if note else ""
    session.notes = (*before, (session.page, words)) if words else before


def written(menu: Menu, session: Session) -> tuple[str, ...]:
    """Return all pages of the screen for USSD or SMS; pages of static screens are cached in the menu."""
    if session.notes or not menu.fixed(session.state, session.language, session.channel):
        return _pages(menu, session)
    key = (session.state, session.language, session.channel, min(len(session.trail), 2))
    cached = menu.pages.get(key)
    if cached is None:
        cached = menu.pages[key] = _pages(menu, session)
    return cached


def _pages(menu: Menu, session: Session) -> tuple[str, ...]:
    node, surface = menu.nodes[session.state], SURFACES[session.channel]
    blocks = list(_blocks(menu, session, node))
    return pages(blocks, _feet(menu, session, node), surface.budget, session.notes)


def _blocks(menu: Menu, session: Session, node: Node) -> Iterator[Block]:
    """Yield the screen's text, which may be broken, then each row and option, which may not."""
    text = _words(menu, session, node.text, session.facts)
    if text:
        yield Block(text, whole=False)
    for line in lines(menu, session, node):
        yield Block(line, whole=True)
    for key, text in options(menu, session, node):
        yield Block(f"{key} {text}", whole=True)


def _words(menu: Menu, session: Session, name: str, facts: dict[str, Fact | Rows]) -> str:
    return menu.words(name, session.language, session.channel, facts)


def _feet(menu: Menu, session: Session, node: Node) -> Feet:
    """Return the navigation lines: more, back or exit, home. A final screen says where help is (R10)."""
    if session.channel == "sms" and (node.closes or node.kind == "message"):
        return Feet()
    if node.closes:
        help_line = "" if node.via in CALLS else _words(menu, session, "nav.help", {})
        return Feet(help_line, help_line, help_line, help_line)
    surface = SURFACES[session.channel]
    back = f"{surface.back} {_words(menu, session, 'nav.back', {})}"
    back_or_leave = back if session.state != HOME else _leave(menu, session, surface)
    home = f" {surface.home} {_words(menu, session, 'nav.home', {})}" if len(session.trail) > 1 else ""
    more = f"{more_key(node, session)} {_words(menu, session, 'nav.more', {})} "
    return Feet(back_or_leave + home, more + back_or_leave + home, more + back + home, back + home)


def _leave(menu: Menu, session: Session, surface: Surface) -> str:
    """Return the label that ends the session from home; empty for SMS, which has none."""
    return f"{surface.leave} {_words(menu, session, 'nav.leave', {})}" if surface.leave else ""
