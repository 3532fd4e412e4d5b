"""Pack loader: reads an operator's folder, validates each file, compiles the draft to a menu."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from menus.machine.menu import LanguagePack, Menu, pack_constants
from menus.machine.proof_rules import read_proof_rules
from menus.machine.screen import Node, compile_node, read_back_nodes
from menus.machine.transitions_table import TransitionTable
from menus.packfile import messages
from menus.packfile.language_file import LanguageFile
from menus.packfile.schema import (
    KeywordsFile,
    LanguageForm,
    PackFile,
    ScreensFile,
)
from menus.packfile.yaml_source import PARSE_CACHE_SIZE, PackError, SourceFile, read_yaml
from menus.packs.file_validation import validate_source
from menus.packs.recordings import PromptFiles, find_prompt_files
from menus.text.catalogue import merge_sources
from menus.text.formats import Currency, WrittenFormatter
from menus.text.keywords import KeywordTable
from menus.text.language_data import language_sources, merge_language_files
from menus.text.spoken_digits import build_digit_recogniser
from menus.text.spoken_formats import SpokenFormatter

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
    digest: str
    """SHA-256 of all its files, in hexadecimal digits."""
    recordings: PromptFiles

    @property
    def revision(self) -> str:
        """Name of this state of the pack: the first digits of the hash."""
        return self.digest[:8]

    def build_menu(self) -> Menu:
        """Compile the draft to a menu; the checks of `menus.packs.graph_checks` must have found nothing."""
        config = self.config
        table = TransitionTable(self.nodes, read_proof_rules(config), self.keywords.targets)
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
    config = validate_source(PackFile, pack_source)
    screens = [
        *_read_flow_screens(config, pack_source, folders),
        read_yaml(folder / "screens.yaml", f"{folder.name}/screens.yaml"),
    ]
    keyword_source = read_yaml(folder / "keywords.yaml", f"{folder.name}/keywords.yaml")
    keywords = KeywordTable(validate_source(KeywordsFile, keyword_source))
    texts, language_packs = _build_language_packs(config, pack_source, folder, folders)
    all_sources = [
        pack_source,
        keyword_source,
        *screens,
        *(source for sources in texts.values() for source in sources),
        *_language_sources(config, folder),
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


def _build_language_packs(
    config: PackFile, pack_source: SourceFile, folder: Path, folders: SourceFolders
) -> tuple[dict[str, list[SourceFile]], dict[str, LanguagePack]]:
    """Return the catalogue files and the language pack of each language and second script."""
    specs = [(name, name, spec) for name, spec in config.languages.items()]
    texts: dict[str, list[SourceFile]] = {}
    language_packs: dict[str, LanguagePack] = {}
    for name, language, spec in (*specs, *_second_scripts(config)):
        texts[name] = (
            _chain_catalogues(_fallback_chain(config, pack_source, language), folder, folders)
            if name == language
            else [*texts[language], *_read_catalogues(name, folder, folders)]
        )
        built = _build_language_pack(config, pack_source, name, spec, texts[name], folder)
        language_packs[name] = replace(built, native_language=language)
    return texts, language_packs


def _language_sources(config: PackFile, folder: Path) -> Iterator[SourceFile]:
    """Yield the data files of the pack's languages."""
    for spec in config.languages.values():
        yield from language_sources(_language_of(spec), folder)


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
    files = [(source, validate_source(ScreensFile, source)) for source in sources]
    otherwise = {outcome: to for _, file in files for outcome, to in file.otherwise.items()}
    nodes = {
        name: compile_node(name, screen, source, otherwise)
        for source, file in files
        for name, screen in file.screens.items()
    }
    return nodes | {added.name: added for each in nodes.values() for added in read_back_nodes(each)}


def _build_language_pack(
    config: PackFile,
    pack_source: SourceFile,
    language: str,
    spec: LanguageForm,
    sources: list[SourceFile],
    folder: Path,
) -> LanguagePack:
    """Build the language pack; PackError for a locale, pattern or unit that cannot be used."""
    currency, data = _build_currency(config, spec), _read_language_data(spec, folder)
    country, trunk = config.country_code, config.trunk
    try:
        written_formatter = WrittenFormatter(
            spec.locale,
            currency,
            day=spec.day,
            country_code=country,
            trunk=trunk,
            right_to_left=data.right_to_left and language in config.languages,
        )
        spoken_formatter = SpokenFormatter(
            spec.locale, currency, country_code=country, trunk=trunk, idiom=data.numbers
        )
    except ValueError as error:
        message = messages.INVALID_LANGUAGE.format(language=language, why=error)
        raise PackError([pack_source.finding_at(("languages", language), message)]) from error
    texts, recogniser = (
        merge_sources(language, sources),
        build_digit_recogniser(spoken_formatter.speller, data.digits),
    )
    return LanguagePack(language, language, texts, written_formatter, spoken_formatter, recogniser, data)


def _language_of(spec: LanguageForm) -> str:
    """Return the language of a locale: `ro` of `ro_RO`."""
    return spec.locale.partition("_")[0]


def _read_language_data(spec: LanguageForm, folder: Path) -> LanguageFile:
    """Read the data of a locale's language, the pack's own over the shared; PackError for an invalid file."""
    sources = language_sources(_language_of(spec), folder)
    for source in sources:
        validate_source(LanguageFile, source)
    return merge_language_files(sources)


def _build_currency(config: PackFile, spec: LanguageForm) -> Currency:
    return Currency(config.currency.code, config.currency.decimals, spec.money, spec.unit, spec.subunit)


def _hash_sources(sources: list[SourceFile]) -> str:
    """Return a SHA-256 hash over all files, in hexadecimal digits."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(_hash_source(source))
    return digest.hexdigest()


@lru_cache(maxsize=PARSE_CACHE_SIZE)
def _hash_source(source: SourceFile) -> bytes:
    """Return the SHA-256 hash of a file; cached, since packs share files."""
    return hashlib.sha256(repr((source.file, source.value)).encode()).digest()
