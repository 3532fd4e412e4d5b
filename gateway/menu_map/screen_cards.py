"""Screens of a menu map as cards: each with its words on a channel, and where its options lead."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flows.selfcare.sample_facts import SAMPLE_FACTS
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.transitions_table import HOME
from menus.model.facts import Fact, Rows
from menus.packs.graph import MenuGraph, build_menu_graph
from menus.packs.loader import PackDraft
from menus.packs.overflow_checks import widest_facts


@dataclass(frozen=True, slots=True)
class CardWay:
    """A way from a screen to another: an option, an input, an outcome."""

    label: str
    target: str


@dataclass(frozen=True, slots=True)
class ScreenCard:
    """A screen of the map."""

    name: str
    words: str
    ways: Sequence[CardWay]

    def has_words(self, words: str) -> bool:
        """Return whether the screen shows these words or has them in its name, in any case."""
        shown = " ".join([self.name, self.words, *(way.label for way in self.ways)])
        return words.casefold() in " ".join(shown.split()).casefold()


def list_cards(draft: PackDraft, menu: Menu | None, channel: str, language: str) -> Sequence[ScreenCard]:
    """Return the screens a subscriber can reach on a channel, in the order they are come to from home.

    Without a menu, which findings may keep from being built, they have no words.
    """
    graph = build_menu_graph(draft, channel)
    facts = widest_facts(draft.language_packs[language], SAMPLE_FACTS)
    return [
        ScreenCard(
            name,
            _shown_words(menu, draft.nodes[name], channel, language, facts),
            list(_list_ways(graph, menu, draft.nodes[name], channel, language, facts)),
        )
        for name in _order_nodes(graph)
    ]


def _order_nodes(graph: MenuGraph) -> Sequence[str]:
    """Return the names of the nodes breadth first from home; those not led to from there come last."""
    order, waiting = dict.fromkeys([HOME]), [HOME]
    targets: dict[str, list[str]] = {}
    for edge in graph.edges:
        targets.setdefault(edge.origin, []).append(edge.target)
    while waiting:
        found = [each for each in targets.get(waiting.pop(0), []) if each not in order]
        waiting += dict.fromkeys(found)
        order |= dict.fromkeys(found)
    names = dict.fromkeys(node.name for node in graph.nodes)
    return [name for name in order | names if name in names]


def _shown_words(
    menu: Menu | None, node: Node, channel: str, language: str, facts: Mapping[str, Fact | Rows]
) -> str:
    """Return the words of a screen; none for a step, and for a text that is missing, which a finding says."""
    return _fill(menu, node.text, channel, language, facts) if node.is_waiting else ""


def _list_ways(
    graph: MenuGraph,
    menu: Menu | None,
    node: Node,
    channel: str,
    language: str,
    facts: Mapping[str, Fact | Rows],
) -> Iterator[CardWay]:
    labels = {
        each.keys[channel]: _fill(menu, each.text, channel, language, facts)
        for each in node.options
        if channel in each.keys
    }
    for edge in graph.edges:
        if edge.origin == node.name and not edge.is_gate:
            label = f"{edge.label} {labels[edge.label]}" if edge.label in labels else edge.label
            yield CardWay(label, edge.target)


def _fill(menu: Menu | None, name: str, channel: str, language: str, facts: Mapping[str, Fact | Rows]) -> str:
    try:
        return menu.fill_text(name, language, channel, facts) if menu else ""
    except (KeyError, TypeError):  # a text or placeholder that does not exist: a finding says so
        return ""
