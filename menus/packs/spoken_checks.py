"""Pack linter, speech: what a synthesiser would misread in the prompts of a pack, by language."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from menus.machine.menu import LanguagePack, Menu
from menus.packfile import messages
from menus.packfile.yaml_source import Finding
from menus.packs.spoken_prompts import SpokenPrompt
from menus.text.catalogue import TextEntry

MISREAD_PATTERNS = {
    r"[#*@/&%+=<>\[\]{}_|~^\\€$°№…]": "a sign that is swallowed or misread; write the word",
    r"\d{2,}": "digits; write the number in words for calls",
    r"\d\w*[.,/:]\d": "digits; write the number in words for calls",
    r"\d ?[A-Za-z]+\b(?<=\b[a-zA-Z])": "a unit that is read as a letter; write the word",
    r"(?<![\w'])[A-ZÀ-ÞĂÂÎȘȚ]{2,}(?!\w)": "capitals, read letter by letter; name them under `spoken: spelled:`",
}
"""What is misread in every language, and what to do."""


def check_spoken(menu: Menu, prompts: Iterable[SpokenPrompt]) -> Iterator[Finding]:
    """Yield one finding for each text and fault: signs, digits, capitals, faults of the language's data."""
    found: set[tuple[str, str, str]] = set()
    for prompt in prompts:
        language_pack = menu.language_pack(prompt.language, "voice")
        for words, fault in [] if prompt.is_digits else _faults_in(language_pack, prompt.words):
            entry = _find_entry(menu, language_pack, prompt)
            if (prompt.language, entry.name, fault) not in found:
                found.add((prompt.language, entry.name, fault))
                values = {"name": entry.name, "said": prompt.words, "words": words, "fault": fault}
                yield entry.finding_at(messages.SPOKEN_FAULT.format(**values), "voice")


def _faults_in(language_pack: LanguagePack, words: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong in a spoken sentence: the words, and why."""
    for pattern, fault in {**MISREAD_PATTERNS, **language_pack.language_data.spoken.faults}.items():
        match = _compile(pattern).search(words)
        if match:
            yield match[0], fault


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _find_entry(menu: Menu, language_pack: LanguagePack, prompt: SpokenPrompt) -> TextEntry:
    """Return the text whose words are most of a prompt: the screen's, an option's or that of its rows."""
    node = menu.nodes[prompt.node]
    names = [node.text, *(option.text for option in node.options)] + ([node.each.text] if node.each else [])
    said = set(prompt.words.split())

    def shared_words(name: str) -> int:
        literals = " ".join(language_pack.catalogue.template_for(name, "voice").literals)
        return len(said & set(literals.split()))

    return language_pack.catalogue.entries[max(names, key=shared_words)]
