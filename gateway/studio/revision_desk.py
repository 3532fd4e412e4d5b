"""Revision desk: proposes, approves, publishes and rolls back revisions of packs without findings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flows.domain.pack_revisions import (
    FOLDER_NUMBER,
    FindingsPresentError,
    PackEditor,
    PackFiles,
    PackRevision,
    RevisionStateError,
    StoredDraft,
)
from flows.domain.pack_trials import PackTrial
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.pack_folders import read_pack_files
from gateway.studio.draft_checks import DraftChecker
from gateway.studio.pack_loading import PackLoader
from storage.revisions.drafts import SqlPackDrafts
from storage.revisions.revisions import SqlPackRevisions


@dataclass(frozen=True, slots=True)
class RevisionDesk:
    """What staff do with revisions, for the console and the command line alike."""

    drafts: SqlPackDrafts = field(repr=False)
    revisions: SqlPackRevisions = field(repr=False)
    checker: DraftChecker = field(repr=False)
    loader: PackLoader = field(repr=False)
    locate_pack: Callable[[str], Path]
    """Returns the folder of an operator's installed pack."""
    clock: Callable[[], datetime]
    """Returns the current time, UTC."""

    async def served_number(self, operator: str) -> int:
        """Return the number of the revision served now; `FOLDER_NUMBER` for the folder's pack."""
        served = await self.revisions.publications.numbers_served(operator, self.clock())
        return served[0] if served else FOLDER_NUMBER

    async def read_files(self, operator: str, number: int) -> PackFiles:
        """Return the files of a revision, or of the installed folder for `FOLDER_NUMBER`."""
        if number == FOLDER_NUMBER:
            return read_pack_files(self.locate_pack(operator))
        return await self.revisions.read_files(operator, number)

    async def open_draft(self, operator: str, editor: PackEditor, base: int) -> StoredDraft:
        """Open a draft that begins with the files of a revision, or of the installed folder."""
        files = await self.read_files(operator, base)
        return await self.drafts.open_draft(operator, editor, files, self.clock(), base=base)

    async def propose(self, draft: StoredDraft, author: PackEditor, message: str) -> PackRevision:
        """Check a draft and make it the next revision; FindingsPresentError when there is a finding."""
        await self._require_clean(draft.operator, draft.files)
        checks = hash_checks_portably()
        return await self.revisions.propose(draft, author, message, self.clock(), checks=checks)

    async def push_files(
        self, operator: str, files: PackFiles, author: PackEditor, message: str
    ) -> PackRevision:
        """Make files from elsewhere the next revision, with findings none."""
        await self._require_clean(operator, files)
        base = await self.served_number(operator)
        draft = await self.drafts.open_draft(operator, author, files, self.clock(), base=base)
        return await self.propose(draft, author, message)

    async def approve(self, operator: str, number: int, approver: PackEditor) -> PackRevision:
        """Approve a revision; OwnRevisionError for a person who edited it."""
        return await self.revisions.approve(operator, number, approver, self.clock())

    async def reject(self, operator: str, number: int, approver: PackEditor) -> PackRevision:
        """Refuse a revision for good."""
        return await self.revisions.reject(operator, number, approver, self.clock())

    async def publish(
        self, operator: str, number: int, publisher: PackEditor, at: datetime | None = None
    ) -> None:
        """Serve an approved revision from now, or from `at`, in all processes.

        It is checked again when its checks were those of another release: FindingsPresentError then.
        """
        now = self.clock()
        revision = await self.revisions.read_revision(operator, number, now)
        files = await self.revisions.read_files(operator, number)
        if revision.checks != hash_checks_portably():
            await self._require_clean(operator, files)
        await self.revisions.publish(operator, number, publisher, now, at)

    async def roll_back(self, operator: str, publisher: PackEditor, number: int | None = None) -> int:
        """Serve what was served before and return its number; `FOLDER_NUMBER` for the folder's pack.

        By default the newest revision below the current one that was served once, else the folder's pack.
        Raises RevisionStateError when no revision is served, or `number` never was.
        """
        now = self.clock()
        served = await self.revisions.publications.numbers_served(operator, now)
        if not served or served[0] == FOLDER_NUMBER:
            raise RevisionStateError(f"{operator}: no revision is served, only the folder's pack")
        earlier = [each for each in served if each < served[0]]
        to = max(earlier, default=FOLDER_NUMBER) if number is None else number
        if to not in (FOLDER_NUMBER, *served[1:]):
            raise RevisionStateError(f"{operator} {to} was not served before; publish it instead")
        if to == FOLDER_NUMBER:
            await self.revisions.publish(operator, to, publisher, now)
        else:
            await self.publish(operator, to, publisher)
        return to

    async def begin_trial(
        self, operator: str, number: int, share_percent: int, beginner: PackEditor
    ) -> PackTrial:
        """Begin a trial of an approved revision on 1 to 50 % of new conversations; another person approves it.

        RevisionStateError for a revision that is not approved or is served already, TrialStateError while the
        operator has another trial, FindingsPresentError as `publish`.
        """
        now = self.clock()
        revision = await self.revisions.read_revision(operator, number, now)
        if revision.state not in ("approved", "superseded"):
            raise RevisionStateError(f"{operator} {number} is {revision.state}; it cannot be tried")
        if revision.checks != hash_checks_portably():
            await self._require_clean(operator, await self.revisions.read_files(operator, number))
        return await self.revisions.trials.begin(operator, number, share_percent, beginner, now)

    async def approve_trial(self, operator: str, trial_id: int, approver: PackEditor) -> None:
        """Let a trial run in all processes; OwnTrialError for who began it."""
        await self.revisions.trials.approve(operator, trial_id, approver, self.clock())

    async def end_trial(self, operator: str, trial_id: int, editor: PackEditor) -> None:
        """End a trial in all processes; conversations under way end on what they began with."""
        await self.revisions.trials.end(operator, trial_id, editor, self.clock())

    async def _require_clean(self, operator: str, files: PackFiles) -> None:
        findings = await self.checker.check_draft(operator, files, self.locate_pack(operator))
        if findings:
            raise FindingsPresentError(tuple(map(str, findings)))
