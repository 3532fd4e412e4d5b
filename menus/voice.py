"""Voice: a session's screen as prompts to speak and keys to wait for."""

import re
from collections.abc import Iterator

from menus.choices import offered, options, told
from menus.menu import Menu
from menus.reply import Gather, Prompt, Reply
from menus.screen import Node
from menus.session import Session

FIRST_SECONDS, BETWEEN_SECONDS = 8, 4
"""How long a caller may think before the first key, and between two."""
MOST_KEYS = 20
"""Keys one spoken input gathers at most."""
MONTH_KEYS = 4
"""A month is keyed in as MMYY."""
_SPACES = re.compile(r"\s+")


def spoken(menu: Menu, session: Session, note: str = "") -> Reply:
    """The reply a caller hears. After a wrong key or a silence only the choices are said again."""
    node = menu.nodes[session.state]
    prompts = tuple(Prompt("say", _SPACES.sub(" ", text)) for text in _said(menu, session, node, note) if text)
    return Reply(
        channel="voice",
        language=session.language,
        node=node.name,
        turn=session.turn,
        prompts=prompts,
        gather=None if node.closes else _gather(node, session),
        transfer=menu.form.numbers.agent if node.via == "agent" else "",
        ends=node.closes,
    )


def _said(menu: Menu, session: Session, node: Node, note: str) -> Iterator[str]:
    if note:
        yield menu.words(note, session.language, "voice", session.facts)
    yield menu.words(node.text, session.language, "voice", session.facts)
    yield from told(menu, session, node)
    for key, text in options(menu, session, node):
        yield _option(menu, session, key, text)
    if not node.closes:
        yield menu.words("nav.keys", session.language, "voice", {})


def _option(menu: Menu, session: Session, key: str, text: str) -> str:
    """One prompt per option, in the order the language says it: what first, then which key."""
    template = menu.tongues[session.language].catalogue.template("nav.option", "voice")
    return template.fill(lambda slot: key if slot == "key" else text)


def _gather(node: Node, session: Session) -> Gather:
    if node.accept:
        most = MONTH_KEYS if node.accept.type == "month" else node.accept.most
        most = most if node.accept.type in ("digits", "month") else MOST_KEYS
        return Gather(min(most, MOST_KEYS), "#", FIRST_SECONDS, BETWEEN_SECONDS)
    most, finish = (2, "#") if len(offered(node, session)) > 9 else (1, "")
    return Gather(most, finish, FIRST_SECONDS, BETWEEN_SECONDS)
