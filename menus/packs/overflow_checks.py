"""Pack linter: screens that overflow their channel with the widest plausible data, in every language."""

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
"""Sample values of every fact a text may name, the widest ones."""
UCS2_LANGUAGES = frozenset({"ar"})
"""Languages whose script is not in GSM-7, so that their texts may use UCS-2."""
_LARGE = re.compile(r"page\.(?!rubric_).*|.*_subject|.*mail_notice")
"""Texts of web pages and e-mails, which use the native script; rubrics appear on phones, too."""
NOTES = ("", "note.wrong", "note.empty", "note.restarted", "note.as_of", "note.card")
"""Notes that may precede a screen; the empty one stands for none."""


def overflows(draft: Draft, menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield findings for screens that do not fit, final screens with a second page, letters that force UCS-2.

    Unknown slots and form categories are found first; with any of those no screen is rendered.
    """
    unknown = [*_unknown_slots(draft, menu, vocabulary), *_unknown_words(menu, vocabulary)]
    yield from unknown
    if unknown:
        return
    for language_pack in menu.tongues.values():
        yield from _unscripted(language_pack)
        facts = widest(language_pack, vocabulary)
        for channel in ("ussd", "sms"):
            for name in sorted(reachable(draft, channel)):
                for case in _cases(language_pack, channel, menu.nodes[name], facts, vocabulary):
                    yield from _screen(menu, language_pack, channel, menu.nodes[name], case)


def _unscripted(tongue: Tongue) -> Iterator[Finding]:
    """Yield findings for USSD and SMS texts of a second script with letters outside GSM-7."""
    if tongue.language == tongue.native:
        return
    for entry in tongue.catalogue.entries.values():
        texts = () if _LARGE.fullmatch(entry.name) else (entry.on(channel) for channel in SCRIPTED)
        letters = offending("".join(part for text in texts for part in text.literals))
        if letters:
            values = {"name": entry.name, "language": tongue.language, "letters": letters}
            yield entry.finding(messages.UNSCRIPTED.format(**values))


def widest(tongue: Tongue, vocabulary: Vocabulary) -> dict[str, Fact | Rows]:
    """Return the widest sample of each fact in a language."""
    return {name: max(values, key=lambda fact: _width(tongue, fact)) for name, values in vocabulary.items()}


def _width(tongue: Tongue, fact: Fact | Rows) -> int:
    """Return the units a fact takes on a USSD screen; 0 for rows and texts the language lacks."""
    if isinstance(fact, Rows) or (isinstance(fact, Word) and fact.name not in tongue.catalogue):
        return 0
    return measure(tongue.show(fact, "ussd")).units


def _unknown_slots(draft: Draft, menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield findings for slots no fact or constant fills."""
    known = vocabulary.keys() | menu.constants.keys() | {"key", "option"}
    for language_pack in menu.tongues.values():
        for entry in language_pack.catalogue.entries.values():
            for channel, template in entry.variants.items():
                for slot in sorted({slot.partition(":")[0] for slot in template.slots} - known):
                    yield entry.finding(
                        messages.NO_FACT.format(
                            name=entry.name, slot=slot, instead=messages.instead(slot, known)
                        ),
                        channel,
                    )


def _unknown_words(menu: Menu, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield findings for forms of a text that no value of its `by:` fact selects."""
    for language_pack in menu.tongues.values():
        for entry in language_pack.catalogue.entries.values():
            for channel, template in entry.variants.items():
                known = {ref.last for ref in _deciding(template, vocabulary)} | {"other"}
                for category in sorted(template.forms.keys() - known) if not template.counts else ():
                    values = {"category": category, "known": ", ".join(sorted(known))}
                    yield entry.finding(messages.UNKNOWN_COUNT.format(**values), channel)


def _deciding(template: Template, vocabulary: Vocabulary) -> list[Word]:
    """Return the text references that may select a form of the template."""
    return [fact for fact in vocabulary.get(template.by, ()) if isinstance(fact, Word)]


def _cases(
    tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows], vocabulary: Vocabulary
) -> Iterator[Mapping[str, Fact | Rows]]:
    """Yield the facts to render a screen with: once, or once per form of its text; none for a step."""
    if node.rests:
        template = tongue.catalogue.template(node.text, channel)
        refs = _deciding(template, vocabulary)
        yield from ({**facts, template.by: ref} for ref in refs) if refs else (facts,)


def _screen(
    menu: Menu, tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows]
) -> Iterator[Finding]:
    """Render a screen with each note; yield at most one finding per fault and stop at the first overflow."""
    for note in NOTES[:1] if node.closes else NOTES:
        session = _standing(menu, tongue, channel, node, facts)
        try:
            remark(menu, session, note)
            texts = written(menu, session)
        except Overflow as error:
            values: dict[str, object] = {"units": error.units, "most": error.budget, "text": error.text}
            yield _blamed(menu, tongue, session, error.text, messages.OVERFLOW, values)
            return
        if node.closes and len(texts) > 1:
            yield _blamed(menu, tongue, session, "", messages.LAST_PAGES, {"pages": len(texts)})
        ucs2_pages = [text for text in texts if _doubles(tongue, text)]
        if ucs2_pages:
            letters = offending(ucs2_pages[0])
            yield _blamed(menu, tongue, session, letters[0], messages.HALVED, {"letters": letters})
            return


def _doubles(tongue: Tongue, text: str) -> bool:
    """Return whether a text is sent as UCS-2 although its language can be written in GSM-7."""
    return tongue.language not in UCS2_LANGUAGES and measure(text).alphabet == "ucs2"


def _blamed(
    menu: Menu, tongue: Tongue, session: Session, piece: str, fault: str, told: Mapping[str, object]
) -> Finding:
    """Build a finding at the text that the overflowing piece comes from: an option's, else the screen's own."""
    node, language, channel = menu.nodes[session.state], tongue.language, session.channel
    names = [option.text for option in node.options] + ([node.each.text] if node.each else [])
    texts = ((name, plain(prepare(menu.words(name, language, channel, session.facts)))) for name in names)
    source = next((name for name, text in texts if piece and (text in piece or piece in text)), node.text)
    filled = fault.format(node=node.name, channel=channel, **told)
    return tongue.catalogue.entries[source].finding(filled, channel)


def _standing(
    menu: Menu, tongue: Tongue, channel: str, node: Node, facts: Mapping[str, Fact | Rows]
) -> Session:
    """Return a session on the screen, two screens away from home so that all navigation keys are shown."""
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
