"""Pack linter: compares what the texts promise (keywords, codes, dial paths) with what the pack has."""

import re
from collections.abc import Iterator, Mapping, Set

from menus.machine.menu import LanguagePack
from menus.machine.transitions_table import HOME
from menus.model.reply import Channel
from menus.packfile import messages
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import Finding
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft
from menus.text.catalogue import TextEntry
from menus.text.input_parsing import fold_word

BILL_CODE_TEXT = "page.bill_how"
"""The text that says how to get a code for the bill page; each number in it must lead to one."""
BILL_CODE_ACTIONS = ("code.send", "code.by_password")
"""Actions that send a code; with the argument `bill` it opens the bill page."""
LANGUAGE_ACTION = "language.choose"
OPT_OUT_WORDS = frozenset({"START", "STOP"})
"""Words that the gateway itself answers, whatever the pack's keywords."""
_CAPITALS = re.compile(r"\b[A-ZÀ-ÞĂÂÎȘȚ]{3,}\b")
_EXAMPLE_ADDRESS = re.compile(r"\S+@\S+")
_DIAL_PATH = re.compile(r"(?<![\d*])\*[\d*]+#")


def check_promises(draft: PackDraft) -> Iterator[Finding]:
    """Yield findings for promises that do not hold and languages that cannot be chosen."""
    nodes = {channel: reachable_nodes(draft, channel) for channel in CHANNELS}
    prefixes = _prefixes_in_use(draft, set().union(*nodes.values()))
    yield from _unreachable_languages(draft, set().union(*nodes.values()))
    keyword_words = _keyword_words(draft)
    for language_pack in draft.language_packs.values():
        usual = OPT_OUT_WORDS | _usual_capitals(draft, language_pack)
        for entry in language_pack.catalogue.entries.values():
            if entry.name.partition(".")[0] in prefixes:
                yield from _missing_keywords(keyword_words, usual, entry)
                yield from _missing_password(draft, language_pack, entry)
                yield from _missing_paths(draft, entry)
        yield from _missing_bill_codes(draft, language_pack, nodes)


def _prefixes_in_use(draft: PackDraft, reachable: set[str]) -> set[str]:
    """Return the first parts of the names of texts that subscribers can meet: of screens, pages, notices."""
    shown = {name for node in map(draft.nodes.__getitem__, reachable) for name in (node.name, node.text)}
    return {name.partition(".")[0] for name in shown} | {"nav", "note", "house", "page", "billday"}


def _unreachable_languages(draft: PackDraft, reachable: set[str]) -> Iterator[Finding]:
    """Yield a finding for each language but the first that no reachable step chooses."""
    nodes = [draft.nodes[name] for name in reachable]
    chosen = {node.action_argument for node in nodes if node.action == LANGUAGE_ACTION}
    for language in list(draft.language_packs)[1:]:
        if language not in chosen:
            message = messages.UNREACHABLE_LANGUAGE.format(language=language)
            native = draft.language_packs[language].native_language
            yield draft.pack_source.finding_at(("languages", native), message)


def _keyword_words(draft: PackDraft) -> set[str]:
    """Return every word of the pack's keywords, folded."""
    return {
        part
        for keyword in draft.keywords.config.keywords
        for words in keyword.words
        for part in fold_word(words).split()
    }


def _missing_keywords(keyword_words: Set[str], usual: Set[str], entry: TextEntry) -> Iterator[Finding]:
    """Yield a finding for each word in capitals that is neither a keyword nor a usual abbreviation."""
    for channel, template in entry.variants.items():
        text = _EXAMPLE_ADDRESS.sub(" ", " ".join(template.literals))
        for word in dict.fromkeys(_CAPITALS.findall(text)):
            if word not in usual and fold_word(word) not in keyword_words:
                yield entry.finding_at(messages.MISSING_KEYWORD.format(name=entry.name, word=word), channel)


def _usual_capitals(draft: PackDraft, language_pack: LanguagePack) -> set[str]:
    """Return the usual abbreviations of a language and of the languages it falls back to."""
    capitals = set(language_pack.language_data.capitals)
    fallback = draft.config.languages[language_pack.native_language].falls_back_to
    return capitals | _usual_capitals(draft, draft.language_packs[fallback]) if fallback else capitals


def _missing_password(draft: PackDraft, language_pack: LanguagePack, entry: TextEntry) -> Iterator[Finding]:
    """Yield a finding for a text that asks for a password by SMS where the pack takes none."""
    if draft.keywords.config.password:
        return
    for channel, template in entry.variants.items():
        folded = f" {fold_word(' '.join(template.literals))} "
        words = [word for word in language_pack.language_data.password_words if f" {fold_word(word)}" in folded]
        if words and "sms" in template.slots:
            yield entry.finding_at(messages.NO_TEXTED_LOGIN.format(name=entry.name, word=words[0]), channel)


def _missing_paths(draft: PackDraft, entry: TextEntry) -> Iterator[Finding]:
    """Yield a finding for each USSD code written out in a text that no menu path of the pack answers."""
    for channel, template in entry.variants.items():
        for path in _DIAL_PATH.findall(" ".join(template.literals)):
            if not _leads_somewhere(draft, path):
                yield entry.finding_at(messages.MISSING_PATH.format(name=entry.name, path=path), channel)


def _leads_somewhere(draft: PackDraft, path: str) -> bool:
    """Return whether the keys behind the pack's own code are options, screen by screen."""
    root = draft.config.numbers.ussd.rstrip("#")
    if path != f"{root}#" and not path.startswith(f"{root}*"):
        return False
    node = draft.nodes[HOME]
    for key in path.removeprefix(root).rstrip("#").split("*")[1:]:
        target = next((option.to for option in node.options if option.keys.get("ussd") == key), "")
        if not target:
            return not node.options
        node = draft.nodes[target]
    return True


def _missing_bill_codes(
    draft: PackDraft, language_pack: LanguagePack, names: Mapping[Channel, set[str]]
) -> Iterator[Finding]:
    """Yield a finding for each number the bill page names as a way to a code and that sends none."""
    if BILL_CODE_TEXT not in language_pack.catalogue:
        return
    entry = language_pack.catalogue.entries[BILL_CODE_TEXT]
    slots = {slot for template in entry.variants.values() for slot in template.slots}
    for channel in CHANNELS:
        nodes = [draft.nodes[name] for name in names[channel]]
        sends_code = any(node.action in BILL_CODE_ACTIONS and node.action_argument == "bill" for node in nodes)
        if channel in slots and not sends_code:
            yield entry.finding_at(messages.MISSING_BILL_CODE.format(channel=channel))
