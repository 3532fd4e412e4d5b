"""Pack revisions in SQL: numbers without gaps, four eyes, immutable files, publications and rollbacks."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.pack_revisions import (
    FOLDER_NUMBER,
    MAX_MESSAGE_CHARACTERS,
    DraftChangedError,
    OwnRevisionError,
    PackEditor,
    PackFiles,
    PackRevision,
    RevisionError,
    RevisionStateError,
    StoredDraft,
    UnknownRevisionError,
    UnreadableRevisionError,
)
from flows.domain.records import Secret
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.console.staff_log import SqlStaffLog
from storage.revisions.drafts import SqlPackDrafts
from storage.revisions.revisions import SqlPackRevisions
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows

OPERATOR = "orange-ro"
ANA, DAN, EVA = PackEditor("ana"), PackEditor("dan"), PackEditor("eva")
FILES = PackFiles({"pack.yaml": "name: orange-ro\n", "texts/ro.yaml": "home: Bine ați venit\n"})


@pytest.fixture
def drafts(database: Database) -> SqlPackDrafts:
    return SqlPackDrafts(database, SECRET)


@pytest.fixture
def revisions(database: Database) -> SqlPackRevisions:
    return SqlPackRevisions(database, SECRET)


async def open_draft(drafts: SqlPackDrafts, files: PackFiles = FILES, operator: str = OPERATOR) -> StoredDraft:
    return await drafts.open_draft(operator, ANA, files, NOW, base=FOLDER_NUMBER)


async def propose(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions, message: str = "New greeting", operator: str = OPERATOR
) -> PackRevision:
    draft = await open_draft(drafts, operator=operator)
    return await revisions.propose(draft, ANA, message, NOW, checks="c")


async def publish_new(drafts: SqlPackDrafts, revisions: SqlPackRevisions) -> int:
    number = (await propose(drafts, revisions)).number
    await revisions.approve(OPERATOR, number, DAN, NOW)
    await revisions.publish(OPERATOR, number, EVA, NOW)
    return number


async def served(revisions: SqlPackRevisions, seconds: float = 0) -> int:
    current = await revisions.publications.current_publications([OPERATOR], NOW + timedelta(seconds=seconds))
    return current[OPERATOR].number if current else FOLDER_NUMBER


async def test_a_save_counts_only_for_who_read_the_version_before(drafts: SqlPackDrafts) -> None:
    draft = await open_draft(drafts)
    saved = await drafts.save_files(draft, {"texts/ro.yaml": "home: Salut\n"}, DAN, NOW)
    with pytest.raises(DraftChangedError):
        await drafts.save_files(draft, {"texts/ro.yaml": "home: Altfel\n"}, EVA, NOW)
    found = await drafts.find_draft(OPERATOR, draft.author)
    assert found == saved
    assert found.files.texts["texts/ro.yaml"] == "home: Salut\n"
    assert found.editors == {"ana", "dan"}


async def test_a_draft_of_another_operator_is_not_found(drafts: SqlPackDrafts) -> None:
    draft = await open_draft(drafts)
    assert await drafts.find_draft("orange-fr", draft.author) is None
    assert await drafts.list_drafts("orange-fr") == []
    assert [each.id for each in await drafts.list_drafts(OPERATOR)] == [draft.id]


async def test_a_file_is_added_and_removed(drafts: SqlPackDrafts) -> None:
    draft = await open_draft(drafts)
    draft = await drafts.save_files(
        draft, {"texts/en.yaml": "home: Hello\r\n", "texts/ro.yaml": None}, ANA, NOW
    )
    found = await drafts.find_draft(OPERATOR, draft.author)
    assert found is not None
    assert dict(found.files.texts) == {"pack.yaml": "name: orange-ro\n", "texts/en.yaml": "home: Hello\n"}


@pytest.mark.parametrize(
    "path", ["../pack.yaml", "/etc/passwd", "texts/../x.yaml", "prompts/ro/home.wav", "a.py"]
)
async def test_a_path_no_pack_has_is_refused(drafts: SqlPackDrafts, path: str) -> None:
    draft = await open_draft(drafts)
    with pytest.raises(RevisionError, match="not a file of a pack"):
        await drafts.save_files(draft, {path: "x"}, ANA, NOW)


async def test_a_discarded_draft_cannot_be_saved_or_proposed(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    draft = await open_draft(drafts)
    await drafts.discard_draft(draft, DAN, NOW)
    with pytest.raises(DraftChangedError):
        await drafts.save_files(draft, {}, ANA, NOW)
    with pytest.raises(DraftChangedError):
        await revisions.propose(draft, ANA, "Too late", NOW, checks="c")
    assert await revisions.list_revisions(OPERATOR, NOW) == []


async def test_numbers_have_no_gaps_when_proposals_meet_or_fail(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    draft = await open_draft(drafts)
    twins = [revisions.propose(draft, ANA, "twice", NOW, checks="c") for _ in range(2)]
    others = [propose(drafts, revisions, f"number {index}") for index in range(4)]
    results = await asyncio.gather(*twins, *others, return_exceptions=True)
    assert sum(isinstance(each, DraftChangedError) for each in results) == 1
    assert (await propose(drafts, revisions, operator="orange-fr")).number == 1
    assert [each.number for each in await revisions.list_revisions(OPERATOR, NOW)] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("message", ["", "   ", "x" * (MAX_MESSAGE_CHARACTERS + 1)])
async def test_a_revision_says_what_changed(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions, message: str
) -> None:
    with pytest.raises(RevisionError, match="say what changed"):
        await propose(drafts, revisions, message)


async def test_nobody_who_edited_a_revision_approves_it(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    draft = await drafts.save_files(await open_draft(drafts), {"texts/ro.yaml": "home: B\n"}, DAN, NOW)
    number = (await revisions.propose(draft, EVA, "By three", NOW, checks="c")).number
    for editor in (ANA, DAN, EVA, PackEditor("maria", account="dan")):
        with pytest.raises(OwnRevisionError):
            await revisions.approve(OPERATOR, number, editor, NOW)
    approved = await revisions.approve(OPERATOR, number, PackEditor("ion"), NOW)
    assert (approved.state, approved.approver) == ("approved", "ion")


async def test_a_revision_is_decided_once(drafts: SqlPackDrafts, revisions: SqlPackRevisions) -> None:
    number = (await propose(drafts, revisions)).number
    await revisions.reject(OPERATOR, number, ANA, NOW)
    with pytest.raises(RevisionStateError, match="is rejected"):
        await revisions.approve(OPERATOR, number, DAN, NOW)
    with pytest.raises(UnknownRevisionError):
        await revisions.approve(OPERATOR, 17, DAN, NOW)


async def test_only_approved_revisions_are_published(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    number = (await propose(drafts, revisions)).number
    with pytest.raises(RevisionStateError, match="is proposed, not approved"):
        await revisions.publish(OPERATOR, number, DAN, NOW)
    assert await served(revisions) == FOLDER_NUMBER


async def test_the_last_publication_is_served_and_an_older_one_again(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    first, second = [await publish_new(drafts, revisions) for _ in range(2)]
    assert await served(revisions) == second
    assert (await revisions.read_revision(OPERATOR, first, NOW)).state == "superseded"
    await revisions.publish(OPERATOR, first, EVA, NOW)
    states = [each.state for each in await revisions.list_revisions(OPERATOR, NOW)]
    assert (await served(revisions), states) == (first, ["superseded", "published"])
    await revisions.publish(OPERATOR, FOLDER_NUMBER, EVA, NOW)
    assert await served(revisions) == FOLDER_NUMBER
    assert (await revisions.read_revision(OPERATOR, first, NOW)).state == "superseded"


async def test_a_scheduled_publication_takes_effect_at_its_time_and_can_be_cancelled_before(
    drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    first, later = await publish_new(drafts, revisions), NOW + timedelta(seconds=60)
    number = (await propose(drafts, revisions)).number
    await revisions.approve(OPERATOR, number, DAN, NOW)
    await revisions.publish(OPERATOR, number, EVA, NOW, at=later)
    assert [await served(revisions, seconds) for seconds in (59, 60)] == [first, number]
    assert (await revisions.read_revision(OPERATOR, number, NOW)).state == "approved"
    planned = (await revisions.publications.list_publications(OPERATOR))[0]
    assert (planned.number, planned.effective_at, planned.publisher) == (number, later, "eva")
    await revisions.publications.cancel_scheduled(OPERATOR, planned.id, EVA, NOW)
    assert await served(revisions, 60) == first
    with pytest.raises(RevisionStateError):
        await revisions.publications.cancel_scheduled(OPERATOR, planned.id, EVA, NOW)


async def test_what_took_effect_cannot_be_cancelled(drafts: SqlPackDrafts, revisions: SqlPackRevisions) -> None:
    number = await publish_new(drafts, revisions)
    (done,) = await revisions.publications.list_publications(OPERATOR)
    with pytest.raises(RevisionStateError):
        await revisions.publications.cancel_scheduled(OPERATOR, done.id, EVA, NOW)
    assert await served(revisions) == number


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE pack_revisions SET digest = 'f'",
        "UPDATE pack_revisions SET editors = 'mallory'",
        "UPDATE pack_revisions SET checks = 'other'",
        "UPDATE pack_revisions SET number = 9",
        "UPDATE pack_revisions SET seal = files",
        "UPDATE pack_revisions SET files = seal",
    ],
)
async def test_an_altered_revision_is_not_read(
    database: Database, drafts: SqlPackDrafts, revisions: SqlPackRevisions, tampering: str
) -> None:
    number = (await propose(drafts, revisions)).number
    assert await revisions.read_files(OPERATOR, number) == FILES
    await database.write(lambda connection: connection.execute(text(tampering)))
    with pytest.raises(UnreadableRevisionError):
        await revisions.read_files(OPERATOR, 9 if "number" in tampering else number)


async def test_another_secret_key_reads_no_revision(
    database: Database, drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    number = (await propose(drafts, revisions)).number
    with pytest.raises(UnreadableRevisionError):
        await SqlPackRevisions(database, Secret("another secret for the tests")).read_files(OPERATOR, number)


async def test_every_deed_is_in_the_staff_log_and_the_chain(
    database: Database, drafts: SqlPackDrafts, revisions: SqlPackRevisions
) -> None:
    draft = await drafts.save_files(await open_draft(drafts), {"texts/ro.yaml": "home: A\n"}, ANA, NOW)
    author = PackEditor("ana", account="root")
    number = (await revisions.propose(draft, author, "Say A", NOW, checks="c")).number
    await revisions.approve(OPERATOR, number, DAN, NOW)
    await revisions.publish(OPERATOR, number, DAN, NOW)
    entries = await SqlStaffLog(database, SECRET).list_entries([OPERATOR])
    assert [(each.username, each.action, each.object) for each in entries] == [
        ("dan", "pack.published", "revision 1"),
        ("dan", "pack.approved", "revision 1"),
        ("ana", "pack.proposed", "revision 1 (root, command line)"),
        ("ana", "pack.draft_saved", f"draft {draft.id}: texts/ro.yaml"),
        ("ana", "pack.draft_opened", f"draft {draft.id} from 0"),
    ]
    chain = SqlAuditChain(database, AuditWriter(SECRET))
    assert await chain.chain_entries() == len(entries)
    assert (await chain.verify_chain(NOW)).faults == ()
    assert await count_rows(database, "pack_drafts") == 0
