"""Links on the terminal phone: shown in clear, so that they can be opened, and left out of a saved dialog."""

import re
from pathlib import Path

from tests.gateway.cli.test_new_operator import run_dialtree


def test_a_link_is_shown_in_clear_and_not_saved(tmp_path: Path) -> None:
    words = ("dial", "*614#", "--operator", "bouygues", "--from", "+33660000103", "--save", "copy.dialog")
    told = run_dialtree(tmp_path, *words, keys="5\n1\n1\n")
    assert re.search(r"http://127\.0\.0\.1:8080/bouygues/file#[\w-]{16,}", told)
    saved = (tmp_path / "copy.dialog").read_text(encoding="utf-8")
    assert "{link}" in saved and "file#" not in saved
