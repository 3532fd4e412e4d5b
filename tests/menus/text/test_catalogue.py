"""Plural forms (CLDR) and language fallback in text catalogues."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.model.facts import Count, Money, Text
from tests.support.shipped_packs import shipped_menu

SPOKEN_COUNTS = {
    "one line": ("orange-fr", "en", "export.notice", {"lines": Count(1)}, "(1 line)"),
    "two lines": ("orange-fr", "en", "export.notice", {"lines": Count(2)}, "(2 lines)"),
    "no line in French is singular": ("orange-fr", "fr", "export.notice", {"lines": Count(0)}, "(0 ligne)"),
    "two lines in French": ("orange-fr", "fr", "export.notice", {"lines": Count(2)}, "(2 lignes)"),
    "fifteen minutes in Romanian": ("orange-ro", "ro", "code.sent", {}, "cincisprezece minute."),
    "ten minutes in Arabic": ("tunisie-telecom", "ar", "code.sent", {}, "دقائق"),
}
FAULTS = {
    "a category missing": ("{one: Un leu, other: De lei}", "no words for 'few' in ro"),
    "a category too many": ("{one: a, two: b, few: c, other: d}", "ro has no 'two'"),
    "a category nobody knows": ("{some: a, other: b}", "unknown category 'some'"),
    "counted by no fact": ("{by: dais, one: a, few: b, other: c}", "`by: dais` names no fact"),
}
COUNTING = (1, 2, 5, 15, 20, 100)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro"))


def spoken_text(menu: Menu, language: str, name: str, facts: dict[str, Count]) -> str:
    channel = "voice" if name.startswith("code") else "sms"
    return menu.fill_text(name, language, channel, {"link": Text("L"), **facts})


@pytest.mark.parametrize("case", SPOKEN_COUNTS)
def test_the_count_chooses_the_words(case: str) -> None:
    operator, language, name, facts, said = SPOKEN_COUNTS[case]
    assert said in spoken_text(shipped_menu(operator), language, name, facts)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_language_cannot_count_with_is_a_finding(fault: str, pack: Path) -> None:
    text, what = FAULTS[fault]
    texts = pack / "texts" / "ro.yaml"
    texts.write_text(f"{texts.read_text()}\nstate.due: {text}\n")
    assert what in "\n".join(map(str, pack_compiler.validate_pack(pack)))


def test_a_language_borrows_what_it_lacks(pack: Path) -> None:
    english = pack / "texts" / "en.yaml"
    english.write_text(english.read_text().replace("budget: Budget\n", ""))
    assert pack_compiler.validate_pack(pack)
    form = pack / "pack.yaml"
    form.write_text(form.read_text().replace("  en:\n", "  en:\n    falls_back_to: ro\n"))
    assert pack_compiler.compile_pack(pack).fill_text("budget", "en", "ussd", {}) == "Buget"


@pytest.mark.parametrize("to", ["en", "tlh"])
def test_a_fallback_leads_to_another_language_of_the_pack(to: str, pack: Path) -> None:
    form = pack / "pack.yaml"
    form.write_text(form.read_text().replace("  en:\n", f"  en:\n    falls_back_to: {to}\n"))
    assert f"cannot fall back to '{to}'" in str(pack_compiler.validate_pack(pack)[0])


@pytest.mark.parametrize("language", ["ro", "en"])
def test_amounts_are_spoken_without_a_digit(language: str) -> None:
    tongue = shipped_menu("orange-ro").language_packs[language]
    for count in COUNTING:
        assert not any(map(str.isdigit, tongue.format_fact(Money(Decimal(count) / 4), "voice")))
