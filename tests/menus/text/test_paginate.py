"""Pagination: no text lost, no amount or option split, no page over its budget."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from menus.text.gsm import clean_text, measure_text, prepare_text, to_wire_text
from menus.text.paginate import (
    PageBudget,
    PageFooters,
    PageOverflowError,
    TextBlock,
    split_anywhere,
    split_into_pages,
)

USSD = PageBudget()
FOOTERS = PageFooters(
    only="0 Inapoi", first="9 Mai mult 0 Inapoi", middle="9 Mai mult 0 Inapoi", last="0 Inapoi"
)
NO_FOOTERS = PageFooters()

WORDS = st.text(st.sampled_from("abcé€ș12\u00a0"), min_size=1, max_size=25).map(lambda word: f"x{word}y")
ARABIC = st.text(st.sampled_from("فاتورة"), min_size=1, max_size=12)
TEXTS = st.lists(st.one_of(WORDS, WORDS, ARABIC), min_size=1, max_size=12).map(" ".join)
PARAGRAPHS = (
    st.lists(TEXTS, min_size=1, max_size=4)
    .map("\n".join)
    .map(lambda text: TextBlock(text, is_unbreakable=False))
)
OPTIONS = st.lists(WORDS, min_size=1, max_size=2).map(" ".join).map(TextBlock)
ANY_BLOCKS = st.lists(st.builds(TextBlock, st.text(max_size=60), st.booleans()), max_size=12)


def option_blocks(count: int, text: str) -> list[TextBlock]:
    return [TextBlock(f"{index} {text}") for index in range(1, count + 1)]


def fit_one_page(text: str) -> str:
    (page,) = split_into_pages([TextBlock(text)], NO_FOOTERS, USSD)
    return page


def fits_budget(page: str, budget: PageBudget) -> bool:
    size = measure_text(page)
    return size.units <= (budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2)


def split_words(text: str) -> list[str]:
    return clean_text(text).replace("\n", " ").split(" ")


def page_bodies(texts: tuple[str, ...]) -> list[str]:
    """Return the pages without their footer `F`."""
    return [text.removesuffix("\nF") for text in texts]


@given(ANY_BLOCKS, st.builds(PageFooters, *[st.text(max_size=12)] * 4))
def test_no_page_outgrows_its_budget(blocks: list[TextBlock], feet: PageFooters) -> None:
    try:
        texts = split_into_pages(blocks, feet, USSD)
    except PageOverflowError as error:
        assert error.units > error.budget
        return
    assert all(fits_budget(text, USSD) for text in texts)


@given(ANY_BLOCKS)
def test_final_texts_are_plain_without_trailing_blanks(blocks: list[TextBlock]) -> None:
    try:
        texts = split_into_pages(blocks, NO_FOOTERS, USSD)
    except PageOverflowError:
        return
    lines = [line for text in texts for line in text.split("\n")]
    assert not [line for line in lines if line != line.rstrip(" ") or "\u00a0" in line]


@given(st.lists(OPTIONS, min_size=1, max_size=40))
def test_options_are_neither_lost_nor_moved_nor_split(blocks: list[TextBlock]) -> None:
    texts = split_into_pages(blocks, PageFooters("F", "F", "F", "F"), USSD)
    lines = [line for body in page_bodies(texts) for line in body.split("\n")]
    spelled = [{to_wire_text(block.text), to_wire_text(prepare_text(block.text))} for block in blocks]
    assert len(lines) == len(spelled)
    assert all(line in forms for line, forms in zip(lines, spelled, strict=True))


@given(st.lists(st.one_of(PARAGRAPHS, OPTIONS), min_size=1, max_size=6))
def test_all_words_come_out_in_order_and_whole(blocks: list[TextBlock]) -> None:
    texts = split_into_pages(blocks, PageFooters("F", "F", "F", "F"), USSD)
    given_words = [word for block in blocks for word in split_words(block.text)]
    shown = "\n".join(page_bodies(texts)).replace("\n", " ")
    spelled = [{to_wire_text(word), to_wire_text(prepare_text(word))} for word in given_words]
    for forms in spelled:
        word = next((form for form in forms if shown.startswith(form)), None)
        assert word is not None, (forms, shown)
        shown = shown.removeprefix(word).removeprefix(" ")
    assert shown == ""


@given(st.lists(st.one_of(PARAGRAPHS, OPTIONS), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_a_note_loses_nothing_and_leaves_the_pages_before_it_alone(
    blocks: list[TextBlock], first: int, then: int
) -> None:
    feet = PageFooters("F", "F", "F", "F")
    notes = [(first, "Nota."), (first + then, "Alta.")] if then else [(first, "Nota.")]
    plain_pages, before = split_into_pages(blocks, feet, USSD), split_into_pages(blocks, feet, USSD, notes[:-1])
    noted = split_into_pages(blocks, feet, USSD, notes)
    page = notes[-1][0]
    assert noted[:page] == before[:page] or page >= len(before)
    unsaid = [word for word in folded_words(noted) if word not in ("Nota.", "Alta.")]
    assert unsaid == folded_words(plain_pages)


def folded_words(texts: tuple[str, ...]) -> list[str]:
    """Return the words of all pages, each page folded alone: its other letters decide whether it folds."""
    return [to_wire_text(prepare_text(word)) for body in page_bodies(texts) for word in body.split()]


@given(st.lists(st.integers(0, 10**9), min_size=30, max_size=60))
def test_amounts_stay_in_one_piece(cents: list[int]) -> None:
    amounts = [f"{cent // 100:,}".replace(",", "\u00a0") + f",{cent % 100:02d}\u00a0lei" for cent in cents]
    texts = split_into_pages(
        [TextBlock("De plata: " + " si ".join(amounts), is_unbreakable=False)], FOOTERS, USSD
    )
    shown = list(texts)
    for amount in map(to_wire_text, amounts):
        assert any(amount in text for text in shown)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.integers(0, 40), st.integers(0, 40))
def test_no_other_cut_needs_fewer_pages(lengths: list[int], inner: int, last: int) -> None:
    blocks = [TextBlock("a" * length) for length in lengths]
    feet = PageFooters("l" * last, "i" * inner, "i" * inner, "l" * last)
    assert len(split_into_pages(blocks, feet, USSD)) == fewest_pages(lengths, inner, last)


def fewest_pages(lengths: list[int], inner: int, last: int) -> int:
    """Return the fewest pages by trying every cut: best[k] holds all from the k-th block on."""
    best = [0] * len(lengths) + [0]
    for start in reversed(range(len(lengths))):
        rest = [start + 1 + cut for cut in range(len(lengths) - start)]
        best[start] = min(
            best[end] + 1
            for end in rest
            if sum(lengths[start:end]) + end - start - 1 + footer_length(last if end == len(lengths) else inner)
            <= 160
        )
    return best[0]


def footer_length(length: int) -> int:
    return length + 1 if length else 0


@pytest.mark.parametrize(
    ("blocks", "feet", "shown"),
    [
        pytest.param([], FOOTERS, ["0 Inapoi"], id="only the foot"),
        pytest.param([TextBlock("Salut")], NO_FOOTERS, ["Salut"], id="no foot"),
        pytest.param(
            [TextBlock("Țară"), TextBlock("1 Da ")], FOOTERS, ["Tara\n1 Da\n0 Inapoi"], id="one page, folded"
        ),
        pytest.param(
            [TextBlock("a"), TextBlock(" \u200f"), TextBlock("b")],
            NO_FOOTERS,
            ["a\nb"],
            id="empty blocks fall out",
        ),
        pytest.param(
            option_blocks(3, "x" * 60),
            PageFooters("only", "first", "middle", "last"),
            [f"1 {'x' * 60}\n2 {'x' * 60}\nfirst", f"3 {'x' * 60}\nlast"],
            id="feet by place",
        ),
    ],
)
def test_texts_are_paginated_as_listed(blocks: list[TextBlock], feet: PageFooters, shown: list[str]) -> None:
    assert list(split_into_pages(blocks, feet, USSD)) == shown


def test_inner_pages_have_the_middle_footer() -> None:
    texts = split_into_pages(option_blocks(9, "x" * 70), PageFooters("only", "first", "middle", "last"), USSD)
    assert [text.rpartition("\n")[2] for text in texts] == ["first", *["middle"] * (len(texts) - 2), "last"]


def test_breaks_fall_between_blocks_when_it_costs_no_page() -> None:
    blocks = [TextBlock("\n".join([letter * 40] * 2), is_unbreakable=False) for letter in "ab"]
    first, second = split_into_pages(blocks, NO_FOOTERS, PageBudget(130, 70))
    assert (set(first), set(second)) == ({"a", "\n"}, {"b", "\n"})


def test_breaks_fall_between_lines_when_it_costs_no_page() -> None:
    lines = ["a b c " * 10 + str(index) for index in range(3)]
    first, second = split_into_pages([TextBlock("\n".join(lines), is_unbreakable=False)], NO_FOOTERS, USSD)
    assert (first, second) == ("\n".join(lines[:2]), lines[2])


def test_breaks_fall_between_words_when_lines_are_too_long() -> None:
    first, second = split_into_pages([TextBlock("cuvinte " * 30, is_unbreakable=False)], NO_FOOTERS, USSD)
    assert (first, second) == (" ".join(["cuvinte"] * 20), " ".join(["cuvinte"] * 10))


def test_each_page_has_the_alphabet_of_its_own_letters() -> None:
    texts = split_into_pages(
        [TextBlock("Latin " * 20, is_unbreakable=False), TextBlock("فاتورة " * 9, is_unbreakable=False)],
        NO_FOOTERS,
        USSD,
    )
    assert [measure_text(text).alphabet for text in texts] == ["gsm7", "ucs2"]


@pytest.mark.parametrize(
    ("block", "units"),
    [
        pytest.param(TextBlock("a" * 153, is_unbreakable=False), 162, id="one word"),
        pytest.param(TextBlock("a b " * 39), 164, id="one option"),
        pytest.param(TextBlock("79,90\u00a0lei" * 20, is_unbreakable=False), 189, id="an unbreakable amount"),
    ],
)
def test_what_cannot_be_broken_overflows(block: TextBlock, units: int) -> None:
    with pytest.raises(PageOverflowError) as caught:
        split_into_pages([block], FOOTERS, USSD)
    assert (caught.value.text, caught.value.units, caught.value.budget) == (block.text.strip(), units, 160)
    assert block.text not in str(caught.value)


def test_the_last_page_reserves_room_for_its_footer() -> None:
    texts = split_into_pages(option_blocks(2, "x" * 70), PageFooters("", "", "", "y" * 60), PageBudget(150, 70))
    assert texts == ("1 " + "x" * 70 + "\n2 " + "x" * 70,)
    texts = split_into_pages(
        option_blocks(2, "x" * 70), PageFooters("y" * 60, "", "", "y" * 60), PageBudget(150, 70)
    )
    assert [len(text) for text in texts] == [72, 133]


def test_one_page_is_the_text_as_it_goes_out() -> None:
    assert fit_one_page("Total:\u00a079,90\u202flei. Mulțumim! ") == "Total: 79,90 lei. Multumim!"


@given(st.text(max_size=400))
def test_one_page_fits_or_says_so(text: str) -> None:
    size = measure_text(prepare_text(text).rstrip())
    assume(size.units <= (160 if size.alphabet == "gsm7" else 70))
    assert fits_budget(fit_one_page(text), USSD)


def test_one_page_too_long_overflows() -> None:
    with pytest.raises(PageOverflowError) as caught:
        fit_one_page("ب" * 71)
    assert (caught.value.units, caught.value.budget) == (71, 70)


@pytest.mark.parametrize("letter", ["x", "ب"])
@pytest.mark.parametrize("is_unbreakable", [True, False])
def test_a_word_of_any_length_is_broken_and_nothing_is_lost(letter: str, *, is_unbreakable: bool) -> None:
    blocks = [TextBlock(f"1 {letter * 400}", is_unbreakable=is_unbreakable), TextBlock("2 end")]
    pages = split_anywhere(blocks, PageFooters("F", "F", "F", "F"), USSD)
    shown = "".join(page.removesuffix("\nF").replace("\n", "") for page in pages)
    assert shown.count(letter) == 400 and shown.endswith("2 end")
    assert all(len(page) <= (USSD.gsm7 if letter == "x" else USSD.ucs2) for page in pages)


def test_what_fits_is_split_as_ever() -> None:
    blocks = option_blocks(9, "x" * 30)
    assert split_anywhere(blocks, NO_FOOTERS, USSD) == split_into_pages(blocks, NO_FOOTERS, USSD)
