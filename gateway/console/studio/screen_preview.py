"""Previews of a screen: each page as the handset shows it, with its size, alphabet and SMS parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.selfcare.sample_facts import SAMPLE_FACTS
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.surface import page_budget
from menus.machine.transitions_table import HOME
from menus.model.reply import Channel
from menus.packfile.schema import CHANNELS
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft
from menus.packs.overflow_checks import sample_session, widest_facts
from menus.render.text_screen import render_pages
from menus.render.voice import render_call_reply
from menus.text.gsm import count_segments, measure_text
from menus.text.paginate import PageOverflowError


@dataclass(frozen=True, slots=True)
class PagePreview:
    """One page: a USSD page, one SMS, or all that a call says."""

    text: str = field(repr=False)
    alphabet: str = ""
    """`gsm7` or `ucs2`; empty for a call."""
    units: int = 0
    """Septets in `gsm7`, UTF-16 code units in `ucs2`."""
    most_units: int = 0
    """Units the page may have in its alphabet."""
    parts: int = 0
    """SMS parts the page is billed as; 0 for other channels."""


@dataclass(frozen=True, slots=True)
class ChannelPreview:
    """A screen on one channel."""

    channel: Channel
    is_reachable: bool
    """Whether a subscriber can come to the screen on this channel."""
    pages: Sequence[PagePreview] | None
    """Its pages; None where a placeholder or text is missing, which a finding says."""


def preview_channels(draft: PackDraft, menu: Menu, node: Node, language: str) -> Sequence[ChannelPreview]:
    """Return a screen as every channel shows it."""
    return [
        ChannelPreview(
            channel,
            node.name in reachable_nodes(draft, channel),
            preview_screen(menu, node.name, channel, language),
        )
        for channel in CHANNELS
    ]


def preview_screen(menu: Menu, name: str, channel: Channel, language: str) -> Sequence[PagePreview] | None:
    """Return the pages of a screen in a language, with the longest names and amounts.

    None where a text or placeholder does not exist, or one page cannot hold a piece: findings say which.
    """
    try:
        return _render_pages(menu, name, channel, language)
    except (KeyError, PageOverflowError):
        return None


def _render_pages(menu: Menu, name: str, channel: Channel, language: str) -> Sequence[PagePreview]:
    language_pack = menu.language_pack(language, channel)
    facts = widest_facts(language_pack, SAMPLE_FACTS)
    session = sample_session(menu, language_pack, (channel, ""), menu.nodes[name], facts)
    if name == HOME:
        session.trail = ()
    if channel == "voice":
        reply = render_call_reply(menu, session)
        return [PagePreview("\n".join(each.text for each in reply.prompts))]
    return [_measure_page(page, channel) for page in render_pages(menu, session)]


def _measure_page(page: str, channel: Channel) -> PagePreview:
    size, budget = measure_text(page), page_budget(channel)
    most = budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2
    parts = count_segments(page) if channel == "sms" else 0
    return PagePreview(page, size.alphabet, size.units, most, parts)
