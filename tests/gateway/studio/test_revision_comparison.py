"""Comparison of packs: differences are named by screen, option, text and language, not by line."""

from flows.domain.pack_revisions import PackFiles
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files
from gateway.studio.revision_comparison import PackDifference, compare_revisions

SCREENS = """
screens:
  home:
    kind: choice  # the first
    options:
      - {text: home.bill, key: "1", to: bill}
      - {text: home.agent, key: "0", to: house.agent}
  bill: {kind: message}
"""
TEXTS = "home: Welcome\nhome.bill: {all: Bills, voice: your bills}\n"


def files(screens: str = SCREENS, texts: str = TEXTS, keywords: str = "") -> PackFiles:
    return PackFiles({"screens.yaml": screens, "texts/en.yaml": texts, "keywords.yaml": keywords})


def test_comments_order_and_layout_make_no_difference() -> None:
    texts = "# new\nhome.bill:\n  all: 'Bills'\n  voice: your bills\nhome: >-\n  Welcome\n"
    assert compare_revisions(files(), files(SCREENS.replace("  # the first", ""), texts)) == []


def test_a_text_is_named_by_its_channel_and_language() -> None:
    new = files(
        texts=TEXTS.replace("your bills", "the bills") + "note: {one: '{n} bill', other: '{n} bills'}\n"
    )
    assert compare_revisions(files(), new) == [
        PackDifference("text", "home.bill", "voice", "en", "your bills", "the bills"),
        PackDifference("text", "note", "one", "en", None, "{n} bill"),
        PackDifference("text", "note", "other", "en", None, "{n} bills"),
    ]


def test_a_moved_key_changes_its_option_and_nothing_else() -> None:
    new = files(SCREENS.replace('home.bill, key: "1"', 'home.bill, key: "2"'))
    (found,) = compare_revisions(files(), new)
    assert (found.what, found.name, found.part, found.verb) == ("option", "home", "home.bill", "changed")
    assert found.old is not None
    assert "key: 1" in found.old


def test_screens_and_options_that_come_and_go_are_named() -> None:
    new = files(
        SCREENS.replace('      - {text: home.agent, key: "0", to: house.agent}\n', "") + "  pay: {kind: end}\n"
    )
    found = [(each.what, each.name, each.part, each.verb) for each in compare_revisions(files(), new)]
    assert found == [("option", "home", "home.agent", "removed"), ("screen", "pay", "", "added")]


def test_keywords_are_named_by_where_they_lead() -> None:
    old = files(keywords="keywords:\n  - {words: [BILL], to: bill}\notherwise: help\n")
    new = files(keywords="keywords:\n  - {words: [BILL, INVOICE], to: bill}\notherwise: home\n")
    found = [(each.name, each.part, each.old, each.new) for each in compare_revisions(old, new)]
    assert found == [
        ("bill", "", "words: BILL; to: bill", "words: BILL, INVOICE; to: bill"),
        ("otherwise", "", "help", "home"),
    ]


def test_an_unreadable_file_is_named_as_a_whole() -> None:
    (found,) = compare_revisions(files(), files(texts="home: [\n"))
    assert (found.what, found.name, found.new) == ("file", "texts/en.yaml", "home: [\n")


def test_a_shipped_pack_against_nothing_names_every_text_once() -> None:
    differences = compare_revisions(PackFiles({}), read_pack_files(pack_folder("orange-ro")))
    names = [(each.what, each.name, each.part, each.language) for each in differences]
    assert len(names) == len(set(names)) > 100
    assert {each.verb for each in differences} == {"added"}
