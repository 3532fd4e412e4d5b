"""Voice: a session's screen as prompts to speak and keys to wait for."""

import re
from collections.abc import Iterator

from menus.machine.menu import Menu
from menus.machine.options import heard, hearings, more_key, offered, options, told
from menus.machine.screen import Node
from menus.model.reply import Gather, Prompt, Reply
from menus.model.session import Session

MOST_KEYS = 20
"""Keys one spoken input gathers at most."""
MONTH_KEYS = 4
"""A month is keyed in as MMYY."""
SILENT, WRONG = "note.empty", "note.wrong"
"""Notes after which a screen is heard a second time, and shorter."""
UNCLEAR = "said.unclear"
"""What is said of an answer that was spoken, perhaps, and made no sense."""
_SPACES = re.compile(r"\s+")
_SAYS = re.compile(r"\w")


def spoken(menu: Menu, session: Session, note: str = "") -> Reply:
    """The reply a caller hears. After a wrong key or a silence only the choices are said again."""
    node, voice = menu.nodes[session.state], menu.form.voice
    agent = menu.form.numbers.agent if node.via == "agent" else ""
    return Reply(
        channel="voice",
        language=menu.tongue(session.language, "voice").language,
        node=node.name,
        turn=session.turn,
        prompts=tuple(_said(menu, session, node, note)),
        gather=None if node.closes else _gather(menu, node, session),
        transfer=agent,
        transfer_seconds=voice.agent_minutes * 60 if agent else 0,
        context=session.trail[-1] if agent and session.trail else "",
        ends=node.closes,
    )


def _said(menu: Menu, session: Session, node: Node, note: str) -> Iterator[Prompt]:
    again = note in (SILENT, WRONG)
    choices = list(_choices(menu, session, node))
    said = bool(node.accept and node.accept.speech)
    if note:
        yield from _text(menu, session, UNCLEAR if said and note == WRONG else note)
    yield from _opening(menu, session, node, note if choices or not again else "")
    if said:
        yield Prompt("invite", menu.words("said.invite", session.language, "voice", {}))
    for line in told(menu, session, node):
        yield from _say(line)
    for key, text in choices:
        yield from _say(_option(menu, session, key, text))
    if not node.closes and not again:
        yield from _text(menu, session, "nav.keys")


def _choices(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """The rows of this page, each with the key it has on any; then "more", or on the last the screen's own."""
    every, rows = list(options(menu, session, node)), len(offered(node, session))
    yield from every[:rows][heard(menu, session)]
    if session.page + 1 < hearings(menu, session, node):
        yield more_key(node, session), menu.words("nav.more", session.language, "voice", {})
    else:
        yield from every[rows:]


def _opening(menu: Menu, session: Session, node: Node, note: str) -> Iterator[Prompt]:
    """The screen's own words on its first page; the second time its short ones, or none before options."""
    if session.page:
        return
    if note not in (SILENT, WRONG):
        yield from _text(menu, session, node.text, short=bool(session.misses or session.silences))
    elif note == WRONG and _short(menu, session, node.text):
        yield from _text(menu, session, node.text, short=True)


def _short(menu: Menu, session: Session, name: str) -> bool:
    return "short" in menu.tongue(session.language, "voice").catalogue.entries[name].variants


def _text(menu: Menu, session: Session, name: str, *, short: bool = False) -> Iterator[Prompt]:
    """A text of the catalogue: its recording, or its words with the digits of numbers one by one."""
    file = menu.recordings.get((menu.tongue(session.language, "voice").language, name))
    if file and not short:
        yield Prompt("play", menu.said_by(file), file)
        return
    channel = "short" if short and _short(menu, session, name) else "voice"
    words = ""
    for piece, singly in menu.heard(name, session.language, channel, session.facts):
        if not singly:
            words += piece
            continue
        yield from _say(words)
        yield Prompt("digits", piece)
        words = ""
    yield from _say(words)


def _say(text: str) -> Iterator[Prompt]:
    """Words, unless there is nothing in them to say."""
    words = _SPACES.sub(" ", text).strip()
    if _SAYS.search(words):
        yield Prompt("say", words)


def _option(menu: Menu, session: Session, key: str, text: str) -> str:
    """One prompt per option, in the order the language says it: what first, then which key."""
    template = menu.tongue(session.language, "voice").catalogue.template("nav.option", "voice")
    return template.fill(lambda slot: key if slot == "key" else text)


def _gather(menu: Menu, node: Node, session: Session) -> Gather:
    most, finish = _keys(menu, node, session)
    voice = menu.form.voice
    speech = bool(node.accept and node.accept.speech)
    hints = menu.tongue(session.language, "voice").ear.hints if speech else ()
    return Gather(most, finish, voice.first_seconds, voice.between_seconds, voice.barge_in, speech, hints)


def _keys(menu: Menu, node: Node, session: Session) -> tuple[int, str]:
    """How many keys answer the screen at most, and the one that ends a longer answer."""
    if not node.accept:
        paged = hearings(menu, session, node) > 1
        wide = len(offered(node, session)) > 9 or (paged and len(more_key(node, session)) > 1)
        return (2, "#") if wide else (1, "")
    if node.accept.type == "month":
        return MONTH_KEYS, "#"
    return min(node.accept.most, MOST_KEYS) if node.accept.type == "digits" else MOST_KEYS, "#"
