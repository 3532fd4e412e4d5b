"""HTML templates: escaped, strict, compiled at start, and without inline scripts and styles."""

import gc
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import TemplateSyntaxError, UndefinedError

from gateway.http.html_templates import HtmlTemplates
from gateway.pages import bill, routes
from gateway.phone import site

SHIPPED = [path for folder in (routes.TEMPLATE_FOLDER, site.TEMPLATE_FOLDER) for path in folder.glob("*.html")]


def build_template(folder: Path, text: str) -> HtmlTemplates:
    (folder / "page.html").write_text(text)
    return HtmlTemplates(folder)


@pytest.mark.parametrize(
    "markup", ["<p>{{ value }}</p>", "<p>{{ value ~ '' }}</p>", "<p>{{ [value] | join }}</p>"]
)
def test_values_are_escaped(tmp_path: Path, markup: str) -> None:
    templates = build_template(tmp_path, markup)
    assert templates.render("page.html", {"value": "<&\"'>"}) == "<p>&lt;&amp;&#34;&#39;&gt;</p>"


@pytest.mark.parametrize("markup", ["{{ missing }}", "{% if missing %}{% endif %}", "{{ value.missing }}"])
def test_an_undefined_name_is_an_error(tmp_path: Path, markup: str) -> None:
    templates = build_template(tmp_path, markup)
    with pytest.raises(UndefinedError, match="missing"):
        templates.render("page.html", {"value": "x"})


def test_a_template_that_does_not_compile_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(TemplateSyntaxError):
        build_template(tmp_path, "{% if %}")


def test_templates_are_compiled_once_and_nothing_is_written(tmp_path: Path) -> None:
    templates = build_template(tmp_path, "before")
    (tmp_path / "page.html").write_text("after")
    assert templates.render("page.html", {}) == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_no_shipped_template_has_a_script_a_style_or_unescaped_output(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|autoescape", text)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", text))


PAGE = SimpleNamespace(
    language="ro", path="/a/b", self_url="/a/b", form_token="t", operator="a", plain_text=lambda name: name
)
VALUES = {
    **{"request": PAGE, "text": PAGE.plain_text, "title": "t", "operator_title": "A", "direction": "ltr"},
    **{
        "languages": (),
        "heading": "",
        "switch_fields": None,
        "error": "e",
        "button": "b",
        "hidden": {},
        "has_error": False,
        "inputs": bill.FORM_INPUTS,
        "notice": "n",
        "mail_button": ("by_mail", "m"),
    },
}


@pytest.fixture(scope="module")
def page_templates() -> HtmlTemplates:
    """The shipped templates of the pages, compiled once."""
    return HtmlTemplates(routes.TEMPLATE_FOLDER)


@pytest.mark.parametrize("name", ["link_form.html", "bill_login.html", "link.html"])
def test_a_rendered_page_leaves_no_reference_cycle(name: str, page_templates: HtmlTemplates) -> None:
    PAGE.languages = ("ro", "en")
    page_templates.render(name, VALUES)
    gc.freeze()  # what there is: all tests and modules, which take seconds to visit
    gc.disable()
    try:
        page_templates.render(name, VALUES)
        assert gc.collect() == 0
    finally:
        gc.enable()
