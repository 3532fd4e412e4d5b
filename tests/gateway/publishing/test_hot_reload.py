"""Hot reload of packs: an edit is published, a broken one is not, sessions keep their revision."""

import shutil
from pathlib import Path

import pytest

from flows.engine.menu_versions import MenuVersions
from gateway.publishing import pack_compiler
from gateway.publishing.hot_reload import PackReloader
from menus.packfile.yaml_source import Finding
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of packs that may be edited."""
    shutil.copytree(pack_compiler.pack_folder(OPERATOR), pack_compiler.pack_folder(OPERATOR, tmp_path))
    return tmp_path


def edit_text(root: Path, old: str, new: str) -> None:
    path = pack_compiler.pack_folder(OPERATOR, root) / "texts" / "ro.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


async def test_an_edit_is_published_and_a_conversation_stays_on_its_revision(
    root: Path, sandbox: GatewaySandbox
) -> None:
    line, shelf = sandbox.direct_line(), sandbox.container.menu_versions
    live = PackReloader(shelf, lambda name: pack_compiler.pack_folder(name, root))
    await line.dial("+40740000101", "*100#")
    edit_text(root, "budget: ", "budget: Nou ")
    await live.reload_changed()
    assert (await line.press("1")).lines[0] == "Buget"
    await line.dial("+40740000101", "*100#")
    assert (await line.press("1")).lines[0] == "Nou Buget"


async def test_a_broken_edit_keeps_the_old_one_and_says_where(root: Path) -> None:
    shelf, heard = MenuVersions(), list[Finding]()
    shelf.publish(pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR, root)))
    live, before = (
        PackReloader(shelf, lambda name: pack_compiler.pack_folder(name, root)),
        shelf.current_menu(OPERATOR),
    )
    live.on_findings.append(lambda _, found: heard.extend(found))
    edit_text(root, "budget.bill_option: ", f"budget.bill_option: {'Lung' * 60}")
    await live.reload_changed()
    assert shelf.current_menu(OPERATOR) is before
    assert "orange_ro/texts/ro.yaml" in str(heard[0])
    assert "units of 128" in heard[0].what


async def test_unchanged_packs_are_not_read_again(root: Path) -> None:
    shelf = MenuVersions()
    shelf.publish(pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR, root)))
    live, before = (
        PackReloader(shelf, lambda name: pack_compiler.pack_folder(name, root)),
        shelf.current_menu(OPERATOR),
    )
    await live.reload_changed()
    assert shelf.current_menu(OPERATOR) is before
