"""Spoken digits in each language, and the call that reads them back (R4)."""

import pytest

from menus.text.language_data import load_language
from menus.text.number_words import NumberSpeller
from menus.text.spoken_digits import DigitRecogniser, build_digit_recogniser

SPOKEN_NUMBERS = {
    "digits": ("ro_RO", "zero șapte patru zero", "0740"),
    "digits without accents": ("ro_RO", "zero sapte doua", "072"),
    "in threes": ("ro_RO", "zero șapte sute patruzeci zero zero zero o sută unu", "0740000101"),
    "a short teen": ("ro_RO", "zero șaișpe", "016"),
    "what a recogniser writes": ("ro_RO", "0740 000-101", "0740000101"),
    "one by one": ("en_GB", "oh seven five three", "0753"),
    "a double": ("en_GB", "zero double seven triple one", "077111"),
    "whole numbers": ("en_GB", "forty two", "42"),
    "French pairs": ("fr_FR", "zéro six quarante quatre-vingt-dix-sept", "064097"),
    "French seventies": ("fr_FR", "soixante-dix soixante et onze quatre-vingts", "707180"),
    "French as Belgians say it": ("fr_FR", "septante nonante", "7090"),
    "French of elsewhere": ("fr_MA", "zéro cinq vingt-deux", "0522"),
    "Arabic digits": ("ar_TN", "صفر واحد اثنان", "012"),
    "Arabic pairs as they are spoken": ("ar_TN", "ثمانية وتسعين", "98"),
    "a Moroccan two": ("ar_MA", "جوج صفر", "20"),
    "Arabic-Indic digits": ("ar_TN", "٩٨ ٠٠٠", "98000"),
    "a plus": ("en_GB", "+40 seven", "00407"),
    "a word that is none": ("en_GB", "seven maybe eight", ""),
    "nothing behind a double": ("en_GB", "seven double", ""),
    "nothing": ("en_GB", "", ""),
}


def digit_recogniser_for(locale: str) -> DigitRecogniser:
    """Return the recogniser of a locale's language."""
    language = locale.partition("_")[0]
    data = load_language(language)
    return build_digit_recogniser(NumberSpeller(language, data.numbers), data.digits)


@pytest.mark.parametrize(("locale", "said", "digits"), SPOKEN_NUMBERS.values(), ids=SPOKEN_NUMBERS)
def test_spoken_digits_are_recognised(locale: str, said: str, digits: str) -> None:
    assert digit_recogniser_for(locale).recognise_digits(said) == digits


@pytest.mark.parametrize("locale", ["ro_RO", "en_GB", "fr_FR", "ar_TN"])
def test_every_number_said_as_a_whole_is_recognised(locale: str) -> None:
    heard = digit_recogniser_for(locale)
    assert all(heard.recognise_digits(said) == digits for said, digits in heard.phrases.items())
    assert {str(number) for number in range(100)} <= set(heard.phrases.values())
