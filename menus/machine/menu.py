"""A menu: one pack, compiled; shared by every session that runs on its revision."""

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
"""Slots of the pack's own that count something: spoken in words."""
SCRIPTED = ("ussd", "sms")
"""Channels on which a language may come in a second script."""
SINGLY = ("sms", "voice")
"""Slots of the pack's own that are numbers to dial."""


@dataclass(frozen=True)
class Tongue:
    """One language of a pack: its texts and how it writes and speaks facts."""

    language: str
    native: str
    """The language that is spoken, mailed and on the pages: `ar` where this is `ar-Latn`, else itself."""
    catalogue: Catalogue
    written: Written
    spoken: Spoken
    ear: Ear

    def show(self, fact: Fact, channel: str) -> str:
        """A fact as words for a channel."""
        if isinstance(fact, Word):
            return self.catalogue.template(fact.name, channel).fill(lambda slot: "")
        return self.spoken.show(fact) if channel == "voice" else self.written.show(fact)

    def bare(self, fact: Fact, channel: str) -> str:
        """An amount without its currency where it is read; heard it keeps its units."""
        if channel == "voice" or not isinstance(fact, Money):
            return self.show(fact, channel)
        return self.written.bare(fact.amount)

    def whole(self, fact: Fact, channel: str) -> str:
        """A number in full, for reading it back to whoever has just given it."""
        return self.written.whole(fact.value) if isinstance(fact, Number) else self.show(fact, channel)

    def of(self, fact: Fact, channel: str) -> str:
        """A month as it is heard behind a word for `of`."""
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
"""What stands behind a slot's colon."""


@dataclass(frozen=True)
class Menu:
    """A compiled pack. Nothing in it changes after loading."""

    form: PackFile
    revision: str
    """Eight hex digits of a hash over all its files."""
    nodes: Mapping[str, Node] = field(repr=False)
    moves: Moves = field(repr=False)
    keywords: Keywords = field(repr=False)
    tongues: Mapping[str, Tongue] = field(repr=False)
    constants: Mapping[str, str] = field(repr=False)
    """Slots every text may use: the operator's own numbers and rules."""
    recordings: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """Language and text -> the file under the pack's `prompts/` that says it."""
    folder: Path = Path()
    """Where the pack lies."""
    pages: dict[tuple[str, str, str, int], tuple[str, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Pages of screens that show no fact, kept from their first use: as many as there are screens."""
    fixtures: dict[tuple[str, str, str], bool] = field(default_factory=dict, repr=False, compare=False)
    """Which screens those are."""

    @property
    def name(self) -> str:
        """The operator's name outside, e.g. `orange-ro`."""
        return self.form.name

    def msisdn(self, typed: str) -> str | None:
        """A number as people here write it, in E.164; None when there can be no such number."""
        form = self.form
        return as_msisdn(typed, form.country_code, form.trunk, form.number_digits)

    def language(self, wished: str) -> str:
        """A language the pack speaks: the wished one, or its first."""
        return wished if wished in self.tongues else next(iter(self.tongues))

    def tongue(self, language: str, channel: str) -> Tongue:
        """How a channel puts a language: in a second script on phones' screens, in its own elsewhere."""
        tongue = self.tongues[language]
        return tongue if channel in SCRIPTED else self.tongues[tongue.native]

    def fixed(self, state: str, language: str, channel: str) -> bool:
        """Does the screen read the same for everybody? Then its pages are made once."""
        key = (state, language, channel)
        known = self.fixtures.get(key)
        if known is None:
            known = self.fixtures[key] = self._fixed(self.nodes[state], self.tongue(language, channel), channel)
        return known

    def _fixed(self, node: Node, tongue: Tongue, channel: str) -> bool:
        names = [node.text, *(option.text for option in node.options)]
        slots = {slot for name in names for slot in tongue.catalogue.template(name, channel).slots}
        return node.each is None and slots <= self.constants.keys()

    def heard(
        self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]
    ) -> Iterator[tuple[str, bool]]:
        """A text as a caller hears it, piece by piece; True for digits said one by one."""
        tongue = self.tongue(language, channel)
        for index, part in enumerate(self._template(tongue, name, channel, facts).parts):
            if index % 2 == 0:
                yield part, False
                continue
            text = self._slot(tongue, part, "voice", facts)
            digits = text.replace(" ", "")
            yield (digits, True) if self._said_singly(part, digits, facts) else (text, False)

    def said_by(self, file: str) -> str:
        """The words of a recording; its bare name when the pack brings no such file."""
        names = (key for key, each in self.recordings.items() if each == file)
        language, name = next(names, ("", ""))
        return " ".join(self.words(name, language, "voice", {}).split()) if name else file

    def _said_singly(self, slot: str, digits: str, facts: Mapping[str, Fact | Rows]) -> bool:
        """Is it a code or a number, and no amount or count?"""
        if not digits.isdecimal():
            return False
        return slot in SINGLY or slot.endswith(":digits") or isinstance(facts.get(slot), Code | Number)

    def words(self, name: str, language: str, channel: str, facts: Mapping[str, Fact | Rows]) -> str:
        """A text of the catalogue with its slots filled."""
        tongue = self.tongue(language, channel)
        template = self._template(tongue, name, channel, facts)
        return template.fill(lambda slot: self._slot(tongue, slot, channel, facts))

    def _template(self, tongue: Tongue, name: str, channel: str, facts: Mapping[str, Fact | Rows]) -> Template:
        """The text's template; where a count or a word decides what it says, that for this one."""
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
    """The slots a pack itself fills."""
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
