"""Menu trials in running processes: who gets what, conversations under way, the end, and what is counted."""

from collections.abc import Iterator, Mapping

import pytest

from flows.domain.pack_revisions import FOLDER_NUMBER, PackEditor
from flows.domain.pack_trials import TrialCounts, TrialSide
from flows.engine.menu_versions import MenuVersions
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.revision_follower import RevisionFollower
from gateway.wiring.revision_wiring import build_desk
from storage.revisions.trials import SqlPackTrials
from tests.gateway.publishing.test_revision_follower import BROKEN, with_title
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA, DAN = PackEditor("ana"), PackEditor("dan")
CALLERS = [f"+4074000{number:04}" for number in range(101, 141)]
WITHHELD = ""
UNTRIED = {"Buget", "Budget"}
"""Titles of the published page: some of the demo's people have English menus."""


@pytest.fixture
def follower(sandbox: GatewaySandbox) -> RevisionFollower:
    return sandbox.container.revision_follower


async def begin_trial(sandbox: GatewaySandbox, *, is_broken: bool = False) -> int:
    """Begin a trial of a revision whose budget page has another title, on half of the callers."""
    container, now = sandbox.container, sandbox.clock()
    desk = build_desk(container.settings, container.database, container.revision_follower)
    files = BROKEN if is_broken else with_title("Nou")
    draft = await desk.drafts.open_draft(OPERATOR, ANA, files, now, base=FOLDER_NUMBER)
    revision = await desk.revisions.propose(draft, ANA, "A title", now, checks=hash_checks_portably())
    await desk.approve(OPERATOR, revision.number, DAN)
    trial = await desk.begin_trial(OPERATOR, revision.number, 50, ANA)
    await desk.approve_trial(OPERATOR, trial.id, DAN)
    return trial.id


def callers_by_side(sandbox: GatewaySandbox) -> tuple[str, str]:
    """Return a caller on the trial's side, and one on the published side."""
    conversations = sandbox.container.conversations
    trial = sandbox.container.menu_versions.trials[OPERATOR]

    def of_side(side: str) -> Iterator[str]:
        for caller in CALLERS:
            key = conversations.conversation_key(OPERATOR, "direct", "ussd", "1", caller)
            if trial.side_of(key.subscriber_hash) == side:
                yield caller

    return next(of_side("trial")), next(of_side("published"))


async def title_shown(sandbox: GatewaySandbox, caller: str) -> str:
    line = sandbox.direct_line()
    await line.dial(caller, "*100#")
    return (await line.press("1")).lines[0]


async def read_counts(sandbox: GatewaySandbox, trial_id: int) -> Mapping[TrialSide, TrialCounts]:
    await sandbox.container.write_behind.write_pending()
    return await SqlPackTrials(sandbox.container.database, SECRET).read_counts(trial_id)


async def test_new_conversations_of_the_share_are_on_the_trial_and_live_ones_stay(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    lines = [sandbox.direct_line() for _ in CALLERS]
    for line, caller in zip(lines, CALLERS, strict=True):
        await line.dial(caller, "*100#")
    await begin_trial(sandbox)
    await follower.follow_published()
    assert {(await line.press("1")).lines[0] for line in lines} <= UNTRIED
    tried, other = callers_by_side(sandbox)
    for _ in range(2):
        assert await title_shown(sandbox, tried) == "Nou"
        assert await title_shown(sandbox, other) in UNTRIED


async def test_a_conversation_begun_in_a_trial_ends_on_it(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    trial_id = await begin_trial(sandbox)
    await follower.follow_published()
    tried, _ = callers_by_side(sandbox)
    line = sandbox.direct_line()
    await line.dial(tried, "*100#")
    await follower.revisions.trials.end(OPERATOR, trial_id, ANA, sandbox.clock())
    await follower.follow_published()
    assert (await line.press("1")).lines[0] == "Nou"
    assert await title_shown(sandbox, tried) == "Buget"


async def test_publishing_ends_a_trial_in_every_process(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    menus = MenuVersions({OPERATOR: dict(sandbox.container.menu_versions.menus[OPERATOR])})
    second = RevisionFollower(follower.revisions, menus, [OPERATOR], follower.installed, follower.clock)
    await begin_trial(sandbox)
    for process in (follower, second):
        await process.follow_published()
        assert process.menu_versions.trials[OPERATOR].share_percent == 50
    assert follower.menu_versions.trials[OPERATOR].menu.revision == menus.trials[OPERATOR].menu.revision
    await follower.revisions.publish(OPERATOR, FOLDER_NUMBER, DAN, sandbox.clock())
    for process in (follower, second):
        await process.follow_published()
        assert not process.menu_versions.trials


async def test_a_revision_that_cannot_be_used_is_tried_on_nobody(
    sandbox: GatewaySandbox, follower: RevisionFollower, caplog: pytest.LogCaptureFixture
) -> None:
    await begin_trial(sandbox, is_broken=True)
    for _ in range(2):
        await follower.follow_published()
    assert [each.message for each in caplog.records].count("packs.revision_refused") == 1
    assert not follower.menu_versions.trials
    assert await title_shown(sandbox, CALLERS[0]) == "Buget"


async def test_beginnings_and_ends_are_counted_by_side_and_no_withheld_number_is(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    await title_shown(sandbox, CALLERS[0])
    trial_id = await begin_trial(sandbox)
    await follower.follow_published()
    tried, other = callers_by_side(sandbox)
    for caller in (tried, tried, other, WITHHELD):
        line = sandbox.direct_line()
        await line.dial(caller, "*100#")
        await line.press("0")
    counts = await read_counts(sandbox, trial_id)
    assert (counts["trial"].conversations, counts["published"].conversations) == (2, 1)
    assert [sum(each.outcomes.values()) for each in (counts["trial"], counts["published"])] == [2, 1]
