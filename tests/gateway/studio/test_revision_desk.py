"""Revision desk: nothing with findings is proposed or published; rollbacks lead to what was served before."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from flows.domain.pack_revisions import (
    FOLDER_NUMBER,
    FindingsPresentError,
    PackEditor,
    PackFiles,
    RevisionStateError,
)
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files
from gateway.studio import revision_desk
from gateway.studio.draft_checks import DraftChecker
from gateway.studio.pack_loading import PackLoader
from gateway.studio.revision_desk import RevisionDesk
from storage.revisions.drafts import SqlPackDrafts
from storage.revisions.revisions import SqlPackRevisions
from storage.sql.engine import Database, connect
from tests.support.databases import NOW, SECRET

OPERATOR = "orange-ro"
ANA, DAN = PackEditor("ana"), PackEditor("dan")
FILES = read_pack_files(pack_folder(OPERATOR))


@pytest.fixture
async def database(sqlite_migrated: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Provide a database of the test's own; what differs between engines is tested in storage."""
    opened = connect(f"sqlite:///{shutil.copy(sqlite_migrated, tmp_path / 'dialtree.db')}")
    yield opened
    await opened.close()


@pytest.fixture
def checker() -> DraftChecker:
    """Return a checker that knows the shipped pack already: a check takes seconds on a busy machine."""
    checker = DraftChecker()
    checker.remembered[(OPERATOR, FILES.digest)] = []
    return checker


@pytest.fixture
def desk(database: Database, checker: DraftChecker) -> RevisionDesk:
    drafts, revisions = SqlPackDrafts(database, SECRET), SqlPackRevisions(database, SECRET)
    return RevisionDesk(drafts, revisions, checker, PackLoader(pack_folder), pack_folder, lambda: NOW)


def greet(desk: RevisionDesk, words: str) -> PackFiles:
    """Return the pack with another greeting, which the desk takes as checked."""
    files = FILES.with_changes({"texts/ro.yaml": FILES.texts["texts/ro.yaml"].replace("Bine ați venit", words)})
    desk.checker.remembered[(OPERATOR, files.digest)] = []
    return files


async def publish_greeting(desk: RevisionDesk, words: str) -> int:
    number = (await desk.push_files(OPERATOR, greet(desk, words), ANA, words)).number
    await desk.approve(OPERATOR, number, DAN)
    await desk.publish(OPERATOR, number, DAN)
    return number


async def test_a_draft_begins_with_the_folder_and_becomes_a_revision(desk: RevisionDesk) -> None:
    draft = await desk.open_draft(OPERATOR, ANA, FOLDER_NUMBER)
    assert draft.files == FILES
    revision = await desk.propose(draft, ANA, "As installed")
    assert (revision.number, revision.base, revision.digest) == (1, FOLDER_NUMBER, FILES.digest)
    assert await desk.read_files(OPERATOR, 1) == FILES


async def test_a_draft_with_findings_is_not_proposed_and_stays(desk: RevisionDesk) -> None:
    draft = await desk.open_draft(OPERATOR, ANA, FOLDER_NUMBER)
    broken = draft.files.texts["screens.yaml"].replace("to: house.agent", "to: house.nowhere")
    draft = await desk.drafts.save_files(draft, {"screens.yaml": broken}, ANA, NOW)
    with pytest.raises(FindingsPresentError, match=r"orange_ro/screens\.yaml:1\d:"):
        await desk.propose(draft, ANA, "Broken")
    with pytest.raises(FindingsPresentError):
        await desk.push_files(OPERATOR, draft.files, ANA, "Broken")
    assert await desk.drafts.list_drafts(OPERATOR) == [draft]


async def test_what_other_checks_passed_is_checked_before_it_is_published(
    desk: RevisionDesk, checker: DraftChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = (await desk.push_files(OPERATOR, FILES, ANA, "As installed")).number
    await desk.approve(OPERATOR, number, DAN)
    monkeypatch.setattr(revision_desk, "hash_checks_portably", lambda: "the next release")
    checker.remembered[(OPERATOR, FILES.digest)] = ["orange_ro/screens.yaml:1:1: no more"]  # type: ignore[list-item]
    with pytest.raises(FindingsPresentError, match="no more"):
        await desk.publish(OPERATOR, number, DAN)
    assert await desk.served_number(OPERATOR) == FOLDER_NUMBER


async def test_rollbacks_lead_down_to_the_folder(desk: RevisionDesk) -> None:
    first, second = [await publish_greeting(desk, words) for words in ("Salut", "Noroc")]
    assert await desk.served_number(OPERATOR) == second
    assert [await desk.roll_back(OPERATOR, DAN) for _ in range(2)] == [first, FOLDER_NUMBER]
    with pytest.raises(RevisionStateError, match="no revision is served"):
        await desk.roll_back(OPERATOR, DAN)


async def test_a_rollback_may_name_what_was_served_before_only(desk: RevisionDesk) -> None:
    first, _ = [await publish_greeting(desk, words) for words in ("Salut", "Noroc")]
    with pytest.raises(RevisionStateError, match="was not served before"):
        await desk.roll_back(OPERATOR, DAN, 3)
    assert await desk.roll_back(OPERATOR, DAN, first) == first


async def test_a_scheduled_revision_is_not_served_yet(desk: RevisionDesk) -> None:
    number = (await desk.push_files(OPERATOR, FILES, ANA, "As installed")).number
    await desk.approve(OPERATOR, number, DAN)
    await desk.publish(OPERATOR, number, DAN, NOW + timedelta(hours=1))
    assert await desk.served_number(OPERATOR) == FOLDER_NUMBER
