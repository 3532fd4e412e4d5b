"""HTML pages for old browsers, built from strings; the texts passed in are escaped already."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from gateway.pages.csrf import CSRF_FIELD
from gateway.pages.languages import text_direction
from gateway.pages.page_request import PageRequest


@dataclass(frozen=True, slots=True)
class FormInput:
    """One field of a form; its label and hint are the texts `page.NAME` and `page.NAME_hint`."""

    name: str
    max_length: int
    """In characters."""
    attributes: str = ""
    """Further HTML attributes: keyboard type, autocompletion."""
    line_count: int = 1
    """More than one makes a text area."""


def render_document(request: PageRequest, title: str, body: str, *, script: bool = False) -> str:
    """Return a whole page around its body; `script` adds the module that reads the URL's fragment."""
    name, words = escape(request.menu.config.title), request.html_text(title)
    module = f'<script type="module" src="/{request.operator}/link.js"></script>' if script else ""
    return f"""<!DOCTYPE html>
<html lang="{request.language}" dir="{text_direction(request.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{words} - {name}</title>
<link rel="stylesheet" href="/{request.operator}/style.css">
{module}
</head>
<body>
<header><p class="name">{name}</p>
{_language_links(request)}</header>
<main>
<h1>{words}</h1>
{body}
</main>
<footer><p>{request.html_text("page.help")}</p></footer>
</body>
</html>
"""


def _language_links(request: PageRequest) -> str:
    """Return links to the page in its other languages."""
    if len(request.languages) < 2:
        return ""
    links = " ".join(_language_link(request, language) for language in request.languages)
    return f'<nav aria-label="{request.html_text("page.language")}">{links}</nav>\n'


def _language_link(request: PageRequest, language: str) -> str:
    current = ' aria-current="true"' if language == request.language else ""
    name = escape(request.menu.config.languages[language].locale.partition("_")[0].upper())
    return (
        f'<a href="{request.path}?lang={language}" lang="{language}" hreflang="{language}"{current}>{name}</a>'
    )


def render_alert(request: PageRequest, text: str, inputs: Iterable[FormInput] = ()) -> str:
    """Return an error box with links to the fields it is about; empty without a text."""
    if not text:
        return ""
    links = "".join(
        f'<li><a href="#{each.name}">{request.html_text(f"page.{each.name}")}</a></li>' for each in inputs
    )
    listed = f"<ul>{links}</ul>" if links else ""
    return (
        f'<div class="alert" role="alert" tabindex="-1"><h2>{request.html_text("page.problem")}</h2>'
        f"<p>{request.html_text(text)}</p>{listed}</div>"
    )


def render_form(
    request: PageRequest,
    inputs: Iterable[FormInput],
    button: str,
    *,
    has_error: bool = False,
    extra_html: str = "",
) -> str:
    """Return a form posted to the page's own URL; `extra_html` goes inside it, e.g. hidden fields."""
    fields = "\n".join(_render_input(request, each, has_error=has_error) for each in inputs)
    return f"""<form method="post" action="{request.self_url}" accept-charset="utf-8" autocomplete="on">
{hidden_field(CSRF_FIELD, request.form_token)}{extra_html}
{fields}
<p><button type="submit">{request.html_text(button)}</button></p>
</form>"""


def hidden_field(name: str, value: str) -> str:
    """Return a hidden field."""
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _render_input(request: PageRequest, form_input: FormInput, *, has_error: bool) -> str:
    name, invalid = form_input.name, ' aria-invalid="true"' if has_error else ""
    common = (
        f'id="{name}" name="{name}" maxlength="{form_input.max_length}" aria-describedby="{name}-hint" required'
        f"{invalid}{form_input.attributes and f' {form_input.attributes}'}"
    )
    box = (
        f'<textarea {common} rows="{form_input.line_count}"></textarea>'
        if form_input.line_count > 1
        else f"<input {common}>"
    )
    return (
        f'<p><label for="{name}">{request.html_text(f"page.{name}")}</label> '
        f'<span class="hint" id="{name}-hint">{request.html_text(f"page.{name}_hint")}</span><br>\n{box}</p>'
    )


def render_paragraph(request: PageRequest, text: str) -> str:
    """Return a text of the catalogue as a paragraph."""
    return f"<p>{request.html_text(text)}</p>"


def render_success(request: PageRequest, text: str) -> str:
    """Return a success text, announced by screen readers when they are idle."""
    return f'<p class="done" role="status">{request.html_text(text)}</p>'


def render_table(caption: str, rows: Iterable[tuple[str, str]], header: tuple[str, str] | None = None) -> str:
    """Return a table of two columns of plain texts; values are isolated from the surrounding direction."""
    top = ""
    if header:
        top = f'<tr><th scope="col">{escape(header[0])}</th><th scope="col">{escape(header[1])}</th></tr>'
    body = "".join(_render_row(name, value) for name, value in rows)
    return f"<table><caption>{escape(caption)}</caption>{top}{body}</table>"


def _render_row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td><bdi>{escape(value)}</bdi></td></tr>'
