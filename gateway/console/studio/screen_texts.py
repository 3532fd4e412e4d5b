"""Texts of a screen as fields of a form: words by channel and plural form, their source, findings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.studio.pack_loading import LoadedPack
from menus.machine.screen import Node
from menus.packfile.yaml_source import Finding, ValuePath, YamlValue
from menus.packs.loader import PackDraft
from menus.packs.pack_editing import FileTexts, list_words, text_file, write_text
from menus.text.catalogue import SELECTOR, TextEntry, parse_template


@dataclass(frozen=True, slots=True)
class WordsField:
    """One field: the words of a text for a channel or plural form."""

    form_name: str
    """Name in the form."""
    text: str
    """Name of the text."""
    path: ValuePath
    """Channel, form, both or none."""
    words: str
    """What is stored, without spaces and line breaks at its ends."""
    typed: str
    """What the field shows: what was typed where it was not saved, else what is stored."""
    is_shared: bool
    """Whether the words come from the catalogue that all operators share."""
    findings: Sequence[str] = ()

    @property
    def slots(self) -> str:
        """The placeholders in the words, as they are typed."""
        return " ".join(f"{{{slot}}}" for slot in dict.fromkeys(parse_template(self.words).slots))


def list_fields(
    loaded: LoadedPack, node: Node, language: str, findings: Sequence[Finding]
) -> Sequence[WordsField]:
    """Return the fields of a screen's texts in a language, in the order of the screen."""
    fields = [
        each for name in text_names(node) for each in _text_fields(loaded.draft, name, language, findings)
    ]
    return [replace(each, form_name=f"w{index}") for index, each in enumerate(fields)]


def show_typed(fields: Sequence[WordsField], typed: Mapping[str, str]) -> Sequence[WordsField]:
    """Return the fields with what was typed in them, by their names in the form."""
    return [replace(each, typed=typed.get(each.form_name, each.typed)) for each in fields]


def text_names(node: Node) -> Sequence[str]:
    """Return the names of the texts a screen shows: its own, those of its options and rows."""
    names = [node.text] if node.is_waiting else []
    names += [option.text for option in node.options]
    return list(dict.fromkeys([*names, node.each.text] if node.each else names))


def write_fields(files: FileTexts, draft: PackDraft, language: str, fields: Sequence[WordsField]) -> FileTexts:
    """Return the pack's files with the texts whose words were changed in the form."""
    changed = [each for each in fields if each.typed != each.words]
    for name in dict.fromkeys(each.text for each in changed):
        value = _stored_value(draft, name, language)
        for each in changed:
            if each.text == name:
                value = _with_words(value, each.path, each.typed)
        files = write_text(files, language, name, value)
    return files


def _text_fields(
    draft: PackDraft, name: str, language: str, findings: Sequence[Finding]
) -> Iterator[WordsField]:
    """Yield the fields of one text; a finding about all of it stands at the first."""
    entry = draft.language_packs[language].catalogue.entries.get(name)
    is_shared = entry is not None and entry.source.file != f"{draft.folder.name}/{text_file(language)}"
    left = [(path, each.what) for each in findings for path in _places(entry, each)]
    for path, words in list_words(_stored_value(draft, name, language)):
        if path[-1:] != (SELECTOR,):
            wrong = [what for place, what in left if path[: len(place)] == place]
            left = [each for each in left if each[1] not in wrong]
            yield WordsField("", name, path, words.strip(), words.strip(), is_shared, wrong)


def _places(entry: TextEntry | None, finding: Finding) -> Sequence[ValuePath]:
    """Return the path below a text where a finding is; none where it is about something else."""
    if entry is None or entry.source.file != finding.file:
        return []
    place = (finding.line, finding.column)
    return [
        path[1:] for path, at in entry.source.positions.items() if path[:1] == (entry.name,) and at == place
    ]


def _stored_value(draft: PackDraft, name: str, language: str) -> YamlValue:
    """Return a text as its file has it; empty words for one the language lacks."""
    entry = draft.language_packs[language].catalogue.entries.get(name)
    value = entry.source.value if entry else ""
    return value[name] if isinstance(value, dict) else ""


def _with_words(value: YamlValue, path: ValuePath, words: str) -> YamlValue:
    if not path:
        return words
    inner = value if isinstance(value, dict) else {}
    return {**inner, str(path[0]): _with_words(inner[str(path[0])], path[1:], words)}
