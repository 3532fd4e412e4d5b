"""GSM-7 and UCS-2: message cost in septets, folding, and where long messages are segmented."""

import csv
from pathlib import Path

import pytest
import smsutil
from hypothesis import example, given
from hypothesis import strategies as st
from smsutil.codecs import GSM_CHARSET

from menus.text.gsm import (
    TextSize,
    count_segments,
    count_septets,
    count_ucs2_units,
    fold_to_gsm7,
    measure_text,
    prepare_text,
    split_segments,
    to_wire_text,
    unencodable_letters,
)

GSM7 = GSM_CHARSET.replace("\x1b", "")
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x1b\u00a0\u202f")
IN_GSM7 = st.text(st.sampled_from(GSM7 + "^{}\\[~]|€" * 8), max_size=700)
MIXED = st.text(st.one_of(st.sampled_from(GSM7 + "😀țș"), LETTERS), max_size=400)
ANY = st.text(st.one_of(st.sampled_from("ab1 \nțșçœ’…\u00a0\u202f\u200f\u200b\t€م😀"), st.characters()))

SCREENS = Path(__file__).with_name("worked_screens.tsv")


def worked_screens() -> list[list[str]]:
    with SCREENS.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_worked_screen_is_there() -> None:
    languages = [row[0] for row in worked_screens()]
    assert {name: languages.count(name) for name in languages} == dict.fromkeys(
        ("fr", "ro", "en", "ar", "ar-latin"), 12
    )


@pytest.mark.parametrize("screen", worked_screens(), ids=lambda row: f"{row[0]}: {row[1]}")
def test_worked_screens_cost_what_they_say(screen: list[str]) -> None:
    _, _, alphabet, units, text = screen
    found = measure_text(text.replace(" ⏎ ", "\n"))
    assert (found.alphabet, found.units) == (alphabet, int(units))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("", TextSize("gsm7", 0), id="nothing"),
        pytest.param("à è é ù ì ò ä ö ñ ü Ç É", TextSize("gsm7", 23), id="accents that are in GSM-7"),
        pytest.param("€[]{}^~|\\", TextSize("gsm7", 18), id="the extension table costs double"),
        pytest.param("79,90\u00a0lei", TextSize("gsm7", 9), id="a no-break space is a space"),
        pytest.param("ç", TextSize("ucs2", 1), id="small c cedilla is not in GSM-7"),
        pytest.param("aș😀", TextSize("ucs2", 4), id="outside the basic plane takes two"),
        pytest.param("\x1b", TextSize("ucs2", 1), id="the escape is no letter"),
    ],
)
def test_message_sizes_are_as_the_standard_says(text: str, size: TextSize) -> None:
    assert measure_text(text) == size


@given(MIXED)
@example("ț" + "a" * 69)
@example("😀" * 34)
def test_costs_agree_with_smsutil(text: str) -> None:
    known = smsutil.is_valid_gsm(text) or not text
    oracle = smsutil.split(text)
    assert (count_septets(text) is not None) == known
    assert (count_septets(text) if known else count_ucs2_units(text) * 2) == oracle.total_bytes


@given(st.one_of(MIXED, IN_GSM7))
@example("€" * 80 + "a")
@example("a" * 152 + "€" * 80)
@example("ș" + "😀" * 67)
@example("ș" * 71)
def test_parts_agree_with_smsutil(text: str) -> None:
    oracle = [part.content for part in smsutil.split(text).parts]
    assert split_segments(text) == oracle
    assert count_segments(text) == len(oracle)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        pytest.param("a" * 160, [160], id="160 septets travel alone"),
        pytest.param("a" * 161, [153, 8], id="161 take two parts"),
        pytest.param("a" * 152 + "€" + "b" * 20, [152, 21], id="an escaped letter is not split"),
        pytest.param("ș" * 70, [70], id="70 units travel alone"),
        pytest.param("ș" * 71, [67, 4], id="71 take two parts"),
        pytest.param("ș" * 66 + "😀" * 3, [66, 3], id="a surrogate pair is not split"),
    ],
)
def test_long_texts_are_segmented_at_these_places(text: str, lengths: list[int]) -> None:
    assert [len(part) for part in split_segments(text)] == lengths


def test_the_alphabet_has_127_letters_of_one_septet_and_10_of_two() -> None:
    costs = [count_septets(chr(code)) for code in range(0x10000)]
    assert {cost: costs.count(cost) for cost in (1, 2)} == {1: 127, 2: 10}
    assert {count_septets(letter) for letter in GSM7} == {1, 2}


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        pytest.param("ăâîșşțţ ĂÂÎȘŞȚŢ", "aaisstt AAISSTT", id="Romanian, comma and cedilla"),
        pytest.param("çêâîôûëïœ", "ceaioueioe", id="French outside GSM-7"),
        pytest.param("é è à ù É Ç", "é è à ù É Ç", id="French inside GSM-7 stays"),
        pytest.param("l’eau «a» … – —", 'l\'eau "a" ... - -', id="typographic signs"),
        pytest.param("1\u202f234,50\u00a0€", "1 234,50 €", id="special spaces"),
    ],
)
def test_text_is_folded_to_gsm7(text: str, folded: str) -> None:
    assert fold_to_gsm7(text) == folded


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        pytest.param("Factură\u00a0țară", "Factura\u00a0tara", id="folds, and keeps the do-not-break mark"),
        pytest.param("ça: فاتورة", "ça: فاتورة", id="keeps its letters when folding would not do"),
        pytest.param("1\u202f234", "1\u00a0234", id="a narrow no-break space does not break either"),
        pytest.param("a\u2009ب\u3000c", "a ب c", id="other spaces are plain in any script"),
        pytest.param("\u200f12\u200e\u061c\u202bم\u2066\u200b\ufeff", "12م", id="no invisible marks"),
        pytest.param("a\x07\x85\r\nb\tc", "a\nb c", id="of the controls only the line end stays"),
        pytest.param("e\u0301te\u0302", "éte", id="accents written apart come together first"),
    ],
)
def test_text_is_prepared_for_sending(text: str, ready: str) -> None:
    assert prepare_text(text) == ready


@given(ANY)
def test_prepared_texts_stay_prepared_and_can_be_sent(text: str) -> None:
    ready = prepare_text(text)
    assert prepare_text(ready) == ready
    assert to_wire_text(ready).encode("utf-8").decode() == to_wire_text(ready)
    assert not set(ready) & set("\u200e\u200f\u061c\u202f\u200b\x00")


@given(ANY)
def test_offending_letters_are_those_that_force_ucs2(text: str) -> None:
    letters = unencodable_letters(text)
    assert bool(letters) == (measure_text(prepare_text(text)).alphabet == "ucs2")
    assert len(set(letters)) == len(letters)


def test_offending_names_the_letters() -> None:
    assert unencodable_letters("Țară ∑ și ∑ ب") == "∑ب"
