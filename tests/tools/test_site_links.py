"""Link checker: each kind of broken reference and each way to ask another host is found."""

from pathlib import Path

import pytest

from tools.site_links import find_problems

SOUND = (
    '<a href="other.html#here">',
    '<a href="#top">',
    '<a href="/folder/">',
    '<a href="https://elsewhere.example/page">',
    '<a href="mailto:desk@operator.example">',
    '<img src="data:image/png;base64,AAAA">',
    '<img src="a%20picture.png" srcset="a%20picture.png 2x">',
)
BROKEN = (
    ('<a href="gone.html">', "no such file"),
    ('<a href="other.html#gone">', "no such anchor"),
    ('<a href="#gone">', "no such anchor"),
    ('<a href="../outside.html">', "no such file"),
    ('<a href="javascript:go()">', "unexpected scheme javascript"),
    ('<img src="gone.png">', "no such file"),
    ('<img srcset="a%20picture.png 1x, gone.png 2x">', "no such file"),
    ('<link rel="stylesheet" href="gone.css">', "no such file"),
)
REQUESTS = (
    '<script src="https://cdn.example/x.js"></script>',
    '<img src="//cdn.example/x.png">',
    '<link rel="preconnect" href="https://fonts.example">',
    '<iframe src="http://video.example"></iframe>',
    '<object data="https://cdn.example/x.svg"></object>',
    '<p style="background: url(https://cdn.example/x.png)">',
    '<style>@import "https://fonts.example/x.css";</style>',
)


def check_page(folder: Path, html: str, style: str = "") -> list[str]:
    """Write a site of a few files with this on one page and return what is wrong with it."""
    site = folder / "site"
    (site / "folder").mkdir(parents=True)
    (folder / "outside.html").write_text("")
    (site / "folder" / "index.html").write_text("")
    (site / "a picture.png").write_text("")
    (site / "style.css").write_text(style)
    (site / "other.html").write_text('<h2 id="here">Here</h2>')
    (site / "page.html").write_text(f'<h1 id="top">Page</h1>{html}')
    return find_problems(site)


def test_sound_references_are_no_problem(tmp_path: Path) -> None:
    assert check_page(tmp_path, "".join(SOUND)) == []


@pytest.mark.parametrize(("html", "problem"), BROKEN)
def test_a_broken_reference_is_named_with_its_page(tmp_path: Path, html: str, problem: str) -> None:
    (found,) = check_page(tmp_path, html)
    assert found.startswith("page.html: ") and found.endswith(f": {problem}")


@pytest.mark.parametrize("html", REQUESTS)
def test_a_request_to_another_host_is_found(tmp_path: Path, html: str) -> None:
    (found,) = check_page(tmp_path, html)
    assert found.endswith(": request to another host")


def test_style_sheets_are_read_too(tmp_path: Path) -> None:
    found = check_page(
        tmp_path, "", "p { src: url('https://fonts.example/x.woff2') } a { src: url(gone.woff2) }"
    )
    assert [line.rpartition(": ")[2] for line in found] == ["request to another host", "no such file"]
