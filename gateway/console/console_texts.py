"""Texts of the console's pages by language, from TOML files; every language has every text."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TEXT_FOLDER = Path(__file__).parent / "texts"
CONSOLE_LANGUAGES = ("en", "fr", "ro", "ar")
"""Languages of the pages; the first is the default."""


@cache
def load_texts(language: str) -> Mapping[str, str]:
    """Return the texts of a language by name."""
    return tomllib.loads((TEXT_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def fill_console_text(language: str, name: str, **values: object) -> str:
    """Return a text with its slots filled; KeyError when the language has no text of this name."""
    return load_texts(language)[name].format(**values)


def console_word(language: str, group: str, word: str) -> str:
    """Return the text `GROUP_WORD`, or the word itself where there is none: states and names of actions."""
    return load_texts(language).get(f"{group}_{word}", word)
