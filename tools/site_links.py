"""Link checker of the documentation site: what pages refer to exists, and nothing comes from other hosts.

It reads the built HTML, so it sees what the theme adds, too. Links of the text to other hosts are not followed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = frozenset({"script", "img", "iframe", "source", "video", "audio", "embed", "track", "input"})
"""Elements whose `src` a browser requests at once; what `link` names it requests, too."""
STYLE_URL = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
OTHER_HOST = re.compile(r"(?:https?:)?//")
NOT_A_FILE = frozenset({"data", "mailto", "tel"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A link of a page, or a file that a browser requests for it."""

    target: str
    is_request: bool


@dataclass(slots=True)
class PageParts:
    """The anchors of a page and what it refers to."""

    anchors: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)


class PageReader(HTMLParser):
    """Reads the anchors and references of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = PageParts()
        self.is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is called and refers to."""
        self.is_style = tag == "style"
        values = {name: value for name, value in attrs if value is not None}
        self.parts.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.parts.references += [Reference(target, is_request=True) for target in requests_of(tag, values)]
        if tag == "a" and "href" in values:
            self.parts.references.append(Reference(values["href"], is_request=False))

    def handle_data(self, data: str) -> None:
        """Note what a style sheet within the page requests."""
        if self.is_style:
            self.parts.references += [Reference(target, is_request=True) for target in STYLE_URL.findall(data)]


def requests_of(tag: str, values: dict[str, str]) -> Iterator[str]:
    """Yield what a browser requests for an element."""
    if tag == "link" and "href" in values:
        yield values["href"]
    if tag in LOADED and "src" in values:
        yield values["src"]
    if tag == "object" and "data" in values:
        yield values["data"]
    for entry in values.get("srcset", "").split(","):
        yield from entry.split()[:1]
    yield from STYLE_URL.findall(values.get("style", ""))


def read_page(path: Path) -> PageParts:
    """Return the anchors and references of an HTML file."""
    reader = PageReader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader.parts


def read_site(folder: Path) -> dict[Path, PageParts]:
    """Return the parts of every page of a built site; of a style sheet, what it requests."""
    pages = {path: read_page(path) for path in sorted(folder.rglob("*.html"))}
    for path in sorted(folder.rglob("*.css")):
        found = STYLE_URL.findall(path.read_text(encoding="utf-8"))
        pages[path] = PageParts(references=[Reference(target, is_request=True) for target in found])
    return pages


def find_problem(folder: Path, pages: dict[Path, PageParts], page: Path, reference: Reference) -> str:
    """Say what is wrong with a reference of a page; empty when nothing is."""
    target = reference.target
    if OTHER_HOST.match(target):
        return "request to another host" if reference.is_request else ""
    parts = urlsplit(target)
    if parts.scheme:
        return "" if parts.scheme in NOT_A_FILE else f"unexpected scheme {parts.scheme}"
    path, anchor = unquote(parts.path), unquote(parts.fragment)
    file = (folder / path[1:] if path.startswith("/") else page.parent / path).resolve() if path else page
    if file.is_dir():
        file = file / "index.html"
    if not (file.is_file() and file.is_relative_to(folder)):
        return "no such file"
    if anchor and file in pages and anchor not in pages[file].anchors:
        return "no such anchor"
    return ""


def find_problems(folder: Path) -> list[str]:
    """Return each broken link and each request to another host of a built site, with the page it is on."""
    folder = folder.resolve()
    pages = read_site(folder)
    return [
        f"{page.relative_to(folder)}: {reference.target}: {problem}"
        for page, parts in pages.items()
        for reference in parts.references
        if (problem := find_problem(folder, pages, page, reference))
    ]
