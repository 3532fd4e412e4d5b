"""Pack loader: reads an operator's folder, validates each file, compiles the draft to a menu."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from babel import UnknownLocaleError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from menus.machine.menu import LanguagePack, Menu, pack_constants
from menus.machine.screen import Node, compile_node, read_back_nodes
from menus.machine.transitions_table import TransitionTable
from menus.packfile import messages
from menus.packfile.schema import (
    PATTERN_EXAMPLES,
    AcceptForm,
    EachForm,
    KeywordForm,
    KeywordsFile,
    LanguageForm,
    OptionForm,
    PackFile,
    PackForm,
    RulesForm,
    ScreenForm,
    ScreensFile,
    ScriptForm,
    VoiceForm,
)
from menus.packfile.yaml_source import Finding, PackError, SourceFile, ValuePath, read_yaml
from menus.packs.recordings import PromptFiles, find_prompt_files
from menus.text.catalogue import merge_sources
from menus.text.formats import Currency, SpokenFormatter, WrittenFormatter
from menus.text.keywords import KeywordTable
from menus.text.spoken_digits import digit_recogniser_for

F = TypeVar("F", bound=PackForm)
FIELD_NAMES = frozenset(
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
COMMON_FLOW = "house"
"""The flow every pack includes: goodbye, apology, time-out, too many wrong answers, agent."""


@dataclass(frozen=True, slots=True)
class SourceFolders:
    """Folders of the files that all packs share."""

    flows: Path
    """Screens of the flows, one YAML file per flow."""
    texts: Path
    """The common text catalogue, one YAML file per language; a pack's own texts override it."""


@dataclass(frozen=True)
class PackDraft:
    """A pack whose files are valid each by itself and not yet checked against each other."""

    folder: Path
    config: PackFile
    pack_source: SourceFile
    nodes: Mapping[str, Node]
    keywords: KeywordTable
    keyword_source: SourceFile
    language_packs: Mapping[str, LanguagePack]
    revision: str
    recordings: PromptFiles

    def build_menu(self) -> Menu:
        """Compile the draft to a menu; the checks of `menus.packs.graph_checks` must have found nothing."""
        config = self.config
        table = TransitionTable(
            self.nodes, config.gates, config.rules.proof, self.keywords.targets, config.rules.vouched
        )
        return Menu(
            config,
            self.revision,
            self.nodes,
            table,
            self.keywords,
            self.language_packs,
            pack_constants(config),
            self.recordings,
            self.folder,
        )


def load_draft(folder: Path, folders: SourceFolders) -> PackDraft:
    """Read and validate a pack's folder; PackError with every finding of the first invalid file."""
    pack_source = read_yaml(folder / "pack.yaml", f"{folder.name}/pack.yaml")
    config = _validate_source(PackFile, pack_source)
    screens = [
        *_read_flow_screens(config, pack_source, folders),
        read_yaml(folder / "screens.yaml", f"{folder.name}/screens.yaml"),
    ]
    keyword_source = read_yaml(folder / "keywords.yaml", f"{folder.name}/keywords.yaml")
    keywords = KeywordTable(_validate_source(KeywordsFile, keyword_source))
    texts = {
        language: _chain_catalogues(_fallback_chain(config, pack_source, language), folder, folders)
        for language in config.languages
    }
    language_packs = {
        language: _build_language_pack(config, pack_source, language, config.languages[language], sources)
        for language, sources in texts.items()
    }
    for name, language, spec in _second_scripts(config):
        texts[name] = [*texts[language], *_read_catalogues(name, folder, folders)]
        language_packs[name] = replace(
            _build_language_pack(config, pack_source, name, spec, texts[name]), native_language=language
        )
    all_sources = [
        pack_source,
        keyword_source,
        *screens,
        *(source for sources in texts.values() for source in sources),
    ]
    return PackDraft(
        folder,
        config,
        pack_source,
        _compile_nodes(screens),
        keywords,
        keyword_source,
        language_packs,
        _hash_sources(all_sources),
        find_prompt_files(folder, {language: language_packs[language] for language in config.languages}),
    )


def _read_flow_screens(
    config: PackFile, pack_source: SourceFile, folders: SourceFolders
) -> Iterator[SourceFile]:
    """Read the screens of the pack's flows, the common flow first; PackError for an unknown flow."""
    available = {path.stem for path in folders.flows.glob("*.yaml")}
    for index, flow in enumerate(config.flows):
        if flow not in available:
            hint = messages.suggest_name(flow, available)
            raise PackError(
                [
                    pack_source.finding_at(
                        ("flows", index), messages.UNKNOWN_FLOW.format(flow=flow, instead=hint)
                    )
                ]
            )
    for flow in (COMMON_FLOW, *config.flows):
        yield read_yaml(folders.flows / f"{flow}.yaml", f"flows/{flow}.yaml")


def _fallback_chain(config: PackFile, pack_source: SourceFile, language: str) -> list[str]:
    """Return the language and its fallback languages; PackError for an unknown one or a cycle."""
    chain = [language]
    while fallback := config.languages[chain[-1]].falls_back_to:
        if fallback not in config.languages or fallback in chain:
            message = messages.INVALID_FALLBACK.format(to=fallback)
            raise PackError([pack_source.finding_at(("languages", chain[-1], "falls_back_to"), message)])
        chain.append(fallback)
    return chain


def _chain_catalogues(chain: list[str], folder: Path, folders: SourceFolders) -> list[SourceFile]:
    """Read the catalogues of a fallback chain; the language's own come last and override the others."""
    return [source for language in reversed(chain) for source in _read_catalogues(language, folder, folders)]


def _read_catalogues(language: str, folder: Path, folders: SourceFolders) -> list[SourceFile]:
    """Read a language's common catalogue, if there is one, and the pack's own."""
    common = folders.texts / f"{language}.yaml"
    own = read_yaml(folder / "texts" / f"{language}.yaml", f"{folder.name}/texts/{language}.yaml")
    return [read_yaml(common, f"texts/{language}.yaml"), own] if common.is_file() else [own]


def _second_scripts(config: PackFile) -> Iterator[tuple[str, str, LanguageForm]]:
    """Yield the second scripts as (name, language, spec): `ar-Latn`, `ar`, with the script's money pattern."""
    for language, spec in config.languages.items():
        for script, script_form in spec.scripts.items():
            yield f"{language}-{script}", language, spec.model_copy(update={"money": script_form.money})


def _compile_nodes(sources: list[SourceFile]) -> dict[str, Node]:
    """Compile all screens; a pack's own override those of the flows with the same name."""
    files = [(source, _validate_source(ScreensFile, source)) for source in sources]
    otherwise = {outcome: to for _, file in files for outcome, to in file.otherwise.items()}
    nodes = {
        name: compile_node(name, screen, source, otherwise)
        for source, file in files
        for name, screen in file.screens.items()
    }
    return nodes | {added.name: added for each in nodes.values() for added in read_back_nodes(each)}


def _build_language_pack(
    config: PackFile, pack_source: SourceFile, language: str, spec: LanguageForm, sources: list[SourceFile]
) -> LanguagePack:
    """Build the language pack; PackError for a locale, pattern or unit that cannot be used."""
    currency = _build_currency(config, spec)
    country, trunk = config.country_code, config.trunk
    try:
        written_formatter = WrittenFormatter(
            spec.locale, currency, day=spec.day, country_code=country, trunk=trunk
        )
        spoken_formatter = SpokenFormatter(spec.locale, currency, country_code=country, trunk=trunk)
    except (ValueError, UnknownLocaleError) as error:
        message = messages.INVALID_LANGUAGE.format(language=language, why=error)
        raise PackError([pack_source.finding_at(("languages", language), message)]) from error
    texts, recogniser = merge_sources(language, sources), digit_recogniser_for(spec.locale)
    return LanguagePack(language, language, texts, written_formatter, spoken_formatter, recogniser)


def _build_currency(config: PackFile, spec: LanguageForm) -> Currency:
    return Currency(config.currency.code, config.currency.decimals, spec.money, spec.unit, spec.subunit)


def _hash_sources(sources: list[SourceFile]) -> str:
    """Return the pack revision: eight hex digits of a SHA-256 hash over all files."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(repr((source.file, source.value)).encode())
    return digest.hexdigest()[:8]


def _validate_source(schema: type[F], source: SourceFile) -> F:
    """Validate a file against its schema; PackError with one finding per invalid field."""
    try:
        return schema.model_validate(source.value)
    except ValidationError as error:
        raise PackError([_schema_finding(source, schema, detail) for detail in error.errors()]) from error


def _schema_finding(source: SourceFile, schema: type[PackForm], detail: ErrorDetails) -> Finding:
    """Convert a pydantic error to a finding at the field's place in the file."""
    path: ValuePath = tuple(part for part in detail["loc"] if part != "[key]")
    return source.finding_at(path, _schema_message(detail, path))


SCHEMA_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": messages.UNKNOWN_FIELD,
    "missing": messages.MISSING_FIELD,
    "literal_error": messages.UNKNOWN_VALUE,
    "string_pattern_mismatch": messages.WRONG_PATTERN,
    "string_type": messages.NOT_A_TEXT,
    "int_parsing": messages.NOT_A_NUMBER,
    "int_type": messages.NOT_A_NUMBER,
    "bool_parsing": messages.NOT_A_BOOLEAN,
    "bool_type": messages.NOT_A_BOOLEAN,
    "list_type": messages.NOT_A_LIST,
    "dict_type": messages.NOT_A_MAPPING,
    "model_type": messages.NOT_A_MAPPING,
    "too_short": messages.EMPTY_LIST,
    "greater_than_equal": messages.BELOW_MINIMUM,
    "less_than_equal": messages.ABOVE_MAXIMUM,
    "value_error": messages.UNKNOWN_TIME_ZONE,
}
"""Message by pydantic's error type; `value_error` is only raised for a time zone."""


def _schema_message(detail: ErrorDetails, path: ValuePath) -> str:
    """Return the checker's message for a pydantic error."""
    last, context = path[-1] if path else "", detail.get("ctx", {})
    return SCHEMA_MESSAGES.get(detail["type"], messages.INVALID_FIELD).format(
        name=last,
        field=repr(last) if isinstance(last, str) and last else "this",
        given=repr(detail["input"]),
        instead=messages.suggest_name(str(last), FIELD_NAMES),
        known=context.get("expected"),
        example=PATTERN_EXAMPLES.get(context.get("pattern", "")),
        bound=context.get("ge", context.get("le")),
        why=detail["msg"],
    )
