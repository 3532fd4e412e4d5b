"""Pagination: no text lost, no amount or option split, no page over its budget."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from menus.text.gsm import clean, measure, plain, prepare
from menus.text.paginate import Block, Budget, Feet, Overflow, one_page, pages

USSD = Budget()
FEET = Feet(only="0 Inapoi", first="9 Mai mult 0 Inapoi", middle="9 Mai mult 0 Inapoi", last="0 Inapoi")
NO_FEET = Feet()

WORDS = st.text(st.sampled_from("abcé€ș12\u00a0"), min_size=1, max_size=25).map(lambda word: f"x{word}y")
ARABIC = st.text(st.sampled_from("فاتورة"), min_size=1, max_size=12)
TEXTS = st.lists(st.one_of(WORDS, WORDS, ARABIC), min_size=1, max_size=12).map(" ".join)
PARAGRAPHS = st.lists(TEXTS, min_size=1, max_size=4).map("\n".join).map(lambda text: Block(text, whole=False))
OPTIONS = st.lists(WORDS, min_size=1, max_size=2).map(" ".join).map(Block)
WILD = st.lists(st.builds(Block, st.text(max_size=60), st.booleans()), max_size=12)


def options(count: int, text: str) -> list[Block]:
    return [Block(f"{index} {text}") for index in range(1, count + 1)]


def fits(page: str, budget: Budget) -> bool:
    size = measure(page)
    return size.units <= (budget.gsm7 if size.alphabet == "gsm7" else budget.ucs2)


def words(text: str) -> list[str]:
    return clean(text).replace("\n", " ").split(" ")


def bodies(texts: tuple[str, ...]) -> list[str]:
    """Return the pages without their footer `F`."""
    return [text.removesuffix("\nF") for text in texts]


@given(WILD, st.builds(Feet, *[st.text(max_size=12)] * 4))
def test_no_page_outgrows_its_budget(blocks: list[Block], feet: Feet) -> None:
    try:
        texts = pages(blocks, feet, USSD)
    except Overflow as error:
        assert error.units > error.budget
        return
    assert all(fits(text, USSD) for text in texts)


@given(WILD)
def test_final_texts_are_plain_without_trailing_blanks(blocks: list[Block]) -> None:
    try:
        texts = pages(blocks, NO_FEET, USSD)
    except Overflow:
        return
    lines = [line for text in texts for line in text.split("\n")]
    assert not [line for line in lines if line != line.rstrip(" ") or "\u00a0" in line]


@given(st.lists(OPTIONS, min_size=1, max_size=40))
def test_options_are_neither_lost_nor_moved_nor_split(blocks: list[Block]) -> None:
    texts = pages(blocks, Feet("F", "F", "F", "F"), USSD)
    lines = [line for body in bodies(texts) for line in body.split("\n")]
    spelled = [{plain(block.text), plain(prepare(block.text))} for block in blocks]
    assert len(lines) == len(spelled)
    assert all(line in forms for line, forms in zip(lines, spelled, strict=True))


@given(st.lists(st.one_of(PARAGRAPHS, OPTIONS), min_size=1, max_size=6))
def test_all_words_come_out_in_order_and_whole(blocks: list[Block]) -> None:
    texts = pages(blocks, Feet("F", "F", "F", "F"), USSD)
    given_words = [word for block in blocks for word in words(block.text)]
    shown = "\n".join(bodies(texts)).replace("\n", " ")
    spelled = [{plain(word), plain(prepare(word))} for word in given_words]
    for forms in spelled:
        word = next((form for form in forms if shown.startswith(form)), None)
        assert word is not None, (forms, shown)
        shown = shown.removeprefix(word).removeprefix(" ")
    assert shown == ""


@given(st.lists(st.one_of(PARAGRAPHS, OPTIONS), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_a_note_loses_nothing_and_leaves_the_pages_before_it_alone(
    blocks: list[Block], first: int, then: int
) -> None:
    feet = Feet("F", "F", "F", "F")
    notes = [(first, "Nota."), (first + then, "Alta.")] if then else [(first, "Nota.")]
    plain_pages, before = pages(blocks, feet, USSD), pages(blocks, feet, USSD, notes[:-1])
    noted = pages(blocks, feet, USSD, notes)
    page = notes[-1][0]
    assert noted[:page] == before[:page] or page >= len(before)
    unsaid = [word for word in folded_words(noted) if word not in ("Nota.", "Alta.")]
    assert unsaid == folded_words(plain_pages)


def folded_words(texts: tuple[str, ...]) -> list[str]:
    """Return the words of all pages, each page folded alone: its other letters decide whether it folds."""
    return [plain(prepare(word)) for body in bodies(texts) for word in body.split()]


@given(st.lists(st.integers(0, 10**9), min_size=30, max_size=60))
def test_amounts_stay_in_one_piece(cents: list[int]) -> None:
    amounts = [f"{cent // 100:,}".replace(",", "\u00a0") + f",{cent % 100:02d}\u00a0lei" for cent in cents]
    texts = pages([Block("De plata: " + " si ".join(amounts), whole=False)], FEET, USSD)
    shown = list(texts)
    for amount in map(plain, amounts):
        assert any(amount in text for text in shown)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.integers(0, 40), st.integers(0, 40))
def test_no_other_cut_needs_fewer_pages(lengths: list[int], inner: int, last: int) -> None:
    blocks = [Block("a" * length) for length in lengths]
    feet = Feet("l" * last, "i" * inner, "i" * inner, "l" * last)
    assert len(pages(blocks, feet, USSD)) == fewest(lengths, inner, last)


def fewest(lengths: list[int], inner: int, last: int) -> int:
    """Return the fewest pages by trying every cut: best[k] holds all from the k-th block on."""
    best = [0] * len(lengths) + [0]
    for start in reversed(range(len(lengths))):
        rest = [start + 1 + cut for cut in range(len(lengths) - start)]
        best[start] = min(
            best[end] + 1
            for end in rest
            if sum(lengths[start:end]) + end - start - 1 + foot_room(last if end == len(lengths) else inner)
            <= 160
        )
    return best[0]


def foot_room(length: int) -> int:
    return length + 1 if length else 0


@pytest.mark.parametrize(
    ("blocks", "feet", "shown"),
    [
        pytest.param([], FEET, ["0 Inapoi"], id="only the foot"),
        pytest.param([Block("Salut")], NO_FEET, ["Salut"], id="no foot"),
        pytest.param([Block("Țară"), Block("1 Da ")], FEET, ["Tara\n1 Da\n0 Inapoi"], id="one page, folded"),
        pytest.param([Block("a"), Block(" \u200f"), Block("b")], NO_FEET, ["a\nb"], id="empty blocks fall out"),
        pytest.param(
            options(3, "x" * 60),
            Feet("only", "first", "middle", "last"),
            [f"1 {'x' * 60}\n2 {'x' * 60}\nfirst", f"3 {'x' * 60}\nlast"],
            id="feet by place",
        ),
    ],
)
def test_texts_are_paginated_as_listed(blocks: list[Block], feet: Feet, shown: list[str]) -> None:
    assert list(pages(blocks, feet, USSD)) == shown


def test_inner_pages_have_the_middle_footer() -> None:
    texts = pages(options(9, "x" * 70), Feet("only", "first", "middle", "last"), USSD)
    assert [text.rpartition("\n")[2] for text in texts] == ["first", *["middle"] * (len(texts) - 2), "last"]


def test_breaks_fall_between_blocks_when_it_costs_no_page() -> None:
    blocks = [Block("\n".join([letter * 40] * 2), whole=False) for letter in "ab"]
    first, second = pages(blocks, NO_FEET, Budget(130, 70))
    assert (set(first), set(second)) == ({"a", "\n"}, {"b", "\n"})


def test_breaks_fall_between_lines_when_it_costs_no_page() -> None:
    lines = ["a b c " * 10 + str(index) for index in range(3)]
    first, second = pages([Block("\n".join(lines), whole=False)], NO_FEET, USSD)
    assert (first, second) == ("\n".join(lines[:2]), lines[2])


def test_breaks_fall_between_words_when_lines_are_too_long() -> None:
    first, second = pages([Block("cuvinte " * 30, whole=False)], NO_FEET, USSD)
    assert (first, second) == (" ".join(["cuvinte"] * 20), " ".join(["cuvinte"] * 10))


def test_each_page_has_the_alphabet_of_its_own_letters() -> None:
    texts = pages([Block("Latin " * 20, whole=False), Block("فاتورة " * 9, whole=False)], NO_FEET, USSD)
    assert [measure(text).alphabet for text in texts] == ["gsm7", "ucs2"]


@pytest.mark.parametrize(
    ("block", "units"),
    [
        pytest.param(Block("a" * 153, whole=False), 162, id="one word"),
        pytest.param(Block("a b " * 39), 164, id="one option"),
        pytest.param(Block("79,90\u00a0lei" * 20, whole=False), 189, id="an unbreakable amount"),
    ],
)
def test_what_cannot_be_broken_overflows(block: Block, units: int) -> None:
    with pytest.raises(Overflow) as caught:
        pages([block], FEET, USSD)
    assert (caught.value.text, caught.value.units, caught.value.budget) == (block.text.strip(), units, 160)
    assert block.text not in str(caught.value)


def test_the_last_page_reserves_room_for_its_footer() -> None:
    texts = pages(options(2, "x" * 70), Feet("", "", "", "y" * 60), Budget(150, 70))
    assert texts == ("1 " + "x" * 70 + "\n2 " + "x" * 70,)
    texts = pages(options(2, "x" * 70), Feet("y" * 60, "", "", "y" * 60), Budget(150, 70))
    assert [len(text) for text in texts] == [72, 133]


def test_one_page_is_the_text_as_it_goes_out() -> None:
    assert one_page("Total:\u00a079,90\u202flei. Mulțumim! ", USSD) == "Total: 79,90 lei. Multumim!"


@given(st.text(max_size=400))
def test_one_page_fits_or_says_so(text: str) -> None:
    size = measure(prepare(text).rstrip())
    assume(size.units <= (160 if size.alphabet == "gsm7" else 70))
    assert fits(one_page(text, USSD), USSD)


def test_one_page_too_long_overflows() -> None:
    with pytest.raises(Overflow) as caught:
        one_page("ب" * 71, USSD)
    assert (caught.value.units, caught.value.budget) == (71, 70)
