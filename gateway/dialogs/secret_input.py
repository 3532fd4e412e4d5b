"""Secret input detection: keeps passwords and codes out of histories and shown requests."""

from menus.machine.menu import Menu


def is_secret(menu: Menu, screen: str, verb: str, argument: str) -> bool:
    """Return whether an answer at a screen or an SMS (`477 ThankYou1`) is a secret."""
    node = menu.nodes.get(screen)
    if verb in (">", "text") and node is not None and node.is_secret:
        return True
    return verb == "text" and _is_password(menu, argument.partition(" ")[2])


def _is_password(menu: Menu, body: str) -> bool:
    """Return whether an SMS is shaped like a password or carries a code after its keyword."""
    meaning = menu.keywords.match_keyword(body) or menu.keywords.match_password(body)
    return meaning is not None and meaning.is_secret
