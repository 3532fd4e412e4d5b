"""Compiled menu of an operator's pack, with its language packs; shared by all its sessions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from menus.machine.screen import Node
from menus.machine.transitions_table import TransitionTable
from menus.model.facts import Count, Fact, Money, Month, OneTimeCode, PhoneNumber, Rows, TextRef
from menus.packfile.language_file import LanguageFile
from menus.packfile.schema import PackFile
from menus.text.catalogue import Catalogue, Template
from menus.text.formats import WrittenFormatter
from menus.text.gsm import fold_own_letters
from menus.text.input_parsing import parse_msisdn
from menus.text.keywords import KeywordTable
from menus.text.spoken_digits import DigitRecogniser
from menus.text.spoken_formats import SpokenFormatter

COUNT_SLOTS = ("code_minutes", "code_digits", "list_depth", "document_months")
"""Pack constants that are counts: spoken as words in a call."""
SCRIPT_CHANNELS = ("ussd", "sms")
"""Channels on which a language may be written in a second script (`ar-Latn`)."""
DIAL_NUMBER_SLOTS = ("sms", "voice")
"""Pack constants that are numbers to dial: spoken digit by digit."""


@dataclass(frozen=True)
class LanguagePack:
    """One language of a pack: its text catalogue and its formatters."""

    language: str
    native_language: str
    """The language used in calls, e-mails and web pages: `ar` when this is `ar-Latn`, else `language`."""
    catalogue: Catalogue
    written_formatter: WrittenFormatter
    spoken_formatter: SpokenFormatter
    digit_recogniser: DigitRecogniser
    language_data: LanguageFile = field(repr=False)
    """The language's data file with the pack's additions."""

    def format_fact(self, fact: Fact, channel: str) -> str:
        """Format a fact for a channel."""
        if isinstance(fact, TextRef):
            return self.catalogue.template_for(fact.name, channel).fill(lambda slot: "")
        return (
            self.spoken_formatter.format_fact(fact)
            if channel == "voice"
            else self.written_formatter.format_fact(fact)
        )

    def format_bare_amount(self, fact: Fact, channel: str) -> str:
        """Format an amount without its currency; spoken in a call it keeps its units."""
        if channel == "voice" or not isinstance(fact, Money):
            return self.format_fact(fact, channel)
        return self.written_formatter.format_bare_amount(fact.amount)

    def format_full_number(self, fact: Fact, channel: str) -> str:
        """Format a phone number unmasked, to read it back to the subscriber who has just typed it."""
        return (
            self.written_formatter.format_full_number(fact.value)
            if isinstance(fact, PhoneNumber)
            else self.format_fact(fact, channel)
        )

    def format_feminine(self, fact: Fact, channel: str) -> str:
        """Format a count as spoken before a feminine noun (French `une minute`)."""
        if channel != "voice" or not isinstance(fact, Count):
            return self.format_fact(fact, channel)
        return self.spoken_formatter.format_feminine(fact.value)

    def format_month_of(self, fact: Fact, channel: str) -> str:
        """Format a month as spoken after a preposition "of" (French `d'avril`)."""
        if channel != "voice" or not isinstance(fact, Month):
            return self.format_fact(fact, channel)
        name = self.catalogue.template_for(f"month.of_{fact.month}", channel)
        return self.spoken_formatter.format_month(fact, name.fill(lambda slot: ""))


SLOT_FORMATS: Mapping[str, Callable[[LanguagePack, Fact, str], str]] = {
    "": LanguagePack.format_fact,
    "bare": LanguagePack.format_bare_amount,
    "digits": LanguagePack.format_full_number,
    "of": LanguagePack.format_month_of,
    "feminine": LanguagePack.format_feminine,
}
"""Formatter by the suffix after a slot's colon: `{total:bare}`, `{said:digits}`, `{month:of}`."""


@dataclass(frozen=True)
class Menu:
    """A compiled pack; immutable after loading, except for its two caches."""

    config: PackFile
    revision: str
    """Eight hex digits of a hash over all its files."""
    nodes: Mapping[str, Node] = field(repr=False)
    transition_table: TransitionTable = field(repr=False)
    keywords: KeywordTable = field(repr=False)
    language_packs: Mapping[str, LanguagePack] = field(repr=False)
    constants: Mapping[str, str] = field(repr=False)
    """Values of the slots every text may use: the operator's own numbers and rules."""
    recordings: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """Recorded prompt by (language, text name), relative to the pack's `prompts/`."""
    folder: Path = Path()
    """The pack's folder."""
    page_cache: dict[tuple[str, str, str, int], tuple[str, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Cache of the pages of static screens by (node, language, channel, trail length up to 2); bounded by
    the number of screens."""
    static_screens: dict[tuple[str, str, str], bool] = field(default_factory=dict, repr=False, compare=False)
    """Cache of `is_static` by (node, language, channel)."""

    @property
    def name(self) -> str:
        """The operator's public name, e.g. `orange-ro`."""
        return self.config.name

    def parse_msisdn(self, text: str) -> str | None:
        """Parse a phone number in the country's notation to E.164; None when it is not valid."""
        config = self.config
        return parse_msisdn(text, config.country_code, config.trunk, config.number_digits)

    def supported_language(self, preferred: str) -> str:
        """Return the preferred language if the pack has it, else the pack's first."""
        return preferred if preferred in self.language_packs else next(iter(self.language_packs))

    def language_pack(self, language: str, channel: str) -> LanguagePack:
        """Return the language pack for a channel: second scripts for USSD and SMS only, else the native one."""
        chosen = self.language_packs[language]
        return chosen if channel in SCRIPT_CHANNELS else self.language_packs[chosen.native_language]

    def is_static(self, state: str, language: str, channel: str) -> bool:
        """Return whether the screen shows no facts, so that its pages are the same for all sessions."""
        key = (state, language, channel)
        cached = self.static_screens.get(key)
        if cached is None:
            cached = self._shows_no_facts(self.nodes[state], self.language_pack(language, channel), channel)
            self.static_screens[key] = cached
        return cached

    def _shows_no_facts(self, node: Node, language_pack: LanguagePack, channel: str) -> bool:
        names = [node.text, *(option.text for option in node.options)]
        return node.each is None and self._have_no_slots(names, language_pack, channel)

    def is_fixed_text(self, name: str, language: str, channel: str) -> bool:
        """Return whether a catalogue text, as spoken, holds no facts: it is the same for all sessions."""
        return self._have_no_slots([name], self.language_pack(language, "voice"), channel)

    def _have_no_slots(self, names: Iterable[str], language_pack: LanguagePack, channel: str) -> bool:
        """Return whether the texts have no slots but those of the pack's constants."""
        templates = [language_pack.catalogue.template_for(name, channel) for name in names]
        slots = {slot for template in templates for slot in (*template.slots, template.selector) if slot}
        return {slot.partition(":")[0] for slot in slots} <= self.constants.keys()

    def spoken_pieces(
        self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> Iterator[tuple[str, bool]]:
        """Yield the pieces of a text as spoken; True for digits said one by one."""
        language_pack = self.language_pack(language, channel)
        for index, part in enumerate(self._template_for(language_pack, name, channel, facts).parts):
            if index % 2 == 0:
                yield part, False
                continue
            text = self._slot_text(language_pack, part, "voice", facts)
            digits = text.replace(" ", "")
            yield (digits, True) if self._is_spoken_singly(part, digits, facts) else (text, False)

    def recorded_words(self, file: str) -> str:
        """Return the words of a recording; the file name when the pack has no such recording."""
        names = (key for key, recording in self.recordings.items() if recording == file)
        language, name = next(names, ("", ""))
        return " ".join(self.fill_text(name, language, "voice", {}).split()) if name else file

    def _is_spoken_singly(self, slot: str, digits: str, facts: Mapping[str, Fact | Rows]) -> bool:
        """Return whether a slot's digits are a code or a phone number, not an amount or a count."""
        if not digits.isdecimal():
            return False
        return (
            slot in DIAL_NUMBER_SLOTS
            or slot.endswith(":digits")
            or isinstance(facts.get(slot), OneTimeCode | PhoneNumber)
        )

    def fill_text(self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]) -> str:
        """Return a catalogue text with its slots filled; KeyError for an unknown text or fact."""
        language_pack = self.language_pack(language, channel)
        template = self._template_for(language_pack, name, channel, facts)
        text = template.fill(lambda slot: self._slot_text(language_pack, slot, channel, facts))
        return fold_own_letters(text, language_pack.language_data.folds) if channel in SCRIPT_CHANNELS else text

    def _template_for(
        self, language_pack: LanguagePack, name: str, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> Template:
        """Return the text's template; where a count or a text reference selects a form, that form."""
        template = language_pack.catalogue.template_for(name, channel)
        if not template.forms:
            return template
        word = facts.get(template.selector)
        if isinstance(word, TextRef):
            return template.form_for(word.last_part)
        deciding = (template.selector,) if template.selector else template.slots
        counts = (self._count_value(slot.partition(":")[0], facts) for slot in deciding)
        count = next((value for value in counts if value is not None), None)
        return (
            template
            if count is None
            else template.form_for(language_pack.written_formatter.plural_category(count))
        )

    def _count_value(self, slot: str, facts: Mapping[str, Fact | Rows]) -> int | None:
        """Return the count in a slot; None when the slot holds none."""
        fact = facts.get(slot)
        if isinstance(fact, Count):
            return fact.value
        constant = self.constants.get(slot, "")
        return int(constant) if constant.isdecimal() else None

    def _slot_text(
        self, language_pack: LanguagePack, slot: str, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> str:
        name, _, form = slot.partition(":")
        if name in self.constants:
            constant = self.constants[name]
            if channel != "voice" or name not in COUNT_SLOTS:
                return constant
            return SLOT_FORMATS[form](language_pack, Count(int(constant)), channel)
        fact = facts[name]
        if isinstance(fact, Rows):
            raise TypeError(f"{slot} is a list; show it with `each`")
        if isinstance(fact, TextRef):
            return self._referenced_text(language_pack, fact, channel, facts)
        return SLOT_FORMATS[form](language_pack, fact, channel)

    def _referenced_text(
        self, language_pack: LanguagePack, ref: TextRef, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> str:
        """Return the text a fact names, with the other facts in its slots: a unit in the form of its count."""
        others = {name: fact for name, fact in facts.items() if not isinstance(fact, TextRef)}
        template = self._template_for(language_pack, ref.name, channel, others)
        return template.fill(lambda slot: self._slot_text(language_pack, slot, channel, others))


def pack_constants(config: PackFile) -> dict[str, str]:
    """Return the slot values that come from the pack itself."""
    numbers, rules = config.numbers, config.rules
    return {
        "operator": config.title,
        "ussd": numbers.ussd,
        "voice": numbers.voice,
        "sms": numbers.sms,
        "code_minutes": str(rules.code_minutes),
        "code_digits": str(rules.code_digits),
        "list_depth": str(rules.list_depth),
        "document_months": str(rules.document_months),
    }
