"""Command `dialtree new operator`: scaffold of a pack, with a first dialog as its test."""

import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from gateway.publishing import pack_compiler
from menus.model.user_error import UserError
from menus.text.language_data import load_language

STARTER_FOLDER = Path(__file__).parent / "starter"
LANGUAGES = tuple(sorted(path.stem for path in (STARTER_FOLDER / "languages").glob("*.yaml")))
"""Languages that have a shared catalogue and starter files."""
NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
OPTION_TEMPLATE = '      - {text: language.%(tag)s_option, key: "%(key)d", to: language.%(tag)s}'
STEP_TEMPLATE = """  language.%(tag)s:
    kind: step
    action: language.choose
    with: %(tag)s
    needs: line
    on: {ok: language.done}"""
FIRST_DIALOG = "dialogs/first-{}.dialog"


class ScaffoldError(UserError):
    """The pack cannot be created; the message says why."""


def main(args: Namespace) -> int:
    """Write the pack and print the next steps; ScaffoldError when it cannot be created."""
    languages = args.languages.split(",")
    print(_next_steps(args.name, args.into, write_pack(args.name, args.into, languages), languages[0]))
    return 0


def write_pack(name: str, into: Path, languages: Sequence[str]) -> Path:
    """Write a new pack and return its folder.

    Raises ScaffoldError when the name or a language is not valid, or the pack exists.
    """
    pack = pack_compiler.pack_folder(name, into)
    _check_request(name, pack, languages)
    for path, text in _pack_files(name, languages):
        (pack / path).parent.mkdir(parents=True, exist_ok=True)
        (pack / path).write_text(text, encoding="utf-8")
    return pack


def _check_request(name: str, pack: Path, languages: Sequence[str]) -> None:
    if not NAME_PATTERN.fullmatch(name):
        raise ScaffoldError(f"{name!r} is no name; write small letters, digits and hyphens, e.g. acme-tel")
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown:
        raise ScaffoldError(f"no language {unknown[0]!r} to begin with; write some of: {', '.join(LANGUAGES)}")
    if len(set(languages)) < len(languages):
        raise ScaffoldError("a language stands twice; keep one")
    if pack.exists():
        raise ScaffoldError(f"{pack} is there already; choose another name or folder")
    if name in pack_compiler.shipped_operators():
        raise ScaffoldError(f"{name} is an operator we ship; choose another name")


def _pack_files(name: str, languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    words = _template_values(name, languages)
    for file in ("pack.yaml", "screens.yaml", "keywords.yaml"):
        yield file, _fill_template(file, words)
    for language in languages:
        file = f"texts/{language}.yaml"
        yield file, _fill_template(file, {**words, "tongues": _language_options(language, languages)})
        yield FIRST_DIALOG.format(language), _fill_template(f"dialogs/{language}.dialog", words)


def _template_values(name: str, languages: Sequence[str]) -> dict[str, str]:
    numbered_languages = [{"tag": tag, "key": key} for key, tag in enumerate(languages, 1)]
    return {
        "name": name,
        "title": name.replace("-", " ").title(),
        "languages": "\n".join(_read_template(f"languages/{tag}.yaml").rstrip() for tag in languages),
        "options": "\n".join(OPTION_TEMPLATE % each for each in numbered_languages),
        "steps": "\n".join(STEP_TEMPLATE % each for each in numbered_languages),
    }


def _language_options(language: str, languages: Sequence[str]) -> str:
    """Return the options of the language screen, in a script that this language's handsets can show."""
    return "\n".join(
        f"language.{tag}_option: {_language_name(tag, shows_ucs2=load_language(language).ucs2)}"
        for tag in languages
    )


def _language_name(tag: str, *, shows_ucs2: bool) -> str:
    """Return a language's name in itself, in Latin letters where other scripts cannot be shown."""
    data = load_language(tag)
    return data.name if shows_ucs2 else data.latin_name or data.name


def _fill_template(file: str, words: dict[str, str]) -> str:
    return Template(_read_template(file)).substitute(words)


def _read_template(file: str) -> str:
    return (STARTER_FOLDER / file).read_text(encoding="utf-8")


def _next_steps(name: str, into: Path, pack: Path, language: str) -> str:
    first = pack / FIRST_DIALOG.format(language)
    return f"""{pack} is there: pack.yaml (who), screens.yaml (keys), keywords.yaml (SMS), texts/ (words).

Check it:   dialtree check {pack}
Dial it:    dialtree dial '*123#' --operator {name} --packs {into}
Call it:    dialtree dial 123 --operator {name} --packs {into}
Its test:   dialtree dial --operator {name} --packs {into} --script {first}"""
