"""Screen renderer for voice calls (IVR): prompts to speak and DTMF keys to gather."""

import re
from collections.abc import Iterator

from menus.machine.menu import Menu
from menus.machine.options import heard, hearings, more_key, offered, options, told
from menus.machine.screen import Node
from menus.model.reply import Gather, Prompt, Reply
from menus.model.session import Session

MOST_KEYS = 20
"""Most keys gathered for one input."""
MONTH_KEYS = 4
"""Keys of a month, entered as MMYY."""
SILENT, WRONG = "note.empty", "note.wrong"
"""Notes after which a screen is repeated in a shorter form."""
UNCLEAR = "said.unclear"
"""Text said instead of the wrong-key note where the answer may have been spoken."""
_SPACES = re.compile(r"\s+")
_SAYS = re.compile(r"\w")


def spoken(menu: Menu, session: Session, note: str = "") -> Reply:
    """Render the reply of a call. After a wrong key or a silence only the choices are repeated."""
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
    """Yield the prompts in order: note, screen text, invitation to speak, rows, choices, navigation keys."""
    is_repeated = note in (SILENT, WRONG)
    choices = list(_choices(menu, session, node))
    takes_speech = bool(node.accept and node.accept.speech)
    if note:
        yield from _text(menu, session, UNCLEAR if takes_speech and note == WRONG else note)
    yield from _opening(menu, session, node, note if choices or not is_repeated else "")
    if takes_speech:
        yield Prompt("invite", menu.words("said.invite", session.language, "voice", {}))
    for line in told(menu, session, node):
        yield from _say(line)
    for key, text in choices:
        yield from _say(_option(menu, session, key, text))
    if not node.closes and not is_repeated:
        yield from _text(menu, session, "nav.keys")


def _choices(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """Yield this page's rows, numbered as in the whole list, then "more"; on the last page the own options."""
    choices, rows = list(options(menu, session, node)), len(offered(node, session))
    yield from choices[:rows][heard(menu, session)]
    if session.page + 1 < hearings(menu, session, node):
        yield more_key(node, session), menu.words("nav.more", session.language, "voice", {})
    else:
        yield from choices[rows:]


def _opening(menu: Menu, session: Session, node: Node, note: str) -> Iterator[Prompt]:
    """Yield the screen's text on its first page; repeated, its short variant, or nothing before options."""
    if session.page:
        return
    if note not in (SILENT, WRONG):
        yield from _text(menu, session, node.text, short=bool(session.misses or session.silences))
    elif note == WRONG and _short(menu, session, node.text):
        yield from _text(menu, session, node.text, short=True)


def _short(menu: Menu, session: Session, name: str) -> bool:
    return "short" in menu.tongue(session.language, "voice").catalogue.entries[name].variants


def _text(menu: Menu, session: Session, name: str, *, short: bool = False) -> Iterator[Prompt]:
    """Yield the prompts of a catalogue text: its recording, or its words with numbers digit by digit."""
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
    """Yield a prompt that says the words, or nothing when there is no letter or digit in them."""
    words = _SPACES.sub(" ", text).strip()
    if _SAYS.search(words):
        yield Prompt("say", words)


def _option(menu: Menu, session: Session, key: str, text: str) -> str:
    """Return the words of one option, in the language's order: its text, then its key."""
    template = menu.tongue(session.language, "voice").catalogue.template("nav.option", "voice")
    return template.fill(lambda slot: key if slot == "key" else text)


def _gather(menu: Menu, node: Node, session: Session) -> Gather:
    most, finish = _keys(menu, node, session)
    voice = menu.form.voice
    speech = bool(node.accept and node.accept.speech)
    hints = menu.tongue(session.language, "voice").ear.hints if speech else ()
    return Gather(most, finish, voice.first_seconds, voice.between_seconds, voice.barge_in, speech, hints)


def _keys(menu: Menu, node: Node, session: Session) -> tuple[int, str]:
    """Return the most keys that answer the screen, and the key that ends an answer of several keys."""
    if not node.accept:
        has_pages = hearings(menu, session, node) > 1
        two_keys = len(offered(node, session)) > 9 or (has_pages and len(more_key(node, session)) > 1)
        return (2, "#") if two_keys else (1, "")
    if node.accept.type == "month":
        return MONTH_KEYS, "#"
    return min(node.accept.most, MOST_KEYS) if node.accept.type == "digits" else MOST_KEYS, "#"
