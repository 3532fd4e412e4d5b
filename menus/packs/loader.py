"""Pack loader: reads an operator's folder, validates each file, compiles the draft to a menu."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from babel import UnknownLocaleError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from menus.machine.menu import Menu, Tongue, constants
from menus.machine.screen import Node, node, read_back
from menus.machine.transitions_table import Moves
from menus.packfile import messages
from menus.packfile.schema import (
    EXAMPLES,
    AcceptForm,
    EachForm,
    Form,
    KeywordForm,
    KeywordsFile,
    LanguageForm,
    OptionForm,
    PackFile,
    RulesForm,
    ScreenForm,
    ScreensFile,
    ScriptForm,
    VoiceForm,
)
from menus.packfile.yaml_source import Finding, PackError, Path_, Source, read
from menus.packs.recordings import Recordings, recordings
from menus.text.catalogue import catalogue
from menus.text.formats import Currency, Spoken, Written
from menus.text.keywords import Keywords
from menus.text.spoken_digits import ear

F = TypeVar("F", bound=Form)
FIELDS = frozenset(
    field.alias or name
    for form in (
        PackFile,
        ScreenForm,
        OptionForm,
        EachForm,
        AcceptForm,
        KeywordForm,
        RulesForm,
        LanguageForm,
        ScriptForm,
        VoiceForm,
    )
    for name, field in form.model_fields.items()
)
"""Every field a pack may have, to suggest the one that was meant."""
HOUSE = "house"
"""The flow every pack includes: goodbye, apology, time-out, too many wrong answers, agent."""


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of the files that all packs share."""

    flows: Path
    """Screens of the flows, one YAML file per flow."""
    texts: Path
    """The common text catalogue, one YAML file per language; a pack's own texts override it."""


@dataclass(frozen=True)
class Draft:
    """A pack whose files are valid each by itself and not yet checked against each other."""

    folder: Path
    form: PackFile
    pack: Source
    nodes: Mapping[str, Node]
    keywords: Keywords
    keyword_source: Source
    tongues: Mapping[str, Tongue]
    revision: str
    recordings: Recordings

    def menu(self) -> Menu:
        """Compile the draft to a menu; the checks of `menus.packs.graph_checks` must have found nothing."""
        config = self.form
        table = Moves(self.nodes, config.gates, config.rules.proof, self.keywords.targets, config.rules.vouched)
        return Menu(
            config,
            self.revision,
            self.nodes,
            table,
            self.keywords,
            self.tongues,
            constants(config),
            self.recordings,
            self.folder,
        )


def draft(folder: Path, places: Places) -> Draft:
    """Read and validate a pack's folder; PackError with every finding of the first invalid file."""
    pack_source = read(folder / "pack.yaml", f"{folder.name}/pack.yaml")
    config = _valid(PackFile, pack_source)
    screens = [
        *_flow_screens(config, pack_source, places),
        read(folder / "screens.yaml", f"{folder.name}/screens.yaml"),
    ]
    keyword_source = read(folder / "keywords.yaml", f"{folder.name}/keywords.yaml")
    keywords = Keywords(_valid(KeywordsFile, keyword_source))
    texts = {
        language: _texts(_chain(config, pack_source, language), folder, places) for language in config.languages
    }
    language_packs = {
        language: _tongue(config, pack_source, language, config.languages[language], sources)
        for language, sources in texts.items()
    }
    for name, language, spec in _scripts(config):
        texts[name] = [*texts[language], *_catalogues(name, folder, places)]
        language_packs[name] = replace(_tongue(config, pack_source, name, spec, texts[name]), native=language)
    all_sources = [
        pack_source,
        keyword_source,
        *screens,
        *(source for sources in texts.values() for source in sources),
    ]
    return Draft(
        folder,
        config,
        pack_source,
        _nodes(screens),
        keywords,
        keyword_source,
        language_packs,
        _revision(all_sources),
        recordings(folder, {language: language_packs[language] for language in config.languages}),
    )


def _flow_screens(form: PackFile, pack: Source, places: Places) -> Iterator[Source]:
    """Read the screens of the pack's flows, the common flow first; PackError for an unknown flow."""
    available = {path.stem for path in places.flows.glob("*.yaml")}
    for index, flow in enumerate(form.flows):
        if flow not in available:
            hint = messages.instead(flow, available)
            raise PackError(
                [pack.finding(("flows", index), messages.UNKNOWN_FLOW.format(flow=flow, instead=hint))]
            )
    for flow in (HOUSE, *form.flows):
        yield read(places.flows / f"{flow}.yaml", f"flows/{flow}.yaml")


def _chain(form: PackFile, pack: Source, language: str) -> list[str]:
    """Return the language and its fallback languages; PackError for an unknown one or a cycle."""
    chain = [language]
    while fallback := form.languages[chain[-1]].falls_back_to:
        if fallback not in form.languages or fallback in chain:
            message = messages.NO_FALLBACK.format(to=fallback)
            raise PackError([pack.finding(("languages", chain[-1], "falls_back_to"), message)])
        chain.append(fallback)
    return chain


def _texts(chain: list[str], folder: Path, places: Places) -> list[Source]:
    """Read the catalogues of a fallback chain; the language's own come last and override the others."""
    return [source for language in reversed(chain) for source in _catalogues(language, folder, places)]


def _catalogues(language: str, folder: Path, places: Places) -> list[Source]:
    """Read a language's common catalogue, if there is one, and the pack's own."""
    common = places.texts / f"{language}.yaml"
    own = read(folder / "texts" / f"{language}.yaml", f"{folder.name}/texts/{language}.yaml")
    return [read(common, f"texts/{language}.yaml"), own] if common.is_file() else [own]


def _scripts(form: PackFile) -> Iterator[tuple[str, str, LanguageForm]]:
    """Yield the second scripts as (name, language, spec): `ar-Latn`, `ar`, with the script's money pattern."""
    for language, spec in form.languages.items():
        for script, script_form in spec.scripts.items():
            yield f"{language}-{script}", language, spec.model_copy(update={"money": script_form.money})


def _nodes(sources: list[Source]) -> dict[str, Node]:
    """Compile all screens; a pack's own override those of the flows with the same name."""
    files = [(source, _valid(ScreensFile, source)) for source in sources]
    otherwise = {outcome: to for _, file in files for outcome, to in file.otherwise.items()}
    nodes = {
        name: node(name, screen, source, otherwise)
        for source, file in files
        for name, screen in file.screens.items()
    }
    return nodes | {added.name: added for each in nodes.values() for added in read_back(each)}


def _tongue(form: PackFile, pack: Source, language: str, spec: LanguageForm, sources: list[Source]) -> Tongue:
    """Build the language pack; PackError for a locale, pattern or unit that cannot be used."""
    currency = _currency(form, spec)
    country, trunk = form.country_code, form.trunk
    try:
        written_formatter = Written(spec.locale, currency, day=spec.day, country_code=country, trunk=trunk)
        spoken_formatter = Spoken(spec.locale, currency, country_code=country, trunk=trunk)
    except (ValueError, UnknownLocaleError) as error:
        message = messages.NO_TONGUE.format(language=language, why=error)
        raise PackError([pack.finding(("languages", language), message)]) from error
    texts, recogniser = catalogue(language, sources), ear(spec.locale)
    return Tongue(language, language, texts, written_formatter, spoken_formatter, recogniser)


def _currency(form: PackFile, spec: LanguageForm) -> Currency:
    return Currency(form.currency.code, form.currency.decimals, spec.money, spec.unit, spec.subunit)


def _revision(sources: list[Source]) -> str:
    """Return the pack revision: eight hex digits of a SHA-256 hash over all files."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(repr((source.file, source.value)).encode())
    return digest.hexdigest()[:8]


def _valid(form: type[F], source: Source) -> F:
    """Validate a file against its schema; PackError with one finding per invalid field."""
    try:
        return form.model_validate(source.value)
    except ValidationError as error:
        raise PackError([_finding(source, form, detail) for detail in error.errors()]) from error


def _finding(source: Source, form: type[Form], detail: ErrorDetails) -> Finding:
    """Convert a pydantic error to a finding at the field's place in the file."""
    path: Path_ = tuple(part for part in detail["loc"] if part != "[key]")
    return source.finding(path, _what(detail, path))


FAULTS: Mapping[str, str] = {
    "extra_forbidden": messages.UNKNOWN_FIELD,
    "missing": messages.MISSING_FIELD,
    "literal_error": messages.NOT_ONE_OF,
    "string_pattern_mismatch": messages.WRONG_FORM,
    "string_type": messages.NO_TEXT,
    "int_parsing": messages.NO_NUMBER,
    "int_type": messages.NO_NUMBER,
    "bool_parsing": messages.NO_SWITCH,
    "bool_type": messages.NO_SWITCH,
    "list_type": messages.NO_LIST,
    "dict_type": messages.NO_FIELDS,
    "model_type": messages.NO_FIELDS,
    "too_short": messages.TOO_FEW,
    "greater_than_equal": messages.AT_LEAST,
    "less_than_equal": messages.AT_MOST,
    "value_error": messages.NO_ZONE,
}
"""Message by pydantic's error type; `value_error` is only raised for a time zone."""


def _what(detail: ErrorDetails, path: Path_) -> str:
    """Return the checker's message for a pydantic error."""
    last, context = path[-1] if path else "", detail.get("ctx", {})
    return FAULTS.get(detail["type"], messages.UNFIT).format(
        name=last,
        field=repr(last) if isinstance(last, str) and last else "this",
        given=repr(detail["input"]),
        instead=messages.instead(str(last), FIELDS),
        known=context.get("expected"),
        example=EXAMPLES.get(context.get("pattern", "")),
        bound=context.get("ge", context.get("le")),
        why=detail["msg"],
    )
