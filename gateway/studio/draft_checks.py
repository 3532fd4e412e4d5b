"""Checks of a draft: the findings of `dialtree check`, off the event loop, cached by the files' hash."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cachetools import LRUCache

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.pack_revisions import PackFiles
from gateway.publishing.pack_compiler import pack_folder, validate_pack
from gateway.publishing.pack_folders import temporary_pack_folder
from menus.packfile import messages
from menus.packfile.yaml_source import Finding, PackError, parse_yaml

MAX_WAITING = 8
"""Checks that may wait for the one that runs; a check takes a second or more of processor time."""
REMEMBERED = 64
"""Drafts whose findings are remembered, about a kilobyte each."""


@dataclass(frozen=True, slots=True)
class DraftChecker:
    """Checks drafts one at a time, in a thread; raises Overloaded when too many wait."""

    limit: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit(1, MAX_WAITING), repr=False)
    remembered: LRUCache[tuple[str, str], Sequence[Finding]] = field(
        default_factory=lambda: LRUCache(REMEMBERED), repr=False
    )

    async def check_draft(
        self, operator: str, files: PackFiles, installed: Path | None = None
    ) -> Sequence[Finding]:
        """Return all findings, sorted by file, line and column; empty when the files may be published.

        `installed` is the folder of the operator's pack, whose recordings belong to the files, too.
        """
        key = (operator, files.digest)
        async with self.limit:
            if key not in self.remembered:
                self.remembered[key] = await asyncio.to_thread(find_faults, operator, files, installed)
            return self.remembered[key]


def find_faults(operator: str, files: PackFiles, installed: Path | None = None) -> Sequence[Finding]:
    """Return all findings of a pack's files; blocks for a second or more."""
    wrong_name = _check_operator(operator, files)
    if wrong_name:
        return wrong_name
    with temporary_pack_folder(operator, files, installed) as folder:
        return validate_pack(folder)


def _check_operator(operator: str, files: PackFiles) -> Sequence[Finding]:
    """Return a finding for a pack of another operator; what else is wrong with its file is found later."""
    file = f"{pack_folder(operator).name}/pack.yaml"
    try:
        source = parse_yaml(files.texts.get("pack.yaml", "").encode(), file)
    except PackError as error:
        return error.findings
    name = source.value.get("name") if isinstance(source.value, dict) else None
    if name in (None, operator):
        return []
    return [source.finding_at(("name",), messages.OTHER_OPERATOR.format(name=name, operator=operator))]
