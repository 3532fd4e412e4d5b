"""Page counts: what `dialtree check --pages` prints of screens that take more than one page."""

import shutil
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.publishing import pack_compiler
from menus.packs.page_counts import ScreenPages, summarise_pages

LONGER_OPTION = (
    "home.budget_option: Your budget, what is left of it this month, and when it begins anew for you all"
)


def test_a_summary_counts_each_screen_once_in_its_longest_language() -> None:
    counted = [
        ScreenPages("sms", "ro", "home", 1),
        *(ScreenPages("ussd", language, "home", pages) for language, pages in (("ro", 1), ("en", 3))),
        *(ScreenPages("ussd", language, "bye", 1) for language in ("ro", "en")),
    ]
    assert [*summarise_pages(counted)] == [
        "sms: 1 screen on 1 page",
        "ussd: 1 screen on 1 page, 1 screen on 3 pages",
    ]


def test_a_longer_option_makes_the_first_screen_one_of_several_pages(tmp_path: Path) -> None:
    folder = shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro")
    english = folder / "texts" / "en.yaml"
    english.write_text(english.read_text().replace("home.budget_option: Budget", LONGER_OPTION, 1))
    before = set(pack_compiler.pages_of_screens(pack_compiler.pack_folder("orange-ro")))
    added = set(pack_compiler.pages_of_screens(folder)) - before
    assert "orange-ro ussd en home: 2 pages" in added


def test_an_operator_may_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["check", "--pages", "orange-ro"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert total == "1 pack, 0 findings" and lines[-1].startswith("orange-ro ussd: ")
    assert "screens on 1 page" in lines[-1]
