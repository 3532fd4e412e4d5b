"""The widest case: every screen of a pack rendered with the widest plausible data, in every language."""

import re
from collections.abc import Iterator, Mapping

from menus.machine.menu import SCRIPTED, Menu, Tongue
from menus.machine.screen import Node
from menus.model.facts import Fact, Rows, Word
from menus.model.session import Session
from menus.packfile import messages
from menus.packfile.yaml_source import Finding
from menus.packs.graph_checks import reachable
from menus.packs.loader import Draft
from menus.render.screen import remark, written
from menus.text.catalogue import Template
from menus.text.gsm import measure, offending, plain, prepare
from menus.text.paginate import Overflow

Vocabulary = Mapping[str, tuple[Fact | Rows, ...]]
"""Every fact a text may name, with its widest values."""
UCS2_LANGUAGES = frozenset({"ar"})
_LARGE = re.compile(r"page\.(?!rubric_).*|.*_subject|.*mail_notice")
"""Texts of pages and e-mails, which keep a language's own script; rubrics are named on phones, too."""
NOTES = ("", "note.wrong", "note.empty", "note.restarted", "note.as_of", "note.card")


def overflows(draft: Draft, menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Screens that do not fit, ends that need a second page, letters that force UCS-2, unknown slots."""
    unknown = [*_unknown_slots(draft, menu, vocabulary), *_unknown_words(menu, vocabulary)]
    yield from unknown
    if unknown:
        return
    for tongue in menu.tongues.values():
        yield from _unscripted(tongue)
        facts = widest(tongue, vocabulary)
        for channel in ("ussd", "sms"):
            for name in sorted(reachable(draft, channel)):
                for case in _cases(tongue, channel, menu.nodes[name], facts, vocabulary):
                    yield from _screen(menu, tongue, channel, menu.nodes[name], case)


def _unscripted(tongue: Tongue) -> Iterator[Finding]:
    """Texts for phones, shown or sent, that a second script has no words for of its own."""
    if tongue.language == tongue.native:
        return
    for entry in tongue.catalogue.entries.values():
        texts = () if _LARGE.fullmatch(entry.name) else (entry.on(channel) for channel in SCRIPTED)
        letters = offending("".join(part for text in texts for part in text.literals))
        if letters:
            told = {"name": entry.name, "language": tongue.language, "letters": letters}
            yield entry.finding(messages.UNSCRIPTED.format(**told))


def widest(tongue: Tongue, vocabulary: Vocabulary) -> dict[str, Fact | Rows]:
    """Of each fact the value that takes most room in a language."""
    return {name: max(values, key=lambda fact: _width(tongue, fact)) for name, values in vocabulary.items()}


def _width(tongue: Tongue, fact: Fact | Rows) -> int:
    if isinstance(fact, Rows) or (isinstance(fact, Word) and fact.name not in tongue.catalogue):
        return 0
    return measure(tongue.show(fact, "ussd")).units


def _unknown_slots(draft: Draft, menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    known = vocabulary.keys() | menu.constants.keys() | {"key", "option"}
    for tongue in menu.tongues.values():
        for entry in tongue.catalogue.entries.values():
            for channel, template in entry.variants.items():
                for slot in sorted({slot.partition(":")[0] for slot in template.slots} - known):
                    yield entry.finding(
                        messages.NO_FACT.format(
                            name=entry.name, slot=slot, instead=messages.instead(slot, known)
                        ),
                        channel,
                    )


def _unknown_words(menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Words a text has other words for, and its `by:` never is."""
    for tongue in menu.tongues.values():
        for entry in tongue.catalogue.entries.values():
            for channel, template in entry.variants.items():
                known = {word.last for word in _deciding(template, vocabulary)} | {"other"}
                for category in sorted(template.forms.keys() - known) if not template.counts else ():
                    told = {"category": category, "known": ", ".join(sorted(known))}
                    yield entry.finding(messages.UNKNOWN_COUNT.format(**told), channel)


def _deciding(template: Template, vocabulary: Vocabulary) -> list[Word]:
    """The words that may decide what a text says."""
    return [fact for fact in vocabulary.get(template.by, ()) if isinstance(fact, Word)]


def _cases(
    tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows], vocabulary: Vocabulary
) -> Iterator[Mapping[str, Fact | Rows]]:
    """The facts to show a screen with: once, or once for each word that decides its text; no step is shown."""
    if node.rests:
        template = tongue.catalogue.template(node.text, channel)
        words = _deciding(template, vocabulary)
        yield from ({**facts, template.by: word} for word in words) if words else (facts,)


def _screen(
    menu: Menu, tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows]
) -> Iterator[Finding]:
    for note in NOTES[:1] if node.closes else NOTES:
        session = _standing(menu, tongue, channel, node, facts)
        try:
            remark(menu, session, note)
            texts = written(menu, session)
        except Overflow as error:
            told: dict[str, object] = {"units": error.units, "most": error.budget, "text": error.text}
            yield _blamed(menu, tongue, session, error.text, messages.OVERFLOW, told)
            return
        if node.closes and len(texts) > 1:
            yield _blamed(menu, tongue, session, "", messages.LAST_PAGES, {"pages": len(texts)})
        doubled = [text for text in texts if _doubles(tongue, text)]
        if doubled:
            letters = offending(doubled[0])
            yield _blamed(menu, tongue, session, letters[0], messages.HALVED, {"letters": letters})
            return


def _doubles(tongue: Tongue, text: str) -> bool:
    return tongue.language not in UCS2_LANGUAGES and measure(text).alphabet == "ucs2"


def _blamed(
    menu: Menu, tongue: Tongue, session: Session, piece: str, fault: str, told: Mapping[str, object]
) -> Finding:
    """The finding at the very text the piece comes from: an option's, or else the screen's own."""
    node, language, channel = menu.nodes[session.state], tongue.language, session.channel
    names = [option.text for option in node.options] + ([node.each.text] if node.each else [])
    written = ((name, plain(prepare(menu.words(name, language, channel, session.facts)))) for name in names)
    guilty = next((name for name, words in written if piece and (words in piece or piece in words)), node.text)
    what = fault.format(node=node.name, channel=channel, **told)
    return tongue.catalogue.entries[guilty].finding(what, channel)


def _standing(
    menu: Menu, tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows]
) -> Session:
    return Session(
        operator=menu.name,
        channel=channel,
        caller="",
        revision=menu.revision,
        state=node.name,
        language=tongue.language,
        trail=("home", "home"),
        facts=dict(facts),
    )
