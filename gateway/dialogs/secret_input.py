"""Secrecy: whether something typed or texted is a secret, so that no history and no page keeps it."""

from menus.machine.menu import Menu


def secret(menu: Menu, screen: str, verb: str, said: str) -> bool:
    """Is an answer at a screen, or a text of an operator's number (`477 ThankYou1`), a secret?"""
    node = menu.nodes.get(screen)
    if verb in (">", "text") and node is not None and node.secret:
        return True
    return verb == "text" and _password(menu, said.partition(" ")[2])


def _password(menu: Menu, body: str) -> bool:
    """A text that is shaped like a password, or that brings a code behind its keyword."""
    meaning = menu.keywords.meaning(body) or menu.keywords.password(body)
    return meaning is not None and meaning.secret
