"""Pack linter: screens that overflow their channel with the widest plausible data, in every language."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from menus.machine.list_options import numbered_choices
from menus.machine.menu import SCRIPT_CHANNELS, LanguagePack, Menu
from menus.machine.screen import Node
from menus.machine.surface import SMALLEST_PAGE
from menus.machine.transitions_table import HOME
from menus.model.facts import Fact, Rows, TextRef
from menus.model.session import Session
from menus.packfile import messages
from menus.packfile.yaml_source import Finding
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft
from menus.render.text_screen import add_note, render_unbroken_pages
from menus.text.catalogue import Template
from menus.text.gsm import measure_text, prepare_text, to_wire_text, unencodable_letters
from menus.text.paginate import PageOverflowError

SampleFacts = Mapping[str, tuple[Fact | Rows, ...]]
"""Sample values of every fact a text may name, the widest ones."""
_PAGE_AND_MAIL_TEXTS = re.compile(r"page\.(?!rubric_).*|.*_subject|.*mail_notice")
"""Texts of web pages and e-mails, which use the native script; rubrics appear on phones, too."""
CHECKED_PAGES = (("ussd", SMALLEST_PAGE), ("sms", ""))
"""Channels with the page size screens are checked at: what fits the smallest fits every other."""
NOTE_TEXTS = ("", "note.wrong", "note.empty", "note.restarted", "note.as_of", "note.card")
"""Notes that may precede a screen; the empty one means no note."""


def find_overflows(draft: PackDraft, menu: Menu, samples: SampleFacts) -> Iterator[Finding]:
    """Yield findings for screens that do not fit, final screens with a second page, a first screen whose first
    page has no option, letters that force UCS-2.

    Unknown slots and form categories are found first; with any of those no screen is rendered.
    """
    unknown = [*_unknown_slots(menu, samples), *_unknown_categories(menu, samples)]
    yield from unknown
    if unknown:
        return
    for language_pack in menu.language_packs.values():
        yield from _check_second_script(language_pack)
        facts = widest_facts(language_pack, samples)
        for channel, page_size in CHECKED_PAGES:
            for name in sorted(reachable_nodes(draft, channel)):
                for case in sample_cases(language_pack, channel, menu.nodes[name], facts, samples):
                    yield from _check_screen(menu, language_pack, (channel, page_size), menu.nodes[name], case)


def _check_second_script(language_pack: LanguagePack) -> Iterator[Finding]:
    """Yield findings for USSD and SMS texts of a second script with letters outside GSM-7."""
    if language_pack.language == language_pack.native_language:
        return
    for entry in language_pack.catalogue.entries.values():
        texts = (
            ()
            if _PAGE_AND_MAIL_TEXTS.fullmatch(entry.name)
            else (entry.template_for(channel) for channel in SCRIPT_CHANNELS)
        )
        letters = unencodable_letters("".join(part for text in texts for part in text.literals))
        if letters:
            values = {"name": entry.name, "language": language_pack.language, "letters": letters}
            yield entry.finding_at(messages.SCRIPT_OUTSIDE_GSM7.format(**values))


def widest_facts(language_pack: LanguagePack, samples: SampleFacts) -> dict[str, Fact | Rows]:
    """Return the widest sample of each fact in a language."""
    return {
        name: max(values, key=lambda fact: _text_width(language_pack, fact)) for name, values in samples.items()
    }


def _text_width(language_pack: LanguagePack, fact: Fact | Rows) -> int:
    """Return the units a fact takes on a USSD screen; 0 for rows and texts the language lacks."""
    if isinstance(fact, Rows) or (isinstance(fact, TextRef) and fact.name not in language_pack.catalogue):
        return 0
    return measure_text(language_pack.format_fact(fact, "ussd")).units


def _unknown_slots(menu: Menu, samples: SampleFacts) -> Iterator[Finding]:
    """Yield findings for slots no fact or constant fills, and for selectors of forms that are no fact."""
    known = samples.keys() | menu.constants.keys() | {"key", "option"}
    for language_pack in menu.language_packs.values():
        for entry in language_pack.catalogue.entries.values():
            for channel, template in entry.variants.items():
                if template.selector and template.selector not in known:
                    message = messages.UNKNOWN_SELECTOR.format(
                        name=entry.name,
                        by=template.selector,
                        instead=messages.suggest_name(template.selector, known),
                    )
                    yield entry.finding_at(message, channel)
                for slot in sorted({slot.partition(":")[0] for slot in template.slots} - known):
                    yield entry.finding_at(
                        messages.UNKNOWN_FACT.format(
                            name=entry.name, slot=slot, instead=messages.suggest_name(slot, known)
                        ),
                        channel,
                    )


def _unknown_categories(menu: Menu, samples: SampleFacts) -> Iterator[Finding]:
    """Yield findings for forms of a text that no value of its `by:` fact selects."""
    for language_pack in menu.language_packs.values():
        for entry in language_pack.catalogue.entries.values():
            for channel, template in entry.variants.items():
                known = {ref.last_part for ref in _selecting_refs(template, samples)} | {"other"}
                for category in sorted(template.forms.keys() - known) if not template.is_plural else ():
                    values = {"category": category, "known": ", ".join(sorted(known))}
                    yield entry.finding_at(messages.UNKNOWN_CATEGORY.format(**values), channel)


def _selecting_refs(template: Template, samples: SampleFacts) -> list[TextRef]:
    """Return the text references that may select a form of the template."""
    return [fact for fact in samples.get(template.selector, ()) if isinstance(fact, TextRef)]


def sample_cases(
    language_pack: LanguagePack,
    channel: str,
    node: Node,
    facts: Mapping[str, Fact | Rows],
    samples: SampleFacts,
) -> Iterator[Mapping[str, Fact | Rows]]:
    """Yield the facts to render a screen with: once, or once per form of its text; none for a step."""
    if node.is_waiting:
        template = language_pack.catalogue.template_for(node.text, channel)
        refs = _selecting_refs(template, samples)
        yield from ({**facts, template.selector: ref} for ref in refs) if refs else (facts,)


def _check_screen(
    menu: Menu,
    language_pack: LanguagePack,
    page: tuple[str, str],
    node: Node,
    facts: Mapping[str, Fact | Rows],
) -> Iterator[Finding]:
    """Render a screen with each note; yield at most one finding per fault and stop at the first overflow."""
    for note in NOTE_TEXTS[:1] if node.is_final else NOTE_TEXTS:
        session = sample_session(menu, language_pack, page, node, facts)
        try:
            add_note(menu, session, note)
            texts = render_unbroken_pages(menu, session)
        except PageOverflowError as error:
            values: dict[str, object] = {"units": error.units, "most": error.budget, "text": error.text}
            yield _finding_at_text(menu, language_pack, session, error.text, messages.SCREEN_TOO_LONG, values)
            return
        if node.is_final and len(texts) > 1:
            yield _finding_at_text(
                menu, language_pack, session, "", messages.END_HAS_PAGES, {"pages": len(texts)}
            )
        if node.name == HOME and not note:
            yield from _check_first_page(menu, language_pack, session)
        ucs2_pages = [text for text in texts if _forces_ucs2(language_pack, text)]
        if ucs2_pages:
            letters = unencodable_letters(ucs2_pages[0])
            yield _finding_at_text(
                menu, language_pack, session, letters[0], messages.OUTSIDE_GSM7, {"letters": letters}
            )
            return


def _check_first_page(menu: Menu, language_pack: LanguagePack, session: Session) -> Iterator[Finding]:
    """Yield a finding for a greeting so long that the page a conversation begins with has no option."""
    first = replace(session, trail=())
    keys = [key for key, _ in numbered_choices(menu, first, menu.nodes[HOME])]
    page = render_unbroken_pages(menu, first)[0].split("\n")
    if keys and not any(line.startswith(f"{key} ") for line in page for key in keys):
        yield _finding_at_text(menu, language_pack, first, "", messages.FIRST_PAGE_EMPTY, {})


def _forces_ucs2(language_pack: LanguagePack, text: str) -> bool:
    """Return whether a text is sent as UCS-2 although its language can be written in GSM-7."""
    is_second_script = language_pack.language != language_pack.native_language
    uses_ucs2 = language_pack.language_data.ucs2 and not is_second_script
    return not uses_ucs2 and measure_text(text).alphabet == "ucs2"


def _finding_at_text(
    menu: Menu,
    language_pack: LanguagePack,
    session: Session,
    piece: str,
    message: str,
    values: Mapping[str, object],
) -> Finding:
    """Build a finding at the text that the overflowing piece comes from: an option's, else the screen's own."""
    node, language, channel = menu.nodes[session.state], language_pack.language, session.channel
    names = [option.text for option in node.options] + ([node.each.text] if node.each else [])
    texts = (
        (name, to_wire_text(prepare_text(menu.fill_text(name, language, channel, session.facts))))
        for name in names
    )
    source = next((name for name, text in texts if piece and (text in piece or piece in text)), node.text)
    filled = message.format(node=node.name, channel=channel, **values)
    return language_pack.catalogue.entries[source].finding_at(filled, channel)


def sample_session(
    menu: Menu,
    language_pack: LanguagePack,
    page: tuple[str, str],
    node: Node,
    facts: Mapping[str, Fact | Rows],
) -> Session:
    """Return a session on the screen, two screens away from home so that all navigation keys are shown."""
    return Session(
        operator=menu.name,
        channel=page[0],
        page_size=page[1],
        caller="",
        revision=menu.revision,
        state=node.name,
        language=language_pack.language,
        trail=("home", "home"),
        facts=dict(facts),
    )
