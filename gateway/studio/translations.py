"""Translations of a pack: a PO file for a language out, the same file in, with what is missing named."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.pack_revisions import PACK_PATH, PackFiles, RevisionError
from gateway.publishing.pack_compiler import SHARED_PLACES
from menus.packfile.yaml_edits import set_value
from menus.packfile.yaml_source import Finding, YamlValue, parse_yaml
from menus.packs.po_files import (
    Locale,
    PoEntry,
    TextForms,
    build_value,
    flatten_forms,
    pair_entries,
    read_po_file,
    write_po_file,
)
from menus.text.catalogue import SELECTOR
from menus.text.formats import parse_locale

YamlTexts = Mapping[str, YamlValue]


@dataclass(frozen=True, slots=True)
class TranslationExport:
    """A PO file, and what is not translated yet."""

    data: bytes = field(repr=False)
    missing: Sequence[str]
    """Contexts of the entries without a translation, `name|variant`."""
    total: int


@dataclass(frozen=True, slots=True)
class TranslationImport:
    """The pack with the translations of a PO file."""

    files: PackFiles = field(repr=False)
    """Unchanged when there are findings."""
    count: int
    """Texts that changed."""
    findings: Sequence[Finding]
    missing: Sequence[str]
    outdated: Sequence[str]
    """Entries whose source text has changed since the file was exported: they were left as they are."""


def export_translations(files: PackFiles, language: str, now: datetime, source: str = "") -> TranslationExport:
    """Return the PO file of a language, from the texts of the source language, by default the pack's first.

    It has the pack's own texts and, for a language that is new here, those all packs share. Raises
    RevisionError for a language that cannot be, PackError for a file that cannot be read.
    """
    pair = _LanguagePair(files, language, source)
    entries = pair.list_entries()
    return TranslationExport(write_po_file(entries, pair.locale, now), _list_missing(entries), len(entries))


def import_translations(
    files: PackFiles, language: str, data: bytes, name: str, source: str = ""
) -> TranslationImport:
    """Return the pack with the translations of a PO file called `name`; nothing changes when it has a fault.

    A text that is new in the language is taken over once all its forms are translated; fuzzy entries count as
    not translated. Raises as `export_translations` does.
    """
    pair = _LanguagePair(files, language, source)
    entries = pair.list_entries()
    reading = read_po_file(data, name, entries)
    if reading.findings:
        return TranslationImport(files, 0, reading.findings, _list_missing(entries), reading.outdated)
    changes = pair.merge_translations(entries, reading.translations)
    changed = pair.apply_changes(changes)
    missing = _list_missing(_LanguagePair(changed, language, source).list_entries())
    return TranslationImport(changed, len(changes), (), missing, reading.outdated)


class _LanguagePair:
    """The catalogues of two languages of a pack: own texts, and shared ones where the target has none."""

    def __init__(self, files: PackFiles, language: str, source: str) -> None:
        self.files, self.path = files, f"texts/{language}.yaml"
        if not PACK_PATH.fullmatch(self.path):
            raise RevisionError(f"{language!r} is no language")
        languages = _read_mapping(files, "pack.yaml").get("languages", {})
        names = languages if isinstance(languages, dict) else {}
        source = source or next(iter(names), "")
        if source not in names or source == language:
            raise RevisionError(f"{source!r} cannot be the source; the pack has {', '.join(names)}")
        native = language.partition("-")[0]
        self.is_script = language not in names and native in names
        self.locale = _locale_of(names, native if self.is_script else language)
        self.own = _read_mapping(files, self.path)
        self.source = {**self._list_shared(source, language), **_read_mapping(files, f"texts/{source}.yaml")}

    def list_entries(self) -> list[PoEntry]:
        """Return the entries of all source texts."""
        return [*pair_entries(self.source, self.own, self.locale, is_spoken=not self.is_script)]

    def merge_translations(
        self, entries: Sequence[PoEntry], translations: Mapping[tuple[str, tuple[str, ...]], str]
    ) -> Mapping[str, YamlValue]:
        """Return the new value of each text of which a translation changes and every form is there."""
        forms: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
        for entry in entries:
            forms[entry.name][entry.form] = translations.get((entry.name, entry.form)) or entry.translation
        old = {(entry.name, entry.form): entry.translation for entry in entries}
        return {
            name: build_value(self._add_fixed_forms(name, each))
            for name, each in forms.items()
            if all(each.values()) and any(text != old[name, form] for form, text in each.items())
        }

    def apply_changes(self, changes: Mapping[str, YamlValue]) -> PackFiles:
        """Return the pack with these texts in the target's catalogue."""
        text = self.files.texts.get(self.path, "")
        for name, value in changes.items():
            text = set_value(text, (name,), value)
        return self.files.with_changes({self.path: text}) if changes else self.files

    def _add_fixed_forms(self, name: str, forms: TextForms) -> TextForms:
        """Add what is not translated: variants the target has beside the source's, and what selects a form."""
        variants = {form[0] for form in forms}
        own = flatten_forms(self.own.get(name, ""))
        beside = {form: text for form, text in own.items() if text and form[0] not in variants}
        selectors = {
            form: text for form, text in flatten_forms(self.source[name]).items() if form[-1] == SELECTOR
        }
        chosen = {form: own.get(form, text) for form, text in selectors.items() if form[0] in variants}
        return {**chosen, **forms, **beside}

    def _list_shared(self, source: str, language: str) -> YamlTexts:
        """Return the texts all packs share, for a language that has none of them; no second script has all."""
        return {} if self.is_script or _read_shared(language) else _read_shared(source)


def _list_missing(entries: Sequence[PoEntry]) -> list[str]:
    return [entry.context for entry in entries if not entry.translation]


def _locale_of(languages: YamlTexts, language: str) -> Locale:
    """Return the locale the pack gives a language, else the language's own."""
    form = languages.get(language)
    name = form.get("locale", language) if isinstance(form, dict) else language
    try:
        return parse_locale(str(name))
    except ValueError as error:
        raise RevisionError(f"{language!r} is no language: {error}") from error


def _read_mapping(files: PackFiles, path: str) -> YamlTexts:
    return _as_mapping(parse_yaml(files.texts.get(path, "").encode(), path).value)


def _read_shared(language: str) -> YamlTexts:
    path = SHARED_PLACES.texts / f"{language}.yaml"
    return _as_mapping(parse_yaml(path.read_bytes(), path.name).value) if path.is_file() else {}


def _as_mapping(value: YamlValue) -> YamlTexts:
    return value if isinstance(value, dict) else {}
