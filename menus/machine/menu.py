"""Compiled menu of an operator's pack, with its language packs; shared by all its sessions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from menus.machine.screen import Node
from menus.machine.transitions_table import Moves
from menus.model.facts import Code, Count, Fact, Money, Month, Number, Rows, Word
from menus.packfile.schema import PackFile
from menus.text.catalogue import Catalogue, Template
from menus.text.formats import Spoken, Written
from menus.text.input_parsing import as_msisdn
from menus.text.keywords import Keywords
from menus.text.spoken_digits import Ear

COUNTS = ("code_minutes", "code_digits", "list_depth", "document_months")
"""Pack constants that are counts: spoken as words in a call."""
SCRIPTED = ("ussd", "sms")
"""Channels on which a language may be written in a second script (`ar-Latn`)."""
SINGLY = ("sms", "voice")
"""Pack constants that are numbers to dial: spoken digit by digit."""


@dataclass(frozen=True)
class Tongue:
    """One language of a pack: its text catalogue and its formatters."""

    language: str
    native: str
    """The language used in calls, e-mails and web pages: `ar` when this is `ar-Latn`, else `language`."""
    catalogue: Catalogue
    written: Written
    spoken: Spoken
    ear: Ear

    def show(self, fact: Fact, channel: str) -> str:
        """Format a fact for a channel."""
        if isinstance(fact, Word):
            return self.catalogue.template(fact.name, channel).fill(lambda slot: "")
        return self.spoken.show(fact) if channel == "voice" else self.written.show(fact)

    def bare(self, fact: Fact, channel: str) -> str:
        """Format an amount without its currency; spoken in a call it keeps its units."""
        if channel == "voice" or not isinstance(fact, Money):
            return self.show(fact, channel)
        return self.written.bare(fact.amount)

    def whole(self, fact: Fact, channel: str) -> str:
        """Format a phone number unmasked, to read it back to the subscriber who has just typed it."""
        return self.written.whole(fact.value) if isinstance(fact, Number) else self.show(fact, channel)

    def of(self, fact: Fact, channel: str) -> str:
        """Format a month as spoken after a preposition "of" (French `d'avril`)."""
        if channel != "voice" or not isinstance(fact, Month):
            return self.show(fact, channel)
        name = self.catalogue.template(f"month.of_{fact.month}", channel)
        return self.spoken.month(fact, name.fill(lambda slot: ""))


FORMS: Mapping[str, Callable[[Tongue, Fact, str], str]] = {
    "": Tongue.show,
    "bare": Tongue.bare,
    "digits": Tongue.whole,
    "of": Tongue.of,
}
"""Formatter by the suffix after a slot's colon: `{total:bare}`, `{said:digits}`, `{month:of}`."""


@dataclass(frozen=True)
class Menu:
    """A compiled pack; immutable after loading, except for its two caches."""

    form: PackFile
    revision: str
    """Eight hex digits of a hash over all its files."""
    nodes: Mapping[str, Node] = field(repr=False)
    moves: Moves = field(repr=False)
    keywords: Keywords = field(repr=False)
    tongues: Mapping[str, Tongue] = field(repr=False)
    constants: Mapping[str, str] = field(repr=False)
    """Values of the slots every text may use: the operator's own numbers and rules."""
    recordings: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """Recorded prompt by (language, text name), relative to the pack's `prompts/`."""
    folder: Path = Path()
    """The pack's folder."""
    pages: dict[tuple[str, str, str, int], tuple[str, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Cache of the pages of static screens by (node, language, channel, trail length up to 2); bounded by
    the number of screens."""
    fixtures: dict[tuple[str, str, str], bool] = field(default_factory=dict, repr=False, compare=False)
    """Cache of `is_static` by (node, language, channel)."""

    @property
    def name(self) -> str:
        """The operator's public name, e.g. `orange-ro`."""
        return self.form.name

    def msisdn(self, typed: str) -> str | None:
        """Parse a phone number in the country's notation to E.164; None when it is not valid."""
        config = self.form
        return as_msisdn(typed, config.country_code, config.trunk, config.number_digits)

    def language(self, wished: str) -> str:
        """Return the preferred language if the pack has it, else the pack's first."""
        return wished if wished in self.tongues else next(iter(self.tongues))

    def tongue(self, language: str, channel: str) -> Tongue:
        """Return the language pack for a channel: second scripts for USSD and SMS only, else the native one."""
        chosen = self.tongues[language]
        return chosen if channel in SCRIPTED else self.tongues[chosen.native]

    def fixed(self, state: str, language: str, channel: str) -> bool:
        """Return whether the screen shows no facts, so that its pages are the same for all sessions."""
        key = (state, language, channel)
        cached = self.fixtures.get(key)
        if cached is None:
            cached = self._fixed(self.nodes[state], self.tongue(language, channel), channel)
            self.fixtures[key] = cached
        return cached

    def _fixed(self, node: Node, tongue: Tongue, channel: str) -> bool:
        names = [node.text, *(option.text for option in node.options)]
        slots = {slot for name in names for slot in tongue.catalogue.template(name, channel).slots}
        return node.each is None and slots <= self.constants.keys()

    def heard(
        self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> Iterator[tuple[str, bool]]:
        """Yield the pieces of a text as spoken; True for digits said one by one."""
        language_pack = self.tongue(language, channel)
        for index, part in enumerate(self._template(language_pack, name, channel, facts).parts):
            if index % 2 == 0:
                yield part, False
                continue
            text = self._slot(language_pack, part, "voice", facts)
            digits = text.replace(" ", "")
            yield (digits, True) if self._said_singly(part, digits, facts) else (text, False)

    def said_by(self, file: str) -> str:
        """Return the words of a recording; the file name when the pack has no such recording."""
        names = (key for key, recording in self.recordings.items() if recording == file)
        language, name = next(names, ("", ""))
        return " ".join(self.words(name, language, "voice", {}).split()) if name else file

    def _said_singly(self, slot: str, digits: str, facts: Mapping[str, Fact | Rows]) -> bool:
        """Return whether a slot's digits are a code or a phone number, not an amount or a count."""
        if not digits.isdecimal():
            return False
        return slot in SINGLY or slot.endswith(":digits") or isinstance(facts.get(slot), Code | Number)

    def words(self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]) -> str:
        """Return a catalogue text with its slots filled; KeyError for an unknown text or fact."""
        language_pack = self.tongue(language, channel)
        template = self._template(language_pack, name, channel, facts)
        return template.fill(lambda slot: self._slot(language_pack, slot, channel, facts))

    def _template(self, tongue: Tongue, name: str, channel: str, facts: Mapping[str, Fact | Rows]) -> Template:
        """Return the text's template; where a count or a text reference selects a form, that form."""
        template = tongue.catalogue.template(name, channel)
        if not template.forms:
            return template
        word = facts.get(template.by)
        if isinstance(word, Word):
            return template.form(word.last)
        deciding = (template.by,) if template.by else template.slots
        counts = (self._count(slot, facts) for slot in deciding)
        count = next((value for value in counts if value is not None), None)
        return template if count is None else template.form(tongue.written.plural(count))

    def _count(self, slot: str, facts: Mapping[str, Fact | Rows]) -> int | None:
        """Return the count in a slot; None when the slot holds none."""
        fact = facts.get(slot)
        if isinstance(fact, Count):
            return fact.value
        constant = self.constants.get(slot, "")
        return int(constant) if constant.isdecimal() else None

    def _slot(self, tongue: Tongue, slot: str, channel: str, facts: Mapping[str, Fact | Rows]) -> str:
        if slot in self.constants:
            constant = self.constants[slot]
            return tongue.spoken.count(int(constant)) if channel == "voice" and slot in COUNTS else constant
        name, _, form = slot.partition(":")
        fact = facts[name]
        if isinstance(fact, Rows):
            raise TypeError(f"{slot} is a list; show it with `each`")
        return FORMS[form](tongue, fact, channel)


def constants(form: PackFile) -> dict[str, str]:
    """Return the slot values that come from the pack itself."""
    numbers, rules = form.numbers, form.rules
    return {
        "operator": form.title,
        "ussd": numbers.ussd,
        "voice": numbers.voice,
        "sms": numbers.sms,
        "code_minutes": str(rules.code_minutes),
        "code_digits": str(rules.code_digits),
        "list_depth": str(rules.list_depth),
        "document_months": str(rules.document_months),
    }
