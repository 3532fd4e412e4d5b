"""Screen renderer for USSD and SMS: pages of text with options and navigation keys."""

from collections.abc import Iterator

from menus.machine.list_options import more_key, numbered_choices, rows_of, voice_page_count
from menus.machine.list_options import unselectable_lines as lines
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import SURFACES, Surface, page_budget
from menus.machine.transitions_table import HOME
from menus.model.facts import Fact, Rows
from menus.model.reply import Reply
from menus.model.session import Session
from menus.render.voice import render_call_reply
from menus.text.gsm import prepare_text, to_wire_text
from menus.text.paginate import PageFooters, TextBlock, split_anywhere, split_into_pages

HELP_CHANNELS = ("agent", "voice")
"""Targets of a hand-over whose text already gives the number to call: its screen has no help line."""


def render_reply(menu: Menu, session: Session, note: str = "") -> Reply:
    """Render the reply for the session's screen; `note` names a text shown before it.

    The session keeps the note, because it moves the text after it to later pages.
    """
    if session.channel == "voice":
        return render_call_reply(menu, session, note)
    if note or session.notes:
        add_note(menu, session, note)
    node, texts = menu.nodes[session.state], render_pages(menu, session)
    channel = SURFACES[session.channel].channel
    page = texts[min(session.page, len(texts) - 1)]
    return Reply(channel, session.language, node.name, session.turn, page, ends_session=node.is_final)


def as_message(menu: Menu, session: Session) -> str:
    """Render the screen as a message that cannot be answered: its text and rows, without keys."""
    node = menu.nodes[session.state]
    rows = (
        [_fill_text(menu, session, node.each.text, row) for row in rows_of(node, session)] if node.each else []
    )
    return to_wire_text(prepare_text("\n".join([_fill_text(menu, session, node.text, session.facts), *rows])))


def page_count(menu: Menu, session: Session) -> int:
    """Return the number of pages of the session's screen."""
    if session.channel == "voice":
        return voice_page_count(menu, session, menu.nodes[session.state])
    return len(render_pages(menu, session))


def add_note(menu: Menu, session: Session, note: str) -> None:
    """Show a note before the session's current page; notes on this and later pages are dropped."""
    before = tuple(earlier for earlier in session.notes if earlier[0] < session.page)
    words = _fill_text(menu, session, note, session.facts) if note else ""
    session.notes = (*before, (session.page, words)) if words else before


def render_pages(menu: Menu, session: Session) -> tuple[str, ...]:
    """Return all pages of the screen for USSD or SMS; pages of static screens are cached in the menu."""
    if session.notes or not menu.is_static(session.state, session.language, session.channel):
        return _paginate_screen(menu, session)
    surface = f"{session.channel} {session.page_size}"
    key = (session.state, session.language, surface, min(len(session.trail), 2))
    cached = menu.page_cache.get(key)
    if cached is None:
        cached = menu.page_cache[key] = _paginate_screen(menu, session)
    return cached


def _paginate_screen(menu: Menu, session: Session) -> tuple[str, ...]:
    node, budget = menu.nodes[session.state], page_budget(session.channel, session.page_size)
    blocks = list(_text_blocks(menu, session, node))
    return split_anywhere(blocks, _page_footers(menu, session, node), budget, session.notes)


def render_unbroken_pages(menu: Menu, session: Session) -> tuple[str, ...]:
    """Return all pages of the screen without breaking words; PageOverflowError where that is not possible."""
    node, budget = menu.nodes[session.state], page_budget(session.channel, session.page_size)
    blocks = list(_text_blocks(menu, session, node))
    return split_into_pages(blocks, _page_footers(menu, session, node), budget, session.notes)


def _text_blocks(menu: Menu, session: Session, node: Node) -> Iterator[TextBlock]:
    """Yield the screen's text, which may be broken, then each row and option, which may not."""
    text = _fill_text(menu, session, node.text, session.facts)
    if text:
        yield TextBlock(text, is_unbreakable=False)
    for line in lines(menu, session, node):
        yield TextBlock(line, is_unbreakable=True)
    for key, text in numbered_choices(menu, session, node):
        yield TextBlock(f"{key} {text}", is_unbreakable=True)


def _fill_text(menu: Menu, session: Session, name: str, facts: dict[str, Fact | Rows]) -> str:
    return menu.fill_text(name, session.language, session.channel, facts)


def _page_footers(menu: Menu, session: Session, node: Node) -> PageFooters:
    """Return the navigation lines: more, back or exit, home. A final screen says where help is (R10)."""
    if session.channel == "sms" and (node.is_final or node.kind == "message"):
        return PageFooters()
    if node.is_final:
        help_line = "" if _names_help(menu, session, node) else _fill_text(menu, session, "nav.help", {})
        return PageFooters(help_line, help_line, help_line, help_line)
    surface = SURFACES[session.channel]
    back = f"{surface.back} {_fill_text(menu, session, 'nav.back', {})}"
    back_or_leave = back if session.state != HOME else _leave_label(menu, session, surface)
    home = f" {surface.home} {_fill_text(menu, session, 'nav.home', {})}" if len(session.trail) > 1 else ""
    more = f"{more_key(node, session)} {_fill_text(menu, session, 'nav.more', {})} "
    return PageFooters(back_or_leave + home, more + back_or_leave + home, more + back + home, back + home)


def _names_help(menu: Menu, session: Session, node: Node) -> bool:
    """Return whether the screen itself gives the number to call."""
    language_pack = menu.language_pack(session.language, session.channel)
    template = language_pack.catalogue.template_for(node.text, session.channel)
    return node.via in HELP_CHANNELS or "voice" in template.slots


def _leave_label(menu: Menu, session: Session, surface: Surface) -> str:
    """Return the label that ends the session from home; empty for SMS, which has none."""
    return f"{surface.leave} {_fill_text(menu, session, 'nav.leave', {})}" if surface.leave else ""
