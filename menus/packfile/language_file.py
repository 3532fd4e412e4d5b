"""Schema of a language data file: name, direction, folds, number words and spoken digits."""

from pydantic import Field

from menus.packfile.schema import PackForm


class SpokenDigitsForm(PackForm):
    """How digits are spoken in a language, beyond its number words."""

    below: int = Field(
        10, ge=10, le=1000, description="Numbers below this may be spoken as one number: 40, not 4 and 0."
    )
    also: dict[str, int] = Field({}, description="Further words for numbers: oh, una.")
    times: dict[str, int] = Field({}, description="Words that repeat the next digit: double seven.")
    vary: dict[str, str] = Field(
        {}, description="Patterns in the number words, and the variant that is spoken."
    )


Corrections = tuple[tuple[str, str], ...]
"""Corrections to number words: regular expression and replacement, applied in order."""


class NumberWordsForm(PackForm):
    """Words and patterns a language uses with spoken numbers, and corrections to the number library."""

    minus: str = "minus"
    at: str = Field("@", description="The sign in an e-mail address, as spoken.")
    dot: str = "."
    day: str = Field(
        "{day} {month} {year}",
        description="A date: {day} in words, {nth} as an ordinal, {month} by name, {year} in words.",
    )
    first_of_month: str = Field("", description="The first day of a month, where it has a word of its own.")
    quantity_patterns: dict[str, str] = Field(
        {}, description="Number with its unit other than `{n} {unit}`, by CLDR plural category."
    )
    compounds: dict[int, str] = Field(
        {},
        description="Number above 100, by its last two digits: {n} without them, its unit {one}.",
    )
    corrections: Corrections = Field((), description="Corrections to all number words.")
    bare_corrections: Corrections = Field((), description="Further ones, without a noun behind the number.")
    year_corrections: Corrections = Field((), description="Further ones for years, after those.")
    feminine: Corrections = Field((), description="Further ones before a feminine noun.")


class SpokenTextForm(PackForm):
    """How texts are written for a speech synthesiser, and what is wrong in a spoken sentence."""

    sample: str = Field("example", description="A word that stands for data in the list of spoken prompts.")
    spelled: dict[str, str] = Field(
        {}, description="Word, and how it is written to be spoken right: SMS as S M S."
    )
    faults: dict[str, str] = Field(
        {}, description="Pattern of what must not be spoken, and what is wrong: a missing elision."
    )


class LanguageFile(PackForm):
    """`languages/LANGUAGE.yaml`: what the program knows of a language besides its texts."""

    name: str = Field("", description="The language's name in itself: Română.")
    latin_name: str = Field("", description="That name in Latin letters, for a language of another script.")
    right_to_left: bool = Field(
        default=False, description="Whether pages and PDF files run from right to left."
    )
    ucs2: bool = Field(default=False, description="Whether its script is outside GSM-7 and sent as UCS-2.")
    folds: dict[str, str] = Field(
        {}, description="Letters outside GSM-7, each with its replacement; other accents are dropped anyway."
    )
    capitals: list[str] = Field([], description="Words in capitals in texts that are no keywords: SMS, PIN.")
    password_words: list[str] = Field([], description="Words for a password that is texted.")
    numbers: NumberWordsForm = Field(default_factory=lambda: NumberWordsForm.model_validate({}))
    spoken: SpokenTextForm = Field(default_factory=lambda: SpokenTextForm.model_validate({}))
    digits: SpokenDigitsForm = Field(default_factory=lambda: SpokenDigitsForm.model_validate({}))
