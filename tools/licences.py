"""Licences: write docs/licences.md from the lock and the installed packages (`python -m tools.licences`)."""

from collections.abc import Sequence
from pathlib import Path

from tools.lock_components import OTEL_LOCK, ROOT, LockedComponent, read_components

PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

Dialtree is under the Apache License 2.0. A running gateway installs these packages
(`requirements/runtime.lock`); `python -m tools.licences` writes the page, and
`tests/tools/test_release_documents.py` holds it.

"""
EXTRA_HEAD = """
## Telemetry

The extra `otel` (`requirements/otel.lock`) installs these packages besides:

"""
COPYLEFT = """
## LGPL and MPL

The packages below are under a licence that asks something of whoever passes them on. They are installed
unchanged, as packages of their own, and are imported, not copied into Dialtree:

{packages}

- Who runs Dialtree owes nobody anything for it: running is no distribution.
- Who passes on an image or a disk with them passes on their licence texts too (in each package's `dist-info`),
  says that they are used, offers their source in that version (the lock names it with its hash), and lets the
  receiver replace them: installing another version in the image's environment does.
- Whoever changes one of them publishes the change under the same licence.
- DejaVu Sans (`gateway/pages/fonts/`) is under its own free licence, which lies beside it.
"""


def write_page() -> str:
    """Return the page."""
    components = read_components()
    known = {each.name for each in components}
    extra = [each for each in read_components(OTEL_LOCK) if each.name not in known]
    named = "\n".join(_copyleft_line(each) for each in (*components, *extra) if each.is_copyleft)
    return HEAD + _table(components) + EXTRA_HEAD + _table(extra) + COPYLEFT.format(packages=named)


def _table(components: Sequence[LockedComponent]) -> str:
    rows = [f"| {each.name} | {each.version} | {each.licence} |\n" for each in components]
    return "".join(["| package | version | licence |\n", "|---|---|---|\n", *rows])


def _copyleft_line(component: LockedComponent) -> str:
    return f"- {component.name} {component.version}: {component.licence}"


def main(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(write_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
