"""`dialtree pack trial`: begun by one account, approved by another, both sides' figures, ended."""

from argparse import Namespace

import pytest

from flows.domain.pack_revisions import OwnRevisionError, PackEditor, RevisionError, RevisionStateError
from flows.domain.pack_trials import OwnTrialError, TrialStateError
from gateway.cli.pack_trial import run_trial_command
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.studio.revision_desk import RevisionDesk
from gateway.wiring.revision_wiring import build_desk
from storage.console.staff_log import SqlStaffLog
from storage.revisions.trials import BEGUN, CountKey, add_counts
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox


@pytest.fixture
async def desk(sandbox: GatewaySandbox) -> RevisionDesk:
    """Provide the desk of a sandbox with an approved revision 1, the installed pack."""
    container = sandbox.container
    desk = build_desk(container.settings, container.database, container.revision_follower)
    draft = await desk.open_draft(OPERATOR, PackEditor("ana"), 0)
    checks = hash_checks_portably()
    await desk.revisions.propose(draft, PackEditor("ana"), "As installed", sandbox.clock(), checks=checks)
    await desk.approve(OPERATOR, 1, PackEditor("dan"))
    return desk


async def run_words(sandbox: GatewaySandbox, what: str, account: str = "ana", **given: object) -> int:
    arguments: dict[str, object] = {"operator": OPERATOR, "number": 1, "share": 20, "trial": 1}
    return await run_trial_command(Namespace(what=what, **(arguments | given)), sandbox.container, account)


async def staff_entries(sandbox: GatewaySandbox) -> list[tuple[str, str, str, str]]:
    """Return user, action, object and outcome of what was done to trials, as auditors read it."""
    found = await SqlStaffLog(sandbox.container.database, SECRET).list_entries([OPERATOR])
    return [
        (each.username, each.action, each.object, each.outcome) for each in found if "trial" in each.action
    ][::-1]


async def test_a_trial_is_begun_by_one_account_approved_by_another_and_ended(
    sandbox: GatewaySandbox, desk: RevisionDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    trials, follower = sandbox.container.menu_versions.trials, sandbox.container.revision_follower
    assert await run_words(sandbox, "begin") == 0
    assert "dialtree pack trial approve orange-ro 1" in capsys.readouterr().out
    with pytest.raises(OwnTrialError, match="another person must"):
        await run_words(sandbox, "approve")
    await follower.follow_published()
    assert not trials
    assert await run_words(sandbox, "approve", "dan") == 0
    await follower.follow_published()
    assert [each.share_percent for each in trials.values()] == [20]
    assert await run_words(sandbox, "end") == 0
    await follower.follow_published()
    assert not trials


async def test_every_step_and_the_refused_attempt_name_the_account(
    sandbox: GatewaySandbox, desk: RevisionDesk
) -> None:
    await run_words(sandbox, "begin")
    with pytest.raises(OwnTrialError):
        await run_words(sandbox, "approve")
    await run_words(sandbox, "approve", "dan")
    await run_words(sandbox, "end", "root")
    assert await staff_entries(sandbox) == [
        ("ana", "pack.trial_begun", "revision 1, 20 % (ana, command line)", "ok"),
        ("ana", "pack.trial_approved", "own trial (ana, command line)", "refused"),
        ("dan", "pack.trial_approved", "revision 1, 20 % (dan, command line)", "ok"),
        ("root", "pack.trial_ended", "revision 1, 20 % (root, command line)", "ok"),
    ]


async def test_who_began_it_in_the_studio_cannot_approve_it_by_command(
    sandbox: GatewaySandbox, desk: RevisionDesk
) -> None:
    await desk.begin_trial(OPERATOR, 1, 20, PackEditor("mihai"))
    with pytest.raises(OwnTrialError):
        await run_words(sandbox, "approve", "mihai")


async def test_both_sides_are_shown_with_what_their_difference_is(
    sandbox: GatewaySandbox, desk: RevisionDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    await run_words(sandbox, "begin")
    await run_words(sandbox, "approve", "dan")
    sides: dict[CountKey, int] = {
        **{(1, "published", BEGUN): 1000, (1, "published", "house.bye"): 200},
        **{(1, "trial", BEGUN): 250, (1, "trial", "house.bye"): 80},
    }
    await sandbox.container.database.write(lambda connection: add_counts(connection, sides))
    capsys.readouterr()
    assert await run_words(sandbox, "show") == 0
    heading, people, _, begun, bye = capsys.readouterr().out.splitlines()
    assert heading == "orange-ro: trial 1, revision 1 on 20 % of callers, against the folder's pack: running"
    assert people == "  begun by ana 2026-03-10 09:00, approved by dan 2026-03-10 09:00"
    assert begun.split() == ["(begun)", "1000", "250"]
    assert bye.split("  ")[0] == "house.bye"
    assert "200 (20.0 %)" in bye and "80 (32.0 %)" in bye and "more than chance" in bye


async def test_a_trial_that_waits_has_no_figures_and_none_is_not_found(
    sandbox: GatewaySandbox, desk: RevisionDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_words(sandbox, "show") == 1
    assert "there was no trial yet" in capsys.readouterr().err
    await run_words(sandbox, "begin")
    assert await run_words(sandbox, "show") == 0
    said = capsys.readouterr().out
    assert "waits for approval" in said and "(begun)" not in said


async def test_what_cannot_be_tried_is_refused(sandbox: GatewaySandbox, desk: RevisionDesk) -> None:
    for number, share in ((9, 20), (1, 51), (1, 0)):
        with pytest.raises(RevisionError):
            await run_words(sandbox, "begin", number=number, share=share)
    await desk.publish(OPERATOR, 1, PackEditor("dan"))
    with pytest.raises(RevisionStateError, match="is published"):
        await run_words(sandbox, "begin")
    with pytest.raises(TrialStateError, match="no such trial"):
        await run_words(sandbox, "end")
    assert await run_words(sandbox, "show", operator="orange-xx") == 2


async def test_a_refused_approval_of_an_own_revision_is_recorded_too(
    sandbox: GatewaySandbox, desk: RevisionDesk
) -> None:
    draft = await desk.open_draft(OPERATOR, PackEditor("ana"), 0)
    await desk.revisions.propose(draft, PackEditor("ana"), "Again", sandbox.clock(), checks="")
    with pytest.raises(OwnRevisionError):
        await desk.approve(OPERATOR, 2, PackEditor("ana", "ana"))
    newest = (await SqlStaffLog(sandbox.container.database, SECRET).list_entries([OPERATOR]))[0]
    found = (newest.username, newest.action, newest.object, newest.outcome)
    assert found == ("ana", "pack.approved", "revision 2 (ana, command line)", "refused")
