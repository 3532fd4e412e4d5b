"""Pack loader: loads packs from stored files for staff, in a thread, and caches the last few."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cachetools import LRUCache

from flows.domain.pack_revisions import PackFiles
from gateway.publishing.pack_compiler import SHARED_PLACES
from gateway.publishing.pack_folders import temporary_pack_folder
from menus.machine.menu import Menu
from menus.packs.loader import PackDraft, load_draft

CACHED_PACKS = 8
"""Loaded packs in the cache, a few megabytes each."""


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """A pack whose files could be read, and its menu unless findings keep it from being built."""

    draft: PackDraft = field(repr=False)
    menu: Menu | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PackLoader:
    """Loads each state of a pack once: of a draft, of a revision, of the installed folder."""

    locate_pack: Callable[[str], Path]
    """Returns the folder of an operator's installed pack, whose recordings belong to every state."""
    cached: LRUCache[tuple[str, str], LoadedPack] = field(
        default_factory=lambda: LRUCache(CACHED_PACKS), repr=False
    )
    """By operator and digest of the files."""

    async def load_files(self, operator: str, files: PackFiles) -> LoadedPack:
        """Load a pack's files; PackError where one is not what a pack may have.

        Takes 0.3 s of processor time at most, and 0.02 s where most files are those of a pack loaded before.
        """
        key = (operator, files.digest)
        if key not in self.cached:
            installed = self.locate_pack(operator)
            self.cached[key] = await asyncio.to_thread(load_pack, operator, files, installed)
        return self.cached[key]


def load_pack(operator: str, files: PackFiles, installed: Path) -> LoadedPack:
    """Load a pack's files, and build its menu where its screens fit together; PackError as `load_draft`."""
    with temporary_pack_folder(operator, files, installed) as folder:
        draft = load_draft(folder, SHARED_PLACES)
    try:
        return LoadedPack(draft, draft.build_menu())
    except (ValueError, KeyError):  # the findings say which option leads nowhere
        return LoadedPack(draft, None)
