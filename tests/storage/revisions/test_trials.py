"""Menu trials in SQL: four eyes, one at a time, ended by a person or a publication, counts without names."""

import asyncio
from datetime import timedelta

import pytest

from flows.domain.pack_revisions import FOLDER_NUMBER, PackEditor
from flows.domain.pack_trials import OwnTrialError, TrialStateError
from storage.console.staff_log import SqlStaffLog
from storage.revisions.revisions import SqlPackRevisions
from storage.revisions.trials import BEGUN, CountKey, add_counts
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET

OPERATOR = "orange-ro"
ANA, DAN, EVA = PackEditor("ana"), PackEditor("dan"), PackEditor("eva")
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def revisions(database: Database) -> SqlPackRevisions:
    return SqlPackRevisions(database, SECRET)


async def running(revisions: SqlPackRevisions) -> list[int]:
    served = await revisions.publications.current_publications([OPERATOR], LATER)
    return [each.number for each in (await revisions.trials.running_trials([OPERATOR], served)).values()]


async def test_a_trial_runs_when_a_second_person_approves_it_until_one_person_ends_it(
    revisions: SqlPackRevisions, database: Database
) -> None:
    trial = await revisions.trials.begin(OPERATOR, 3, 10, ANA, NOW)
    with pytest.raises(OwnTrialError):
        await revisions.trials.approve(OPERATOR, trial.id, ANA, NOW)
    assert await running(revisions) == []
    await revisions.trials.approve(OPERATOR, trial.id, DAN, NOW)
    assert await running(revisions) == [3]
    await revisions.trials.end(OPERATOR, trial.id, ANA, NOW)
    assert await running(revisions) == []
    with pytest.raises(TrialStateError):
        await revisions.trials.end(OPERATOR, trial.id, DAN, NOW)
    found = await SqlStaffLog(database, SECRET).list_entries([OPERATOR])
    actions = [(each.username, each.action, each.outcome) for each in found]
    assert actions[::-1] == [
        ("ana", "pack.trial_begun", "ok"),
        ("ana", "pack.trial_approved", "refused"),
        ("dan", "pack.trial_approved", "ok"),
        ("ana", "pack.trial_ended", "ok"),
    ]


async def test_another_operators_trial_is_out_of_reach(revisions: SqlPackRevisions) -> None:
    trial = await revisions.trials.begin("orange-fr", 3, 10, ANA, NOW)
    for change in (revisions.trials.approve, revisions.trials.end):
        with pytest.raises(TrialStateError):
            await change(OPERATOR, trial.id, DAN, NOW)
    found = await revisions.trials.read_newest("orange-fr")
    assert found == trial and await revisions.trials.read_newest(OPERATOR) is None


@pytest.mark.parametrize("share", [0, 51, -1])
async def test_a_share_out_of_bounds_is_refused(revisions: SqlPackRevisions, share: int) -> None:
    with pytest.raises(TrialStateError):
        await revisions.trials.begin(OPERATOR, 3, share, ANA, NOW)


async def test_of_trials_begun_at_once_one_is_stored(revisions: SqlPackRevisions) -> None:
    begun = await asyncio.gather(
        *(revisions.trials.begin(OPERATOR, number, 10, ANA, NOW) for number in (1, 2, 3)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, TrialStateError) for each in begun) == 2


async def test_a_publication_ends_a_trial_and_leaves_room_for_the_next(revisions: SqlPackRevisions) -> None:
    trial = await revisions.trials.begin(OPERATOR, 3, 10, ANA, NOW)
    await revisions.trials.approve(OPERATOR, trial.id, DAN, NOW)
    await revisions.publish(OPERATOR, FOLDER_NUMBER, EVA, NOW, LATER)
    assert trial.publication_id == 0 and await running(revisions) == []
    with pytest.raises(TrialStateError):  # until then the trial runs
        await revisions.trials.begin(OPERATOR, 4, 10, ANA, NOW)
    outdated = await revisions.trials.begin(OPERATOR, 4, 10, ANA, LATER)
    await revisions.publish(OPERATOR, FOLDER_NUMBER, EVA, LATER)
    with pytest.raises(TrialStateError):
        await revisions.trials.approve(OPERATOR, outdated.id, DAN, LATER)


async def test_counts_of_several_processes_add_up(revisions: SqlPackRevisions, database: Database) -> None:
    counts: dict[CountKey, int] = {(7, "trial", BEGUN): 5, (7, "trial", "done"): 2, (8, "trial", BEGUN): 9}
    for _ in range(2):
        await database.write(lambda connection: add_counts(connection, counts))
    sides = await revisions.trials.read_counts(7)
    assert (sides["trial"].conversations, sides["trial"].outcomes) == (10, {"done": 4})
    assert (sides["published"].conversations, sides["published"].outcomes) == (0, {})
