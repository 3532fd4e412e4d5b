"""Pages of the site: links written for the repository lead to pages of the site."""

import pytest

from tools.site_pages import change_links, list_decisions

CHANGED = {
    "[docs/quickstart.md](docs/quickstart.md)": "[Quickstart](quickstart.md)",
    "[how to try](docs/quickstart.md#a-call)": "[how to try](quickstart.md#a-call)",
    "![phone](docs/img/phone.png)": "![phone](img/phone.png)",
    "[docs/packs.md](docs/packs.md)": "[Packs](packs.md)",
    "[docs/decisions](docs/decisions/)": "[Decisions](decisions/index.md)",
    "[CHANGELOG.md](CHANGELOG.md)": "[Changelog](changelog.md)",
    "`docs/packs.md`": "[Packs](packs.md)",
    "[the tool](tools/site_pages.py)": "the tool",
}
"""What the README says, and what the site's first page says."""
SAME = (
    "`docs/adding/`",
    "`docs/gone.md`",
    "`gateway/http/guard.py`",
    "[gone](docs/gone.md)",
    "[elsewhere](https://elsewhere.example/page)",
    "[below](#below)",
    "```\n[docs/packs.md](docs/packs.md)\n```",
)


@pytest.mark.parametrize("written", CHANGED)
def test_a_link_of_the_readme_leads_to_the_page(written: str) -> None:
    assert change_links(written, source="README.md", page="index.md") == CHANGED[written]


@pytest.mark.parametrize("written", SAME)
def test_what_is_no_link_to_a_page_stays(written: str) -> None:
    assert change_links(written, source="README.md", page="index.md") == written


def test_links_of_a_page_in_a_folder_are_relative_to_it() -> None:
    text = "[../packs.md](../packs.md) [readme](../../README.md) `docs/img/phone.png`"
    changed = change_links(text, source="docs/adding/flow.md", page="adding/flow.md")
    assert changed == "[Packs](../packs.md) [readme](../index.md) [docs/img/phone.png](../img/phone.png)"


def test_decisions_are_listed_by_number_with_their_title() -> None:
    lines = [line for line in list_decisions().splitlines() if line.startswith("- ")]
    assert lines[0] == "- [0001 One lock, installed by uv or pip](0001-one-lock-for-uv-and-pip.md)"
    assert (
        "- [0040 Jobs of a frozen database are abandoned, not awaited](0040-jobs-abandoned-not-awaited.md)"
        in lines
    )
    assert lines == sorted(lines)
