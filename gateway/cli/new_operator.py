"""Command `dialtree new operator`: scaffold of a pack, with a first dialog as its test."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from gateway.publishing import pack_compiler
from menus.model.errors import Unusable

STARTER = Path(__file__).parent / "starter"
LANGUAGES = tuple(sorted(path.stem for path in (STARTER / "languages").glob("*.yaml")))
"""Languages that have a shared catalogue and starter files."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LATIN = {"ar": "Arabiya"}
"""Language names in Latin script, for catalogues of other scripts."""
NAMES = {"ar": "العربية", "en": "English", "fr": "Français", "ro": "Română"}
"""Name of each language in that language."""
OPTION = '      - {text: language.%(tag)s_option, key: "%(key)d", to: language.%(tag)s}'
STEP = """  language.%(tag)s:
    kind: step
    action: language.choose
    with: %(tag)s
    needs: line
    on: {ok: language.done}"""
FIRST = "dialogs/first-{}.dialog"


class NewError(Unusable):
    """The pack cannot be created; the message says why."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the arguments of `dialtree new`."""
    parser.add_argument("what", choices=["operator"])
    parser.add_argument("name", help="its name outside, e.g. acme-tel")
    parser.add_argument(
        "--into", type=Path, default=Path("packs"), metavar="FOLDER", help="a folder of packs (packs)"
    )
    parser.add_argument(
        "--languages",
        default="en",
        metavar="fr,en",
        help=f"of {', '.join(LANGUAGES)}, the default first",
    )


def main(args: Namespace) -> int:
    """Write the pack and print the next steps; ScaffoldError when it cannot be created."""
    languages = args.languages.split(",")
    print(_welcome(args.name, args.into, begin(args.name, args.into, languages), languages[0]))
    return 0


def begin(name: str, into: Path, languages: Sequence[str]) -> Path:
    """Write a new pack and return its folder.

    Raises ScaffoldError when the name or a language is not valid, or the pack exists.
    """
    pack = pack_compiler.folder(name, into)
    _refuse(name, pack, languages)
    for path, text in _files(name, languages):
        (pack / path).parent.mkdir(parents=True, exist_ok=True)
        (pack / path).write_text(text, encoding="utf-8")
    return pack


def _refuse(name: str, pack: Path, languages: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise NewError(f"{name!r} is no name; write small letters, digits and hyphens, e.g. acme-tel")
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown:
        raise NewError(f"no language {unknown[0]!r} to begin with; write some of: {', '.join(LANGUAGES)}")
    if len(set(languages)) < len(languages):
        raise NewError("a language stands twice; keep one")
    if pack.exists():
        raise NewError(f"{pack} is there already; choose another name or folder")
    if name in pack_compiler.names():
        raise NewError(f"{name} is an operator we ship; choose another name")


def _files(name: str, languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = _words(name, languages)
    for file in ("pack.yaml", "screens.yaml", "keywords.yaml"):
        yield file, _filled(file, words)
    for language in languages:
        file = f"texts/{language}.yaml"
        yield file, _filled(file, {**words, "tongues": _tongues(language, languages)})
        yield FIRST.format(language), _filled(f"dialogs/{language}.dialog", words)


def _words(name: str, languages: Sequence[str]) -> dict[str, str]:
    numbered_languages = [{"tag": tag, "key": key} for key, tag in enumerate(languages, 1)]
    return {
        "name": name,
        "title": name.replace("-", " ").title(),
        "languages": "\n".join(_read(f"languages/{tag}.yaml").rstrip() for tag in languages),
        "options": "\n".join(OPTION % each for each in numbered_languages),
        "steps": "\n".join(STEP % each for each in numbered_languages),
    }


def _tongues(language: str, languages: Sequence[str]) -> str:
    """Return the options of the language screen, in a script that this language's handsets can show."""
    names = NAMES if language == "ar" else NAMES | LATIN
    return "\n".join(f"language.{tag}_option: {names[tag]}" for tag in languages)


def _filled(file: str, words: dict[str, str]) -> str:
    return Template(_read(file)).substitute(words)


def _read(file: str) -> str:
    return (STARTER / file).read_text(encoding="utf-8")


def _welcome(name: str, into: Path, pack: Path, language: str) -> str:
    first = pack / FIRST.format(language)
    return f"""{pack} is there: pack.yaml (who), screens.yaml (keys), keywords.yaml (SMS), texts/ (words).

Check it:   dialtree check {pack}
Dial it:    dialtree dial '*123#' --operator {name} --packs {into}
Call it:    dialtree dial 123 --operator {name} --packs {into}
Its test:   dialtree dial --operator {name} --packs {into} --script {first}"""
