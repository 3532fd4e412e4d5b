"""Options left out of a menu: those that lead only to steps which billing cannot serve."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from menus.machine.menu import Menu
from menus.machine.screen import Node


def without_options_to(menu: Menu, unavailable_actions: Collection[str]) -> Menu:
    """Return the menu without options to steps of these actions, nor to screens that offer nothing else.

    Keys of other options stay as they are. The screens themselves stay, so that keywords and live sessions
    that lead there still get an answer.
    """
    hidden = {name for name, node in menu.nodes.items() if node.action in unavailable_actions}
    while added := {name for name, node in menu.nodes.items() if _offers_nothing(node, hidden)} - hidden:
        hidden |= added
    if not hidden:
        return menu
    nodes: Mapping[str, Node] = {name: _without_options(node, hidden) for name, node in menu.nodes.items()}
    return replace(menu, nodes=nodes, page_cache={}, static_screens={})


def _without_options(node: Node, hidden: Collection[str]) -> Node:
    """Return the node without options to hidden places; the node itself if it has none."""
    options = tuple(each for each in node.options if each.to not in hidden)
    return node if len(options) == len(node.options) else replace(node, options=options)


def _offers_nothing(node: Node, hidden: Collection[str]) -> bool:
    """Return whether all options of a screen of options lead to hidden places."""
    return (
        node.kind == "choice"
        and not node.each
        and bool(node.options)
        and all(option.to in hidden for option in node.options)
    )
