"""Page counts: how many pages each screen takes on USSD and SMS, in each language."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from menus.machine.menu import Menu
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft
from menus.packs.overflow_checks import (
    CHECKED_PAGES,
    SampleFacts,
    sample_cases,
    sample_session,
    widest_facts,
)
from menus.render.text_screen import render_unbroken_pages


@dataclass(frozen=True, slots=True, order=True)
class ScreenPages:
    """How many pages a screen takes on one channel in one language."""

    channel: str
    language: str
    node: str
    page_count: int


def count_screen_pages(draft: PackDraft, menu: Menu, samples: SampleFacts) -> Iterator[ScreenPages]:
    """Yield the pages of every screen of a pack without findings, at the smallest page size of its channel."""
    for language, language_pack in menu.language_packs.items():
        facts = widest_facts(language_pack, samples)
        for channel, size in CHECKED_PAGES:
            for name in sorted(reachable_nodes(draft, channel)):
                node = menu.nodes[name]
                sessions = (
                    sample_session(menu, language_pack, (channel, size), node, case)
                    for case in sample_cases(language_pack, channel, node, facts, samples)
                )
                counts = [len(render_unbroken_pages(menu, session)) for session in sessions]
                if counts:
                    yield ScreenPages(channel, language, name, max(counts))


def summarise_pages(counted: Sequence[ScreenPages]) -> Iterator[str]:
    """Yield a line for each channel: on how many pages its screens are, each in its longest language."""
    for channel in sorted({each.channel for each in counted}):
        longest: dict[str, int] = {}
        for each in counted:
            if each.channel == channel:
                longest[each.node] = max(longest.get(each.node, 0), each.page_count)
        screens = sorted(Counter(longest.values()).items())
        yield f"{channel}: " + ", ".join(_describe_count(count, pages) for pages, count in screens)


def _describe_count(screen_count: int, page_count: int) -> str:
    screens = "1 screen" if screen_count == 1 else f"{screen_count} screens"
    return f"{screens} on {'1 page' if page_count == 1 else f'{page_count} pages'}"
