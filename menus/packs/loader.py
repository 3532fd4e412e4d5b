"""Packs: an operator's folder read, validated and compiled into a menu."""

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
"""Every field a pack may have, to guess which one was meant."""
HOUSE = "house"
"""The flow every pack has: goodbye, sorry, late, lost, agent."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files lie that every pack shares."""

    flows: Path
    """Screens of the flows, one YAML file a flow."""
    texts: Path
    """The house catalogue, one YAML file a language; a pack's own texts replace its."""


@dataclass(frozen=True)
class Draft:
    """A pack's files, validated one by one and not yet checked against each other."""

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
        """Compile. The checks of `menus.packs.graph_checks` must have found nothing."""
        form = self.form
        moves = Moves(self.nodes, form.gates, form.rules.proof, self.keywords.targets, form.rules.vouched)
        return Menu(
            form,
            self.revision,
            self.nodes,
            moves,
            self.keywords,
            self.tongues,
            constants(form),
            self.recordings,
            self.folder,
        )


def draft(folder: Path, places: Places) -> Draft:
    """Read and validate a pack's folder; raises PackError with every finding of the first bad file."""
    pack = read(folder / "pack.yaml", f"{folder.name}/pack.yaml")
    form = _valid(PackFile, pack)
    screens = [*_flow_screens(form, pack, places), read(folder / "screens.yaml", f"{folder.name}/screens.yaml")]
    words = read(folder / "keywords.yaml", f"{folder.name}/keywords.yaml")
    keywords = Keywords(_valid(KeywordsFile, words))
    texts = {language: _texts(_chain(form, pack, language), folder, places) for language in form.languages}
    tongues = {
        language: _tongue(form, pack, language, form.languages[language], sources)
        for language, sources in texts.items()
    }
    for name, language, spec in _scripts(form):
        texts[name] = [*texts[language], *_catalogues(name, folder, places)]
        tongues[name] = replace(_tongue(form, pack, name, spec, texts[name]), native=language)
    everything = [pack, words, *screens, *(source for sources in texts.values() for source in sources)]
    return Draft(
        folder,
        form,
        pack,
        _nodes(screens),
        keywords,
        words,
        tongues,
        _revision(everything),
        recordings(folder, {language: tongues[language] for language in form.languages}),
    )


def _flow_screens(form: PackFile, pack: Source, places: Places) -> Iterator[Source]:
    known = {path.stem for path in places.flows.glob("*.yaml")}
    for index, flow in enumerate(form.flows):
        if flow not in known:
            hint = messages.instead(flow, known)
            raise PackError(
                [pack.finding(("flows", index), messages.UNKNOWN_FLOW.format(flow=flow, instead=hint))]
            )
    for flow in (HOUSE, *form.flows):
        yield read(places.flows / f"{flow}.yaml", f"flows/{flow}.yaml")


def _chain(form: PackFile, pack: Source, language: str) -> list[str]:
    """The language, then those that stand in for it; PackError for one unknown or come by twice."""
    chain = [language]
    while following := form.languages[chain[-1]].falls_back_to:
        if following not in form.languages or following in chain:
            what = messages.NO_FALLBACK.format(to=following)
            raise PackError([pack.finding(("languages", chain[-1], "falls_back_to"), what)])
        chain.append(following)
    return chain


def _texts(chain: list[str], folder: Path, places: Places) -> list[Source]:
    """The catalogues of a language; its own come last and replace those of the languages behind it."""
    return [source for language in reversed(chain) for source in _catalogues(language, folder, places)]


def _catalogues(language: str, folder: Path, places: Places) -> list[Source]:
    house = places.texts / f"{language}.yaml"
    own = read(folder / "texts" / f"{language}.yaml", f"{folder.name}/texts/{language}.yaml")
    return [read(house, f"texts/{language}.yaml"), own] if house.is_file() else [own]


def _scripts(form: PackFile) -> Iterator[tuple[str, str, LanguageForm]]:
    """The second scripts: what each is called, the language it writes, and how."""
    for language, spec in form.languages.items():
        for script, written in spec.scripts.items():
            yield f"{language}-{script}", language, spec.model_copy(update={"money": written.money})


def _nodes(sources: list[Source]) -> dict[str, Node]:
    """All screens; a pack's own replace a flow's of the same name."""
    files = [(source, _valid(ScreensFile, source)) for source in sources]
    otherwise = {outcome: to for _, form in files for outcome, to in form.otherwise.items()}
    nodes = {
        name: node(name, screen, source, otherwise)
        for source, form in files
        for name, screen in form.screens.items()
    }
    return nodes | {back.name: back for asking in nodes.values() for back in read_back(asking)}


def _tongue(form: PackFile, pack: Source, language: str, spec: LanguageForm, sources: list[Source]) -> Tongue:
    """How a language is written and spoken; PackError for a locale, pattern or unit that cannot be used."""
    currency = _currency(form, spec)
    country, trunk = form.country_code, form.trunk
    try:
        written = Written(spec.locale, currency, day=spec.day, country_code=country, trunk=trunk)
        spoken = Spoken(spec.locale, currency, country_code=country, trunk=trunk)
    except (ValueError, UnknownLocaleError) as error:
        what = messages.NO_TONGUE.format(language=language, why=error)
        raise PackError([pack.finding(("languages", language), what)]) from error
    return Tongue(language, language, catalogue(language, sources), written, spoken, ear(spec.locale))


def _currency(form: PackFile, spec: LanguageForm) -> Currency:
    return Currency(form.currency.code, form.currency.decimals, spec.money, spec.unit, spec.subunit)


def _revision(sources: list[Source]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(repr((source.file, source.value)).encode())
    return digest.hexdigest()[:8]


def _valid(form: type[F], source: Source) -> F:
    try:
        return form.model_validate(source.value)
    except ValidationError as error:
        raise PackError([_finding(source, form, detail) for detail in error.errors()]) from error


def _finding(source: Source, form: type[Form], detail: ErrorDetails) -> Finding:
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
"""By pydantic's kind of error what is said of it; a time zone is the only value checked by hand."""


def _what(detail: ErrorDetails, path: Path_) -> str:
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
