"""Category words: which category of purchases a subscriber's word names, in any language of the pack."""

from flows.domain.purchase_records import PURCHASE_CATEGORIES, PurchaseCategory
from menus.machine.menu import Menu
from menus.text.input_parsing import fold_word

ALL_WORD = "all"
"""Ends the name of the text that holds the words for every category at once."""


def find_category(menu: Menu, text: str) -> PurchaseCategory | None:
    """Return the category a word names; None for any other word.

    The words are the texts `purchase_words.CATEGORY` of the catalogues, with spaces between.
    """
    return next((each for each in PURCHASE_CATEGORIES if _is_word_of(menu, text, each)), None)


def names_all_categories(menu: Menu, text: str) -> bool:
    """Return whether a word means every category."""
    return _is_word_of(menu, text, ALL_WORD)


def _is_word_of(menu: Menu, text: str, category: str) -> bool:
    name = f"purchase_words.{category}"
    texts = (menu.fill_text(name, language, "sms", {}) for language in menu.language_packs)
    return fold_word(text) in {fold_word(word) for words in texts for word in words.split()}
