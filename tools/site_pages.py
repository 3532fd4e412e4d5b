"""Pages of the documentation site that are not files of docs/, and links that lead out of docs/.

MkDocs calls the functions named `on_...` (mkdocs.yml, `hooks`). The README is the first page; CONTRIBUTING and
CHANGELOG are pages; the decisions get a list. Links are written for the repository and changed for the site.
"""

import posixpath
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DECISIONS = "decisions/index.md"
ROOT_PAGES: Mapping[str, str] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/decisions": DECISIONS,
}
"""Paths outside docs/, and folders, with the pages of the site that show them."""
SOURCES: Mapping[str, str] = {page: path for path, page in ROOT_PAGES.items() if page != DECISIONS}
CODE_OR_LINK = re.compile(
    r"^```.*?^```|(?P<picture>!?)\[(?P<label>[^]\n]*)\]\((?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)|`(?P<code>[^`\n]+)`",
    re.DOTALL | re.MULTILINE,
)
HEADING = re.compile(r"^# (?:\d+\W+)?(.+)$", re.MULTILINE)
"""A page's first heading; the number of a decision, which its file's name has too, is left out."""
BACKGROUND = ("decisions/", "changelog.md", "asvs.md")
"""Pages that a search shows after those that say how to do something."""
DECISIONS_TOP = """# Decisions

Each page is a decision that surprises whoever meets its result in the code: context, decision, consequences.

"""


def page_of(path: str) -> str | None:
    """Return the page or file of the site that shows a path of the repository; none when nothing does."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path.startswith("docs/") and (ROOT / path).is_file():
        return path.removeprefix("docs/")
    return None


def read_title(path: str) -> str:
    """Return the first heading of a page of the repository, up to a colon; "Decisions" for their folder."""
    file = ROOT / path
    if file.is_dir():
        return "Decisions"
    found = HEADING.search(file.read_text(encoding="utf-8")) if file.suffix == ".md" else None
    return found[1].split(": ")[0] if found else path


def change_link(found: re.Match[str], *, source: str, page: str) -> str:
    """Return a link of a page as the site needs it: to a page, or plain text where it led to a source file.

    `source` is the page's path in the repository, `page` its path on the site. A link or a piece of code whose
    words are the path of a page shows that page's title.
    """
    target = found["path"] or found["code"]
    if not target or "://" in target or (found["code"] and not target.startswith("docs/")):
        return found[0]
    folder = "" if found["code"] else posixpath.dirname(source)
    path = posixpath.normpath(posixpath.join(folder, target))
    shown = page_of(path)
    if shown is None:
        return found["label"] if found["label"] and (ROOT / path).exists() else found[0]
    label = found["label"] or target
    if label == target or label.startswith("docs/"):
        label = read_title(path)
    link = posixpath.relpath(shown, posixpath.dirname(page) or ".")
    return f"{found['picture'] or ''}[{label}]({link}{found['anchor'] or ''})"


def change_links(markdown: str, *, source: str, page: str) -> str:
    """Change the links of a page outside its blocks of code."""
    return CODE_OR_LINK.sub(partial(change_link, source=source, page=page), markdown)


def decision_titles() -> dict[str, str]:
    """Return the pages of the decisions, in the order of their numbers, with number and title."""
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = ((file, HEADING.search(file.read_text(encoding="utf-8"))) for file in files)
    return {f"decisions/{file.name}": f"{file.name[:4]} {found[1] if found else ''}" for file, found in titles}


def list_decisions() -> str:
    """Write the page that lists the decisions."""
    lines = (f"- [{title}]({posixpath.basename(page)})\n" for page, title in decision_titles().items())
    return DECISIONS_TOP + "".join(lines)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the decisions to the navigation, below their list, which ends it."""
    (entries,) = (config.nav or [{}])[-1].values()
    entries[-1]["Decisions"] += [{title: page} for page, title in decision_titles().items()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for page, source in SOURCES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, DECISIONS, content=list_decisions()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change the links of a page for the site, and let the search show the background last."""
    name = page.file.src_uri
    if name.startswith(BACKGROUND):
        page.meta["search"] = {"boost": 0.2}
    return change_links(markdown, source=SOURCES.get(name, f"docs/{name}"), page=name)
