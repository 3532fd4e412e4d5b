"""`dialtree pack`: a folder becomes a revision, a second account approves it, all processes serve it."""

import os
import pwd
from argparse import Namespace
from pathlib import Path

import pytest

from flows.domain.pack_revisions import (
    FindingsPresentError,
    OwnRevisionError,
    PackEditor,
    RevisionError,
    RevisionStateError,
)
from gateway.cli import pack_desk, pack_translations
from gateway.cli.login_account import NO_LOGIN, read_login_account
from gateway.cli.pack_desk import run_pack_command
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files, write_pack_files
from gateway.wiring.revision_wiring import build_desk
from storage.console.staff_log import SqlStaffLog
from tests.support.databases import SECRET
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

INSTALLED = read_pack_files(pack_folder(OPERATOR))


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of packs that commands use by default, with another greeting in it."""
    monkeypatch.setattr(pack_desk, "PACKS", tmp_path)
    texts = INSTALLED.texts["texts/ro.yaml"].replace("Bine ați venit la Orange!", "Salut!")
    write_pack_files(pack_folder(OPERATOR, tmp_path), INSTALLED.with_changes({"texts/ro.yaml": texts}))
    return tmp_path


async def run_words(sandbox: GatewaySandbox, what: str, account: str = "ana", **given: object) -> int:
    arguments: dict[str, object] = {
        **{"operator": OPERATOR, "number": None, "into": pack_desk.PACKS, "force": False, "message": "Shorter"},
        **{"folder": None, "author": "", "old": "", "new": "", "at": "", "to": None},
    }
    return await run_pack_command(Namespace(what=what, **(arguments | given)), sandbox.container, account)


async def test_from_a_folder_to_all_processes_and_back(
    sandbox: GatewaySandbox, packs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = sandbox.container.revision_follower
    assert await run_words(sandbox, "diff") == 1
    assert "changed text ro home all: 'Bine ați venit la Orange!' -> 'Salut!'" in capsys.readouterr().out
    assert await run_words(sandbox, "push", author="maria") == 0
    assert "waits for approval by somebody else than ana and maria" in capsys.readouterr().out
    with pytest.raises(OwnRevisionError):
        await run_words(sandbox, "approve", number=1)
    with pytest.raises(RevisionStateError, match="is proposed, not approved"):
        await run_words(sandbox, "publish", number=1)
    assert await run_words(sandbox, "approve", "dan", number=1) == 0
    assert await run_words(sandbox, "publish", "dan", number=1) == 0
    await follower.follow_published()
    assert sandbox.menu.fill_text("home", "ro", "ussd", {}) == "Salut!"
    assert await run_words(sandbox, "diff") == 0
    assert await run_words(sandbox, "rollback") == 0
    await follower.follow_published()
    assert sandbox.menu.fill_text("home", "ro", "ussd", {}) == "Bine ați venit la Orange!"


async def test_a_folder_with_findings_is_not_pushed(sandbox: GatewaySandbox, packs: Path) -> None:
    (pack_folder(OPERATOR, packs) / "keywords.yaml").unlink()
    with pytest.raises(FindingsPresentError, match=r"orange_ro/keywords\.yaml:1:1: no such file"):
        await run_words(sandbox, "push")


async def test_pull_replaces_files_that_differ_only_when_told(
    sandbox: GatewaySandbox, packs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pack_folder(OPERATOR, packs)
    (folder / "texts" / "de.yaml").write_text("home: Hallo\n")
    (folder / "notes.txt").write_text("ours")
    assert await run_words(sandbox, "pull", into=packs) == 2
    assert "texts/de.yaml, texts/ro.yaml would be replaced" in capsys.readouterr().err
    assert await run_words(sandbox, "pull", into=packs, force=True) == 0
    assert read_pack_files(folder) == INSTALLED
    assert (folder / "notes.txt").read_text() == "ours"
    assert await run_words(sandbox, "pull", into=packs / "new") == 0
    assert read_pack_files(pack_folder(OPERATOR, packs / "new")) == INSTALLED


@pytest.fixture
async def approved(sandbox: GatewaySandbox) -> GatewaySandbox:
    """Provide a sandbox with an approved revision 1, the installed pack."""
    desk = build_desk(
        sandbox.container.settings, sandbox.container.database, sandbox.container.revision_follower
    )
    ana, dan = (PackEditor(name) for name in ("ana", "dan"))
    draft = await desk.open_draft(OPERATOR, ana, 0)
    await desk.revisions.propose(draft, ana, "As installed", sandbox.clock(), checks=hash_checks_portably())
    await desk.approve(OPERATOR, 1, dan)
    return sandbox


async def test_a_publication_is_planned_in_the_operators_time_and_cancelled(
    approved: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RevisionError, match="is over"):
        await run_words(approved, "publish", number=1, at="2026-03-10T08:59")
    with pytest.raises(RevisionError, match="write a time like"):
        await run_words(approved, "publish", number=1, at="tomorrow")
    assert await run_words(approved, "publish", number=1, at="2026-04-01T06:00") == 0
    capsys.readouterr()
    assert await run_words(approved, "revisions") == 0
    said = capsys.readouterr().out
    assert "the folder's pack is served" in said
    assert "revision 1 from 2026-04-01 06:00 on, by ana" in said
    (planned,) = await approved.container.revision_follower.revisions.publications.list_publications(OPERATOR)
    assert f"{planned.effective_at:%H:%M}" == "03:00"
    assert await run_words(approved, "cancel", publication=planned.id) == 0
    with pytest.raises(RevisionStateError):
        await run_words(approved, "cancel", publication=planned.id)


async def test_the_staff_log_names_the_account(approved: GatewaySandbox) -> None:
    await run_words(approved, "publish", "root", number=1, at="2026-04-01T06:00")
    log = SqlStaffLog(approved.container.database, SECRET)
    newest = (await log.list_entries([OPERATOR]))[0]
    found = (newest.username, newest.action, newest.object)
    assert found == ("root", "pack.scheduled", "revision 1 (root, command line)")


async def test_an_operator_not_served_is_refused(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_words(sandbox, "revisions", operator="orange-xx") == 2
    assert "orange-xx" in capsys.readouterr().err


def test_the_account_is_that_of_the_login_through_sudo_too(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    own = pwd.getpwuid(os.getuid()).pw_name
    login.write_text(f"{pwd.getpwnam('nobody').pw_uid}\n")
    assert read_login_account(login) == "nobody"
    login.write_text(str(NO_LOGIN))
    assert read_login_account(login) == own
    assert read_login_account(tmp_path / "none") == own
    login.write_text("4000000001")
    assert read_login_account(login) == "uid-4000000001"


def test_texts_go_to_translators_and_back(packs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = pack_folder(OPERATOR, packs), packs / "en.po"
    words = {"folder": folder, "language": "en", "source": ""}
    assert pack_translations.main(Namespace(what="export", output=file, **words)) == 0
    assert "0 missing" in capsys.readouterr().err
    file.write_bytes(file.read_bytes().replace(b'msgstr "Latest bill"', b'msgstr "Your {bill}"'))
    assert pack_translations.main(Namespace(what="import", file=file, **words)) == 1
    assert "en.po:" in capsys.readouterr().err
    file.write_bytes(file.read_bytes().replace(b"Your {bill}", b"Your bill"))
    assert pack_translations.main(Namespace(what="import", file=file, **words)) == 0
    assert "all: Your bill" in (folder / "texts" / "en.yaml").read_text()
    with pytest.raises(RevisionError, match="No such file"):
        pack_translations.main(Namespace(what="import", file=packs / "none.po", **words))
