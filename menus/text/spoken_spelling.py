"""Spoken spelling: words written so that a speech synthesiser says them right, by a language's table."""

import re
from collections.abc import Mapping
from functools import lru_cache


def respell_words(text: str, spelled: Mapping[str, str]) -> str:
    """Return the text with each whole word or phrase of the table in its spoken spelling; longer ones first."""
    if not spelled:
        return text
    return _compile_words(tuple(spelled)).sub(lambda found: spelled[found[0]], text)


@lru_cache(maxsize=32)
def _compile_words(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
