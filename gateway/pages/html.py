"""HTML pages for old browsers, built from strings; the texts passed in are escaped already."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from gateway.pages.csrf import FIELD
from gateway.pages.languages import direction
from gateway.pages.page_request import Visit


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form; its label and hint are the texts `page.NAME` and `page.NAME_hint`."""

    name: str
    most: int
    """In characters."""
    traits: str = ""
    """Further HTML attributes: keyboard type, autocompletion."""
    lines: int = 1
    """More than one makes a text area."""


def document(visit: Visit, title: str, body: str, *, script: bool = False) -> str:
    """Return a whole page around its body; `script` adds the module that reads the URL's fragment."""
    name, words = escape(visit.menu.form.title), visit.words(title)
    module = f'<script type="module" src="/{visit.operator}/link.js"></script>' if script else ""
    return f"""<!DOCTYPE html>
<html lang="{visit.language}" dir="{direction(visit.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{words} - {name}</title>
<link rel="stylesheet" href="/{visit.operator}/style.css">
{module}
</head>
<body>
<header><p class="name">{name}</p>
{_languages(visit)}</header>
<main>
<h1>{words}</h1>
{body}
</main>
<footer><p>{visit.words("page.help")}</p></footer>
</body>
</html>
"""


def _languages(visit: Visit) -> str:
    """Return links to the page in its other languages."""
    if len(visit.languages) < 2:
        return ""
    links = " ".join(_language(visit, language) for language in visit.languages)
    return f'<nav aria-label="{visit.words("page.language")}">{links}</nav>\n'


def _language(visit: Visit, language: str) -> str:
    current = ' aria-current="true"' if language == visit.language else ""
    name = escape(visit.menu.form.languages[language].locale.partition("_")[0].upper())
    return f'<a href="{visit.path}?lang={language}" lang="{language}" hreflang="{language}"{current}>{name}</a>'


def alert(visit: Visit, text: str, inputs: Iterable[Input] = ()) -> str:
    """Return an error box with links to the fields it is about; empty without a text."""
    if not text:
        return ""
    links = "".join(
        f'<li><a href="#{each.name}">{visit.words(f"page.{each.name}")}</a></li>' for each in inputs
    )
    listed = f"<ul>{links}</ul>" if links else ""
    return (
        f'<div class="alert" role="alert" tabindex="-1"><h2>{visit.words("page.problem")}</h2>'
        f"<p>{visit.words(text)}</p>{listed}</div>"
    )


def form(visit: Visit, inputs: Iterable[Input], button: str, *, wrong: bool = False, more: str = "") -> str:
    """Return a form posted to the page's own URL; `extra_html` goes inside it, e.g. hidden fields."""
    fields = "\n".join(_field(visit, each, wrong=wrong) for each in inputs)
    return f"""<form method="post" action="{visit.here}" accept-charset="utf-8" autocomplete="on">
{hidden(FIELD, visit.form_token)}{more}
{fields}
<p><button type="submit">{visit.words(button)}</button></p>
</form>"""


def hidden(name: str, value: str) -> str:
    """Return a hidden field."""
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _field(visit: Visit, each: Input, *, wrong: bool) -> str:
    name, invalid = each.name, ' aria-invalid="true"' if wrong else ""
    common = (
        f'id="{name}" name="{name}" maxlength="{each.most}" aria-describedby="{name}-hint" required'
        f"{invalid}{each.traits and f' {each.traits}'}"
    )
    box = f'<textarea {common} rows="{each.lines}"></textarea>' if each.lines > 1 else f"<input {common}>"
    return (
        f'<p><label for="{name}">{visit.words(f"page.{name}")}</label> '
        f'<span class="hint" id="{name}-hint">{visit.words(f"page.{name}_hint")}</span><br>\n{box}</p>'
    )


def paragraph(visit: Visit, text: str) -> str:
    """Return a text of the catalogue as a paragraph."""
    return f"<p>{visit.words(text)}</p>"


def done(visit: Visit, text: str) -> str:
    """Return a success text, announced by screen readers when they are idle."""
    return f'<p class="done" role="status">{visit.words(text)}</p>'


def table(caption: str, rows: Iterable[tuple[str, str]], head: tuple[str, str] | None = None) -> str:
    """Return a table of two columns of plain texts; values are isolated from the surrounding direction."""
    top = ""
    if head:
        top = f'<tr><th scope="col">{escape(head[0])}</th><th scope="col">{escape(head[1])}</th></tr>'
    body = "".join(_row(name, value) for name, value in rows)
    return f"<table><caption>{escape(caption)}</caption>{top}{body}</table>"


def _row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td><bdi>{escape(value)}</bdi></td></tr>'
