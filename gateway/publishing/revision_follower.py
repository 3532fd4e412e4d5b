"""Revision follower: each process serves every operator's published revision within a second or so."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from flows.domain.failures import Failure
from flows.domain.pack_revisions import FOLDER_NUMBER, PackFiles, PackPublication, RevisionError
from flows.engine.menu_versions import MenuVersions
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.pack_compiler import SHARED_PLACES, compile_draft
from gateway.publishing.pack_folders import temporary_pack_folder
from gateway.publishing.trial_follower import TrialFollower
from menus.machine.menu import Menu
from menus.model.user_error import UserError
from menus.packs.loader import load_draft
from storage.revisions.revisions import SqlPackRevisions

log = logging.getLogger("dialtree.packs")
POLL_SECONDS = 0.5
"""Interval between two looks at publications and trials: two small queries for all operators."""
MAX_FALLBACKS = 3
"""Earlier revisions a start tries before it serves the folder's pack; each may take a second or more."""


@dataclass(frozen=True, slots=True)
class InstalledPacks:
    """The packs in their folders, which are served where no revision is published."""

    locate: Callable[[str], Path]
    """Returns the folder of an operator's pack."""
    load: Callable[[Path], Menu]
    """Compiles a folder; PackError when it has findings."""


@dataclass(slots=True)
class RevisionFollower:
    """Publishes revisions to this process's menus; one that cannot be used leaves what is served in place.

    Conversations under way stay on the revision they began with.
    """

    revisions: SqlPackRevisions = field(repr=False)
    menu_versions: MenuVersions = field(repr=False)
    """The menus, with the folders' packs published already."""
    operators: Collection[str]
    """Operators whose pack may come from the database."""
    installed: InstalledPacks = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False)
    """Returns the current time, UTC: a planned publication takes effect by it."""
    on_published: list[Callable[[Menu], None]] = field(default_factory=list, repr=False)
    """Callbacks that receive each newly published menu."""
    served: dict[str, int] = field(default_factory=dict)
    """Number of the revision served, by operator; the folder's pack without an entry."""
    refused: dict[str, int] = field(default_factory=dict)
    """Id of the newest publication that cannot be served, by operator."""
    is_reachable: bool = True
    trial_follower: TrialFollower = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.trial_follower = TrialFollower(self.menu_versions, self._load)

    def serves_folder(self, operator: str) -> bool:
        """Return whether the operator's menu is the pack of the folder."""
        return self.served.get(operator, FOLDER_NUMBER) == FOLDER_NUMBER

    @asynccontextmanager
    async def follow_in_background(self) -> AsyncIterator[None]:
        """Follow the publications for the duration of the block."""
        task = asyncio.create_task(self._follow_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def serve_last_usable(self) -> None:
        """At the start, serve what is published; where that cannot be used, what was served before it."""
        await self.follow_published()
        for operator in self.refused:
            try:
                earlier = (await self.revisions.publications.numbers_served(operator, self.clock()))[1:]
            except Failure:
                continue
            for number in earlier[:MAX_FALLBACKS]:
                if number == FOLDER_NUMBER or await self._serve(operator, number):
                    break

    async def follow_published(self) -> None:
        """Serve what is published and tried now; while the database does not answer, what is served stays."""
        try:
            current = await self._read_current()
            trials = await self.revisions.trials.running_trials(self.operators, current)
        except Failure as failure:
            if self.is_reachable:
                log.warning("packs.revisions_unreachable", extra={"failure": type(failure).__name__})
            self.is_reachable = False
            return
        self.is_reachable = True
        for operator in self.operators:
            await self._follow(operator, current.get(operator))
            await self.trial_follower.follow_trial(operator, trials.get(operator))

    async def _follow_forever(self) -> None:
        while True:
            await self.follow_published()
            await asyncio.sleep(POLL_SECONDS)

    async def _read_current(self) -> Mapping[str, PackPublication]:
        return await self.revisions.publications.current_publications(self.operators, self.clock())

    async def _follow(self, operator: str, publication: PackPublication | None) -> None:
        number, row = (publication.number, publication.id) if publication else (FOLDER_NUMBER, 0)
        if number == self.served.get(operator, FOLDER_NUMBER) or self.refused.get(operator) == row:
            return
        if not await self._serve(operator, number):
            self.refused[operator] = row

    async def _serve(self, operator: str, number: int) -> bool:
        """Compile and publish a revision; False, with a line in the log, for one that cannot be used."""
        try:
            menu = await self._load(operator, number)
        except Failure:
            return True  # the database does not answer: the next look tries again
        except Exception as error:
            # edge of the background task: a pack that no check foresaw must not end the following for good
            said = str(error) if isinstance(error, UserError) else type(error).__name__
            fields = {"operator": operator, "what": _describe(number), "findings": said}
            log.error("packs.revision_refused", extra=fields)
            return False
        self.menu_versions.publish(menu)
        self.served[operator] = number
        fields = {"operator": operator, "revision": menu.revision, "what": _describe(number)}
        log.info("packs.published", extra=fields)
        for on_published in self.on_published:
            on_published(menu)
        return True

    async def _load(self, operator: str, number: int) -> Menu:
        """Compile a revision, or the folder's pack, in a thread."""
        folder = self.installed.locate(operator)
        if number == FOLDER_NUMBER:
            return await asyncio.to_thread(self.installed.load, folder)
        revision = await self.revisions.read_revision(operator, number, self.clock())
        files = await self.revisions.read_files(operator, number)
        return await asyncio.to_thread(load_revision, operator, files, folder, revision.checks)


def _describe(number: int) -> str:
    return "folder" if number == FOLDER_NUMBER else f"revision {number}"


def load_revision(operator: str, files: PackFiles, installed: Path, checks: str) -> Menu:
    """Compile a revision's files; blocks for a second or more unless they have passed this release's checks.

    `checks` is the hash of the checks they passed: the files of this release are read once to compare it.
    Recordings are those of the installed folder. Raises PackError with all findings, and RevisionError for the
    pack of another operator.
    """
    with temporary_pack_folder(operator, files, installed) as folder:
        draft = load_draft(folder, SHARED_PLACES)
        if draft.config.name != operator:
            raise RevisionError(f"this is the pack of {draft.config.name}")
        menu = draft.build_menu() if checks == hash_checks_portably() else compile_draft(draft)
    return replace(menu, folder=installed)
