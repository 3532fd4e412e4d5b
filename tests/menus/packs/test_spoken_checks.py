"""Spoken prompts: what the check for speech finds, by language, and that the shipped packs have none of it."""

import re
from pathlib import Path
from shutil import copytree

import pytest

from gateway.publishing import pack_compiler
from menus.text.language_data import load_language
from menus.text.number_words import NumberSpeller
from menus.text.spoken_spelling import respell_words

WRONG_SENTENCES = {
    "fr": [
        "Il reste un jours.",
        "Vous avez zéro mégaoctets.",
        "Valable vingt et un minutes.",
        "Votre facture de avril.",
        "Appelez le agent.",
        "Allez à les boutiques.",
    ],
    "ro": [
        "Este de treizeci milioane de lei.",
        "Valabil douăzeci minute.",
        "Valabil douăzeci și trei minute.",
        "Rest de plată o sută lei.",
        "Peste un minute.",
        "Este de nouăsprezece de lei.",
    ],
    "en": ["It takes one minutes.", "It takes twenty-two minute.", "For a e-invoice, press 1."],
    "ar": ["مئة وواحد دينار", "ألف واثنان مليم", "واحد دينار", "صالح عشرة دقائق"],
}
RIGHT_SENTENCES = {
    "fr": [
        "Un mois, un avis, un accès.",
        "Il reste vingt et un jours et cent un euros.",
        "Vérifiez-le et recommencez.",
        "Avant le onze avril. Une minute, zéro message.",
        "La facture d'avril, l'agent.",
    ],
    "ro": [
        "Treizeci de milioane de lei, douăzeci de minute, douăzeci și trei de ore.",
        "O sută unu lei, nouăsprezece lei, un minut, două mii douăzeci și șase.",
    ],
    "en": ["One minute, twenty-one minutes, one hundred and one euros, an e-invoice."],
    "ar": ["مئة دينار ودينار", "دينار واحد", "ديناران", "عشر دقائق"],
}
TEXT_FAULTS = {
    "A sign & a text.": "a sign that is swallowed or misread",
    "It works for 72 hours.": "digits; write the number in words",
    "At 9:30.": "digits; write the number in words",
    "It works for 5 h.": "a unit that is read as a letter",
    "A START is sent.": "capitals, read letter by letter",
    "It takes one minutes.": "a plural behind one",
}


def faults_in(language: str, sentence: str) -> list[str]:
    faults = load_language(language).spoken.faults
    return [fault for pattern, fault in faults.items() if re.search(pattern, sentence)]


@pytest.mark.parametrize(
    ("language", "sentence"), [(name, each) for name, all_ in WRONG_SENTENCES.items() for each in all_]
)
def test_what_no_sentence_may_contain_is_found(language: str, sentence: str) -> None:
    assert len(faults_in(language, sentence)) == 1


@pytest.mark.parametrize(
    ("language", "sentence"), [(name, each) for name, all_ in RIGHT_SENTENCES.items() for each in all_]
)
def test_right_sentences_are_left_alone(language: str, sentence: str) -> None:
    assert faults_in(language, sentence) == []


@pytest.mark.parametrize(("text", "fault"), TEXT_FAULTS.items(), ids=str)
def test_a_text_that_is_misread_is_found_in_its_file(text: str, fault: str, tmp_path: Path) -> None:
    pack = tmp_path / "orange_ro"
    copytree(pack_compiler.OPERATORS / "orange_ro", pack)
    texts = pack / "texts" / "en.yaml"
    texts.write_text(texts.read_text().replace("voice: Information about your bill.", f'voice: "{text}"'))
    lines, findings = pack_compiler.spoken_texts(pack)
    assert f"orange-ro en bill: {text}" in lines
    assert [(str(each).partition(":")[0], fault in str(each)) for each in findings] == [
        ("orange_ro/texts/en.yaml", True)
    ]


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_the_shipped_packs_say_nothing_that_is_misread(operator: str) -> None:
    lines, findings = pack_compiler.spoken_texts(pack_compiler.find_pack(operator))
    assert findings == [] and len(lines) > 100


def test_numbers_amounts_and_dates_are_in_words_in_the_list() -> None:
    lines, _ = pack_compiler.spoken_texts(pack_compiler.find_pack("orange-ro"))
    said = "\n".join(lines)
    assert "douăzeci de milioane de lei" in said and "minus doisprezece lei și cincizeci de bani" in said
    assert "o sută unu lei" in said and "întâi" in said and " S M S" in said


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Un SMS, des SMS.", "Un S M S, des S M S."),
        ("Le code PIN ou un PIN.", "Le code secret ou un code secret."),
        ("SMSC et carte SIM", "SMSC et carte sim"),
    ],
)
def test_whole_words_are_respelled_and_longer_phrases_first(text: str, spoken: str) -> None:
    assert respell_words(text, load_language("fr").spoken.spelled) == spoken


@pytest.mark.parametrize(
    ("value", "spoken"),
    [(1, "واحدة"), (3, "ثلاث"), (10, "عشر"), (11, "إحدى عشرة"), (15, "خمس عشرة"), (20, "عشرون")],
)
def test_arabic_numbers_before_a_feminine_noun(value: int, spoken: str) -> None:
    assert NumberSpeller("ar", load_language("ar").numbers).spell_feminine(value) == spoken
