"""Documentation site: it builds without warnings, its links lead somewhere, and it asks no other host."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.docs.doc_pages import ROOT
from tools.site_build import build_site
from tools.site_links import find_problems, read_page, read_site
from tools.site_pages import ROOT_PAGES

POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\';'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once, as strictly as `make site` does, and return its folder."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


def built_page(name: str) -> str:
    """Return the built file of a page of docs/."""
    path = Path(name)
    return str(path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html"))


def navigation_pages(entries: list[Any]) -> Iterator[str]:
    """Yield the pages of a navigation, those of its sections included."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from navigation_pages(value) if isinstance(value, list) else [value]


def test_every_link_anchor_and_picture_of_the_site_exists(site: Path) -> None:
    assert find_problems(site) == []
    assert len(read_site(site)) > 100


def test_every_page_of_docs_is_on_the_site_and_in_its_search(site: Path) -> None:
    pages = {built_page(str(path.relative_to(ROOT / "docs"))) for path in (ROOT / "docs").rglob("*.md")}
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert pages <= {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert [page for page in sorted(pages) if not (site / page).is_file()] == []


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(navigation_pages(load_config(str(ROOT / "mkdocs.yml")).nav or []))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    guides = {name for name in pages if not name.startswith("decisions/")}
    assert sorted(listed) == sorted(guides | set(ROOT_PAGES.values()))


def test_every_decision_is_reached_from_the_list_and_from_the_navigation(site: Path) -> None:
    names = {f"{path.stem}.html" for path in (ROOT / "docs" / "decisions").glob("*.md")}
    linked = [reference.target for reference in read_page(site / "decisions" / "index.html").references]
    assert all(linked.count(name) >= 2 for name in names)


def test_every_page_forbids_the_browser_to_ask_another_host(site: Path) -> None:
    assert [path for path in site.rglob("*.html") if POLICY not in path.read_text()] == []


def test_the_readme_is_the_first_page_with_links_into_the_site(site: Path) -> None:
    shown = (site / "index.html").read_text()
    assert '<a href="quickstart.html">Quickstart</a>' in shown
    assert '<a href="decisions/index.html">' in shown
    assert 'src="img/phone.png"' in shown


def test_links_to_source_files_are_text(site: Path) -> None:
    assert "data_map.py" in (site / "console.html").read_text()
    assert not any("data_map" in reference.target for reference in read_page(site / "console.html").references)


def write_small_site(folder: Path, text: str, *, nav: tuple[str, ...] = ("page.md", "other.md")) -> Path:
    """Write two pages and the project's settings for them, without its hook; return the settings' path."""
    (folder / "docs").mkdir()
    (folder / "docs" / "page.md").write_text(f"# Page\n\n{text}\n")
    (folder / "docs" / "other.md").write_text("# Other\n")
    shutil.copy(ROOT / "mkdocs.yml", folder / "whole.yml")
    theme = {"name": "mkdocs", "custom_dir": str(ROOT / "tools" / "site_theme"), "highlightjs": False}
    settings = folder / "mkdocs.yml"
    settings.write_text(json.dumps({"INHERIT": "whole.yml", "hooks": [], "nav": nav, "theme": theme}))
    return settings


def test_pages_with_sound_links_are_built(tmp_path: Path) -> None:
    build_site(tmp_path / "site", write_small_site(tmp_path, "[x](other.md#other)"))
    assert '<a href="other.html#other">' in (tmp_path / "site" / "page.html").read_text()


@pytest.mark.parametrize("broken", ["[x](gone.md)", "[x](other.md#gone)", "![x](gone.png)", "[x](../gone.py)"])
def test_a_broken_link_of_a_page_ends_the_build(tmp_path: Path, broken: str) -> None:
    with pytest.raises(Abort):
        build_site(tmp_path / "site", write_small_site(tmp_path, broken))


def test_a_page_that_is_not_in_the_navigation_ends_the_build(tmp_path: Path) -> None:
    with pytest.raises(Abort):
        build_site(tmp_path / "site", write_small_site(tmp_path, "", nav=("page.md",)))
