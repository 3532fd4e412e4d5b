"""Pack of an operator as the studio shows it: the user's draft or what is published, with findings."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cachetools import LRUCache

from flows.domain.pack_revisions import PackEditor, PackFiles, StoredDraft
from gateway.console.console_request import ConsoleRequest
from gateway.publishing.pack_compiler import SHARED_PLACES
from gateway.publishing.pack_folders import temporary_pack_folder
from gateway.studio.revision_desk import RevisionDesk
from menus.machine.menu import Menu
from menus.packfile.yaml_source import Finding
from menus.packs.loader import PackDraft, load_draft

REMEMBERED_PACKS = 8
"""Compiled packs in the cache, a few megabytes each."""


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """A pack whose files could be read, and its menu unless findings keep it from being built."""

    draft: PackDraft = field(repr=False)
    menu: Menu | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PackView:
    """What a user sees of an operator's pack."""

    operator: str
    files: PackFiles = field(repr=False)
    own_draft: StoredDraft | None
    """The user's draft; None where the files are those that are published."""
    served: int
    """Number of the revision that is published."""
    loaded: LoadedPack
    findings: Sequence[Finding]

    @property
    def version(self) -> str:
        """Names this state of the draft: a form posts it back, so that nothing saved later is overwritten."""
        draft = self.own_draft
        return f"{draft.id}.{draft.version}" if draft else f"0.{self.served}"

    @property
    def languages(self) -> Sequence[str]:
        """The languages of the menus, second scripts among them."""
        return [*self.loaded.draft.language_packs]


@dataclass(frozen=True, slots=True)
class PackReader:
    """Reads packs for the pages; loads each state of a pack once."""

    desk: RevisionDesk = field(repr=False)
    remembered: LRUCache[tuple[str, str], LoadedPack] = field(
        default_factory=lambda: LRUCache(REMEMBERED_PACKS), repr=False
    )

    async def read_view(self, request: ConsoleRequest, operator: str) -> PackView:
        """Return what the user sees of an operator's pack; PackError for files that cannot be loaded."""
        served = await self.desk.served_number(operator)
        own_draft = await self.find_draft(request, operator)
        files = own_draft.files if own_draft else await self.desk.read_files(operator, served)
        loaded = await self.load_files(operator, files)
        findings = await self.desk.checker.check_draft(operator, files, self.desk.locate_pack(operator))
        return PackView(operator, files, own_draft, served, loaded, findings)

    async def find_draft(self, request: ConsoleRequest, operator: str) -> StoredDraft | None:
        """Return the user's own draft of an operator's pack."""
        return await self.desk.drafts.find_draft(operator, request.user.name)

    async def load_files(self, operator: str, files: PackFiles) -> LoadedPack:
        """Load a pack's files; PackError where one is not what a pack may have."""
        key = (operator, files.digest)
        if key not in self.remembered:
            installed = self.desk.locate_pack(operator)
            self.remembered[key] = await asyncio.to_thread(load_pack, operator, files, installed)
        return self.remembered[key]

    async def load_draft(self, operator: str, files: PackFiles) -> PackDraft:
        """Load a pack's files without its menu; PackError as `load_files`."""
        return (await self.load_files(operator, files)).draft


def load_pack(operator: str, files: PackFiles, installed: Path) -> LoadedPack:
    """Load a pack's files, and build its menu where its screens fit together; PackError as `load_draft`."""
    with temporary_pack_folder(operator, files, installed) as folder:
        draft = load_draft(folder, SHARED_PLACES)
    try:
        return LoadedPack(draft, draft.build_menu())
    except (ValueError, KeyError):  # the findings say which option leads nowhere
        return LoadedPack(draft, None)


def editor_of(request: ConsoleRequest) -> PackEditor:
    """Return the user as who edits, proposes and approves."""
    return PackEditor(request.user.name)
