"""Translators' files (gettext PO): the texts of one language against those of another, out and in.

Each form of a text is an entry: its context is `name|variant` or `name|variant|category`, its id the source
language's text. A plural text has the categories (CLDR) of the language it is translated to.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from babel import Locale as Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po, write_po

from menus.packfile import messages
from menus.packfile.yaml_source import Finding, YamlValue
from menus.text.catalogue import PLURAL_CATEGORIES, SELECTOR, parse_template

SPOKEN_VARIANTS = ("voice", "short")

TextForms = Mapping[tuple[str, ...], str]
"""Texts by variant, and by category behind it where the text has forms: `("voice", "few")`."""


@dataclass(frozen=True, slots=True)
class PoEntry:
    """One form of a text, in two languages."""

    name: str
    form: tuple[str, ...]
    source: str
    translation: str = ""
    """Empty where it is missing."""

    @property
    def context(self) -> str:
        """The entry's context in a PO file."""
        return "|".join((self.name, *self.form))

    @property
    def is_plural(self) -> bool:
        """Whether the form is one of several by a count."""
        return len(self.form) > 1 and self.form[1] in PLURAL_CATEGORIES


@dataclass(frozen=True, slots=True)
class PoReading:
    """What a PO file says."""

    translations: Mapping[tuple[str, tuple[str, ...]], str]
    """By name and form; without those that are missing, fuzzy or outdated."""
    findings: Sequence[Finding] = ()
    """Why the file cannot be used: placeholders lost or invented, texts the pack has not, syntax."""
    outdated: Sequence[str] = ()
    """Contexts of entries whose source text has changed since the file was written."""


def flatten_forms(value: YamlValue) -> dict[tuple[str, ...], str]:
    """Return the forms of a text as it stands in a catalogue; the field `by` is one of them."""
    if isinstance(value, str):
        return {("all",): value}
    if not isinstance(value, dict):
        return {}
    if "other" in value:
        return {("all", category): text for category, text in value.items() if isinstance(text, str)}
    return {
        (variant, *form[1:]): text
        for variant, each in value.items()
        for form, text in flatten_forms(each).items()
    }


def build_value(forms: TextForms) -> YamlValue:
    """Return the forms as a value for a catalogue: the reverse of `flatten_forms`."""
    variants = dict.fromkeys(variant for variant, *_ in forms)
    values = {variant: _build_variant(forms, variant) for variant in variants}
    return values["all"] if values.keys() == {"all"} else values


def _build_variant(forms: TextForms, variant: str) -> YamlValue:
    if (variant,) in forms:
        return forms[variant,]
    return {form[1]: text for form, text in forms.items() if form[0] == variant}


def pair_entries(
    source: Mapping[str, YamlValue], target: Mapping[str, YamlValue], locale: Locale, *, is_spoken: bool = True
) -> Iterator[PoEntry]:
    """Yield the entries of all source texts, with the translations there are.

    `locale` is that of the target, whose plural categories count. Without `is_spoken` texts of calls are left
    out: a second script is never spoken.
    """
    for name, value in source.items():
        translations = flatten_forms(target.get(name, ""))
        for form, text in _translatable_forms(flatten_forms(value), locale):
            if text.strip() and (is_spoken or form[0] not in SPOKEN_VARIANTS):
                yield PoEntry(name, form, text, translations.get(form, ""))


def write_po_file(entries: Sequence[PoEntry], locale: Locale, now: datetime) -> bytes:
    """Return a PO file of the entries."""
    catalog = Catalog(locale, project="dialtree pack", creation_date=now, revision_date=now, fuzzy=False)
    for entry in entries:
        slots = ", ".join(f"{{{slot}}}" for slot in _slot_names(entry.source))
        notes = [f"keep {slots}"] if slots else []
        catalog.add(entry.source, entry.translation, context=entry.context, auto_comments=notes)
    file = io.BytesIO()
    write_po(file, catalog, width=0)
    return file.getvalue()


def read_po_file(data: bytes, file: str, entries: Sequence[PoEntry]) -> PoReading:
    """Read a PO file against the entries of the pack as it is now."""
    try:
        catalog = read_po(io.BytesIO(data), abort_invalid=True)
    except (PoFileError, ValueError, LookupError) as error:
        return PoReading(
            {}, [Finding(file, getattr(error, "lineno", 1) or 1, 1, messages.INVALID_PO.format(why=error))]
        )
    by_context = {entry.context: entry for entry in entries}
    findings, translations, outdated = list[Finding](), {}, list[str]()
    for message in filter(lambda each: each.id, catalog):
        entry, text = by_context.get(message.context or ""), str(message.string or "")
        fault = _find_fault(entry, text)
        if entry is None or (fault and message.id == entry.source):
            findings.append(Finding(file, message.lineno or 1, 1, fault.format(name=message.context)))
        elif message.id != entry.source:
            outdated.append(entry.context)
        elif text and not message.fuzzy:
            translations[entry.name, entry.form] = text
    return PoReading(translations, findings, outdated)


def _translatable_forms(forms: TextForms, locale: Locale) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the forms a translation has: for plural texts one for each category of the language."""
    for form, text in forms.items():
        if len(form) == 1:
            yield form, text
        elif form[1] == "other" and _is_plural(forms, form[0]):
            for category in (*sorted(locale.plural_form.tags, key=PLURAL_CATEGORIES.index), "other"):
                yield (form[0], category), forms.get((form[0], category), text)
        elif form[1] != SELECTOR and not _is_plural(forms, form[0]):
            yield form, text


def _is_plural(forms: TextForms, variant: str) -> bool:
    categories = {form[1] for form in forms if len(form) > 1 and form[0] == variant} - {SELECTOR}
    return categories <= set(PLURAL_CATEGORIES)


def _find_fault(entry: PoEntry | None, text: str) -> str:
    """Return what is wrong with a translation; empty when nothing is, or the pack has it so already."""
    if entry is None:
        return messages.PO_TEXT_UNKNOWN
    needed, given = set(_slot_names(entry.source)), set(_slot_names(text))
    may_leave_out = entry.is_plural and entry.form[1] != "other"
    if text in ("", entry.translation) or given == needed or (may_leave_out and given <= needed):
        return ""
    slots = ", ".join(f"{{{{{slot}}}}}" for slot in sorted(needed ^ given))
    return messages.PO_PLACEHOLDERS.replace("{slots}", slots)


def _slot_names(text: str) -> list[str]:
    """Return the names of a text's placeholders; how one is written (`{month:of}`) is the language's own."""
    return list(dict.fromkeys(slot.partition(":")[0] for slot in parse_template(text).slots))
