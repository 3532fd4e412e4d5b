"""Revision follower: what is published is served, what cannot be used never replaces what is."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.domain.pack_revisions import FOLDER_NUMBER, PackEditor, PackFiles
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.hot_reload import PackReloader
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files, write_pack_files
from gateway.publishing.revision_follower import InstalledPacks, RevisionFollower
from gateway.wiring.revision_wiring import build_desk, start_follower
from menus.machine.menu import Menu
from storage.revisions.revisions import SqlPackRevisions
from storage.sql.engine import connect
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory

ANA, DAN = PackEditor("ana"), PackEditor("dan")
INSTALLED = read_pack_files(pack_folder(OPERATOR))
CALLER = "+40740000101"
OTHER_CHECKS = "those of another release"


@pytest.fixture
def follower(sandbox: GatewaySandbox) -> RevisionFollower:
    return sandbox.container.revision_follower


def with_title(title: str) -> PackFiles:
    texts = INSTALLED.texts["texts/ro.yaml"].replace("budget: Buget\n", f"budget: {title}\n")
    return INSTALLED.with_changes({"texts/ro.yaml": texts})


BROKEN = INSTALLED.with_changes({"keywords.yaml": None})


async def publish(
    sandbox: GatewaySandbox, files: PackFiles, checks: str = "", wait: timedelta = timedelta(0)
) -> int:
    """Publish files as two people do; they pass as checked, unless by `checks` of another release."""
    container, now = sandbox.container, sandbox.clock()
    desk = build_desk(container.settings, container.database, container.revision_follower)
    draft = await desk.drafts.open_draft(OPERATOR, ANA, files, now, base=FOLDER_NUMBER)
    passed = checks or hash_checks_portably()
    number = (await desk.revisions.propose(draft, ANA, "A title", now, checks=passed)).number
    await desk.approve(OPERATOR, number, DAN)
    await desk.revisions.publish(OPERATOR, number, DAN, now, now + wait)
    return number


async def title_shown(sandbox: GatewaySandbox) -> str:
    line = sandbox.direct_line()
    await line.dial(CALLER, "*100#")
    return (await line.press("1")).lines[0]


async def test_a_revision_is_served_and_a_conversation_stays_on_its_own(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    line = sandbox.direct_line()
    await line.dial(CALLER, "*100#")
    number = await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    assert (await line.press("1")).lines[0] == "Buget"
    assert await title_shown(sandbox) == "Nou"
    assert follower.served == {OPERATOR: number}


async def test_an_older_revision_and_the_folder_are_served_again(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    titles = []
    first, second = await publish(sandbox, with_title("Unu")), await publish(sandbox, with_title("Doi"))
    for number in (second, first, FOLDER_NUMBER):
        await follower.revisions.publish(OPERATOR, number, DAN, sandbox.clock())
        await follower.follow_published()
        titles.append(await title_shown(sandbox))
    assert titles == ["Doi", "Unu", "Buget"]


async def test_a_planned_revision_is_served_from_its_time_on(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    await publish(sandbox, with_title("Nou"), wait=timedelta(hours=1))
    await follower.follow_published()
    assert await title_shown(sandbox) == "Buget"
    sandbox.clock.advance(timedelta(hours=1))
    await follower.follow_published()
    assert await title_shown(sandbox) == "Nou"


@pytest.mark.parametrize("files", [BROKEN, INSTALLED.with_changes({"pack.yaml": "name: orange-fr\n"})])
async def test_a_revision_with_findings_is_refused_once_and_what_is_served_stays(
    sandbox: GatewaySandbox, follower: RevisionFollower, caplog: pytest.LogCaptureFixture, files: PackFiles
) -> None:
    await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    await publish(sandbox, files, OTHER_CHECKS)
    with caplog.at_level(logging.INFO, "dialtree.packs"):
        for _ in range(2):
            await follower.follow_published()
    assert [each.message for each in caplog.records] == ["packs.revision_refused"]
    assert await title_shown(sandbox) == "Nou"


async def test_a_pack_that_no_check_foresaw_ends_nothing(
    sandbox: GatewaySandbox, follower: RevisionFollower
) -> None:
    def load(folder: Path) -> Menu:
        raise RecursionError

    await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    follower.installed = InstalledPacks(follower.installed.locate, load)
    await follower.revisions.publish(OPERATOR, FOLDER_NUMBER, DAN, sandbox.clock())
    await follower.follow_published()
    assert await title_shown(sandbox) == "Nou"


async def test_an_altered_revision_is_refused(sandbox: GatewaySandbox, follower: RevisionFollower) -> None:
    await publish(sandbox, with_title("Nou"))
    forged = text("UPDATE pack_revisions SET files = (SELECT seal FROM pack_revisions)")
    await sandbox.container.database.write(lambda connection: connection.execute(forged))
    await follower.follow_published()
    assert await title_shown(sandbox) == "Buget"
    await publish(sandbox, with_title("Altul"))
    await follower.follow_published()
    assert await title_shown(sandbox) == "Altul"


async def test_while_the_database_does_not_answer_what_is_served_stays(
    sandbox: GatewaySandbox, follower: RevisionFollower, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    empty, working = connect(f"sqlite:///{tmp_path / 'empty.db'}"), follower.revisions
    follower.revisions = SqlPackRevisions(empty, SECRET)
    for _ in range(2):
        await follower.follow_published()
    await empty.close()
    assert [each.message for each in caplog.records] == ["packs.revisions_unreachable"]
    assert await title_shown(sandbox) == "Nou"
    follower.revisions = working
    await publish(sandbox, with_title("Altul"))
    await follower.follow_published()
    assert await title_shown(sandbox) == "Altul"


async def restart(sandbox: GatewaySandbox) -> RevisionFollower:
    """Start what follows the revisions once more, on the same database."""
    container = sandbox.container
    load = container.revision_follower.installed.load
    return await start_follower(
        container.settings, container.database, pack_folder(OPERATOR).parent, load, sandbox.clock
    )


async def test_a_start_serves_what_is_published(sandbox: GatewaySandbox) -> None:
    number = await publish(sandbox, with_title("Nou"))
    started = await restart(sandbox)
    assert started.served == {OPERATOR: number}
    assert started.menu_versions.current_menu(OPERATOR).fill_text("budget", "ro", "ussd", {}) == "Nou"


async def test_a_start_with_an_unusable_revision_serves_the_one_before(sandbox: GatewaySandbox) -> None:
    usable = await publish(sandbox, with_title("Nou"))
    await publish(sandbox, BROKEN, OTHER_CHECKS)
    started = await restart(sandbox)
    assert started.served == {OPERATOR: usable}
    await started.follow_published()
    assert started.served == {OPERATOR: usable}


async def test_an_operator_may_keep_to_its_folder(sandboxes: SandboxFactory) -> None:
    keeps_to_folder = {"operators": {OPERATOR: {"revisions": False}}}
    async with sandboxes.open(more=keeps_to_folder) as sandbox:
        await publish(sandbox, with_title("Nou"))
        await sandbox.container.revision_follower.follow_published()
        assert await title_shown(sandbox) == "Buget"


async def test_an_edited_folder_does_not_replace_a_revision(
    sandbox: GatewaySandbox, follower: RevisionFollower, tmp_path: Path
) -> None:
    folder = tmp_path / "orange_ro"
    write_pack_files(folder, INSTALLED)
    reloader = PackReloader(sandbox.container.menu_versions, lambda name: folder, follower.serves_folder)
    await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    write_pack_files(folder, with_title("Din fisier"))
    await reloader.reload_changed()
    assert await title_shown(sandbox) == "Nou"


async def test_recordings_of_the_installed_folder_belong_to_a_revision(
    sandbox: GatewaySandbox, follower: RevisionFollower, tmp_path: Path
) -> None:
    folder = tmp_path / "orange_ro"
    (folder / "prompts" / "ro").mkdir(parents=True)
    (folder / "prompts" / "ro" / "budget.wav").write_bytes(b"RIFF")
    follower.installed = InstalledPacks(lambda name: folder, follower.installed.load)
    await publish(sandbox, with_title("Nou"))
    await follower.follow_published()
    assert sandbox.menu.recordings == {("ro", "budget"): "ro/budget.wav"}
    assert (sandbox.menu.folder / "prompts" / "ro" / "budget.wav").is_file()
