"""Documentation pages: their text, code blocks and inline code."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")


def page_name(path: Path) -> str:
    """Return a page's path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def code_lines(text: str) -> Iterator[str]:
    """Yield each line of a code block, and each piece of inline code."""
    for _, body in CODE_BLOCK.findall(text):
        yield from body.splitlines()
    yield from INLINE_CODE.findall(CODE_BLOCK.sub("", text))
