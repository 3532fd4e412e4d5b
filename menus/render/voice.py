"""Screen renderer for voice calls (IVR): prompts to speak and DTMF keys to gather."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from menus.machine.list_options import (
    more_key,
    numbered_choices,
    rows_on_page,
    selectable_rows,
    unselectable_lines,
    voice_page_count,
)
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.model.facts import Money, Text
from menus.model.reply import CardEntry, Gather, Prompt, Reply
from menus.model.session import Session
from menus.text.spoken_spelling import respell_words

MAX_KEYS = 20
"""Most keys gathered for one input."""
MONTH_KEYS = 4
"""Keys of a month, entered as MMYY."""
PAYMENT_FACT = "payment"
"""Name of the fact with our id of the payment that a card is taken for."""
SILENCE_NOTE, WRONG_NOTE = "note.empty", "note.wrong"
"""Notes after which a screen is repeated in a shorter form."""
UNCLEAR_TEXT = "said.unclear"
"""Text said instead of the wrong-key note on inputs: no single key was wrong, and it may have been spoken."""
_WHITESPACE = re.compile(r"\s+")
_WORD_CHARACTER = re.compile(r"\w")


def render_call_reply(menu: Menu, session: Session, note: str = "") -> Reply:
    """Render the reply of a call. After a wrong key or a silence only the choices are repeated."""
    node, voice = menu.nodes[session.state], menu.config.voice
    agent = menu.config.numbers.agent if node.via == "agent" else ""
    language_pack = menu.language_pack(session.language, "voice")
    spelled = language_pack.language_data.spoken.spelled
    return Reply(
        channel="voice",
        language=language_pack.language,
        node=node.name,
        turn=session.turn,
        prompts=tuple(_respell_prompt(each, spelled) for each in _screen_prompts(menu, session, node, note)),
        gather=None if node.is_final else _build_gather(menu, node, session),
        transfer_to=agent,
        transfer_limit_seconds=voice.agent_minutes * 60 if agent else 0,
        transfer_context=session.trail[-1] if agent and session.trail else "",
        card=_build_card_entry(menu, session) if node.via == "card" else None,
        ends_session=node.is_final,
    )


def _build_card_entry(menu: Menu, session: Session) -> CardEntry | None:
    """Return the payment that the step before has opened; None where a screen is shown without one."""
    payment, amount = session.facts.get(PAYMENT_FACT), session.facts.get("remaining")
    if not isinstance(payment, Text) or not isinstance(amount, Money):
        return None
    return CardEntry(payment.value, str(amount.amount), menu.config.currency.code)


def _respell_prompt(prompt: Prompt, spelled: Mapping[str, str]) -> Prompt:
    """Return a prompt as the synthesiser gets it; a recording's words stay as they are."""
    text = prompt.text if prompt.file else respell_words(prompt.text, spelled)
    return prompt if text == prompt.text else replace(prompt, text=text)


def _screen_prompts(menu: Menu, session: Session, node: Node, note: str) -> Iterator[Prompt]:
    """Yield the prompts in order: note, screen text, invitation to speak, rows, choices, navigation keys."""
    is_repeated = note in (SILENCE_NOTE, WRONG_NOTE)
    choices = list(_choices_on_page(menu, session, node))
    takes_speech = bool(node.accept and node.accept.speech)
    if note:
        yield from _text_prompts(menu, session, UNCLEAR_TEXT if node.accept and note == WRONG_NOTE else note)
    yield from _intro_prompts(menu, session, node, note if choices or not is_repeated else "")
    if takes_speech:
        yield Prompt("invite", menu.fill_text("said.invite", session.language, "voice", {}), is_fixed=True)
    for line in unselectable_lines(menu, session, node):
        yield from _say_prompt(line)
    are_fixed = _has_fixed_choices(menu, session, node)
    for key, text in choices:
        yield from _say_prompt(_option_text(menu, session, key, text), is_fixed=are_fixed)
    if not node.is_final and not is_repeated:
        yield from _text_prompts(menu, session, _navigation_text(menu, session, node))


def _navigation_text(menu: Menu, session: Session, node: Node) -> str:
    """Return the text of the navigation keys: where hash ends an answer, it cannot repeat the screen."""
    if node.accept:
        return "nav.input_keys"
    most, _ = _key_limits(menu, node, session)
    return "nav.wide_keys" if most > 1 else "nav.keys"


def _choices_on_page(menu: Menu, session: Session, node: Node) -> Iterator[tuple[str, str]]:
    """Yield this page's rows, numbered as in the whole list, then "more"; on the last page the own options."""
    choices, rows = list(numbered_choices(menu, session, node)), len(selectable_rows(node, session))
    yield from choices[:rows][rows_on_page(menu, session)]
    if session.page + 1 < voice_page_count(menu, session, node):
        yield more_key(node, session), menu.fill_text("nav.more", session.language, "voice", {})
    else:
        yield from choices[rows:]


def _has_fixed_choices(menu: Menu, session: Session, node: Node) -> bool:
    """Return whether the choices are the same for every caller: neither rows nor facts."""
    names = (option.text for option in node.options if session.channel in option.keys)
    return node.each is None and all(menu.is_fixed_text(name, session.language, "voice") for name in names)


def _intro_prompts(menu: Menu, session: Session, node: Node, note: str) -> Iterator[Prompt]:
    """Yield the screen's text on its first page; repeated, its short variant, or nothing before options."""
    if session.page:
        return
    if note not in (SILENCE_NOTE, WRONG_NOTE):
        yield from _text_prompts(menu, session, node.text, short=bool(session.misses or session.silences))
    elif note == WRONG_NOTE and _has_short_variant(menu, session, node.text):
        yield from _text_prompts(menu, session, node.text, short=True)


def _has_short_variant(menu: Menu, session: Session, name: str) -> bool:
    return "short" in menu.language_pack(session.language, "voice").catalogue.entries[name].variants


def _text_prompts(menu: Menu, session: Session, name: str, *, short: bool = False) -> Iterator[Prompt]:
    """Yield the prompts of a catalogue text: its recording, or its words with numbers digit by digit."""
    file = menu.recordings.get((menu.language_pack(session.language, "voice").language, name))
    if file and not short:
        yield Prompt("play", menu.recorded_words(file), file, is_fixed=True)
        return
    channel = "short" if short and _has_short_variant(menu, session, name) else "voice"
    words, is_fixed = "", menu.is_fixed_text(name, session.language, channel)
    for piece, singly in menu.spoken_pieces(name, session.language, channel, session.facts):
        if not singly:
            words += piece
            continue
        yield from _say_prompt(words, is_fixed=is_fixed)
        yield Prompt("digits", piece)
        words = ""
    yield from _say_prompt(words, is_fixed=is_fixed)


def _say_prompt(text: str, *, is_fixed: bool = False) -> Iterator[Prompt]:
    """Yield a prompt that says the words, or nothing when there is no letter or digit in them.

    A sign at the beginning, left over behind digits, is dropped: a synthesiser may name it.
    """
    words = _WHITESPACE.sub(" ", text).strip().lstrip(" .,;:،")
    if _WORD_CHARACTER.search(words):
        yield Prompt("say", words, is_fixed=is_fixed)


def _option_text(menu: Menu, session: Session, key: str, text: str) -> str:
    """Return the words of one option, in the language's order: its text, then its key."""
    template = menu.language_pack(session.language, "voice").catalogue.template_for("nav.option", "voice")
    return template.fill(lambda slot: key if slot == "key" else text)


def _build_gather(menu: Menu, node: Node, session: Session) -> Gather:
    most, finish = _key_limits(menu, node, session)
    voice = menu.config.voice
    speech = bool(node.accept and node.accept.speech)
    hints = menu.language_pack(session.language, "voice").digit_recogniser.hints if speech else ()
    return Gather(most, finish, voice.first_seconds, voice.between_seconds, voice.barge_in, speech, hints)


def _key_limits(menu: Menu, node: Node, session: Session) -> tuple[int, str]:
    """Return the most keys that answer the screen, and the key that ends an answer of several keys."""
    if not node.accept:
        has_pages = voice_page_count(menu, session, node) > 1
        two_keys = len(selectable_rows(node, session)) > 9 or (has_pages and len(more_key(node, session)) > 1)
        return (2, "#") if two_keys else (1, "")
    if node.accept.type == "month":
        return MONTH_KEYS, "#"
    return min(node.accept.most, MAX_KEYS) if node.accept.type == "digits" else MAX_KEYS, "#"
