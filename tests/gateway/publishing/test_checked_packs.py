"""Checked packs: a pack that has passed is not checked again, and nothing else passes for checked."""

import gc
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.publishing import pack_compiler
from gateway.publishing.checked_packs import CHECKING_PACKAGES, CheckedPacks, checked_packs, hash_checks
from menus.packfile.yaml_source import PackError
from menus.packs.loader import load_draft

TEXT = "budget: Budget\n"
FAULTY = "budget: Budget, or text WALLET\n"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of its own, which has a text with a fault that only the checks find, if written so."""
    return Path(shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro"))


@pytest.fixture
def checked(tmp_path: Path) -> CheckedPacks:
    return checked_packs({"XDG_CACHE_HOME": str(tmp_path / "cache")})


def replace_text(pack: Path, old: str, new: str) -> None:
    path = pack / "texts" / "en.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def remembered(checked: CheckedPacks) -> list[Path]:
    assert checked.folder
    return list(checked.folder.iterdir())


def test_a_pack_that_passed_is_not_checked_again(pack: Path, checked: CheckedPacks) -> None:
    replace_text(pack, TEXT, FAULTY)
    with pytest.raises(PackError):
        checked.load_menu(pack)
    assert not remembered(checked)
    replace_text(pack, FAULTY, TEXT)
    revision = checked.load_menu(pack).revision
    (mark,) = remembered(checked)
    assert mark.stat().st_size == 0 and checked.load_menu(pack).revision == revision
    replace_text(pack, TEXT, FAULTY)
    with pytest.raises(PackError):  # another state of the pack is checked
        checked.load_menu(pack)


def test_what_is_remembered_spares_the_checks(pack: Path, checked: CheckedPacks) -> None:
    checked.load_menu(pack)
    (good,) = remembered(checked)
    replace_text(pack, TEXT, FAULTY)
    good.rename(checked.mark_of(load_draft(pack, pack_compiler.SHARED_PLACES)))
    assert checked.load_menu(pack).name == "orange-ro"


def test_other_checks_check_again(pack: Path, checked: CheckedPacks) -> None:
    checked.load_menu(pack)
    CheckedPacks(checked.folder, "of the next release").load_menu(pack)
    assert len(remembered(checked)) == 2 and hash_checks() == checked.checks


def test_the_code_that_calls_the_checks_counts_too() -> None:
    folders = [Path(package.__path__[0]) for package in CHECKING_PACKAGES]
    assert Path(pack_compiler.__file__).parent in folders


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_others_may_write_to_is_not_trusted(pack: Path, checked: CheckedPacks, mode: int) -> None:
    assert checked.folder
    checked.folder.mkdir(parents=True)
    checked.folder.chmod(mode)
    checked.load_menu(pack)
    assert not remembered(checked)


def test_a_link_is_no_mark(pack: Path, checked: CheckedPacks) -> None:
    checked.load_menu(pack)
    (good,) = remembered(checked)
    replace_text(pack, TEXT, FAULTY)
    draft = load_draft(pack, pack_compiler.SHARED_PLACES)
    checked.mark_of(draft).symlink_to(good)
    with pytest.raises(PackError):
        checked.load_menu(pack)


def test_without_a_folder_packs_are_checked_every_time(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (None, tmp_path / "file" / "cache"):
        assert CheckedPacks(folder).load_menu(pack).name == "orange-ro"


def test_the_collector_is_paused_only_while_packs_are_built() -> None:
    with pack_compiler.paused_collector():
        assert not gc.isenabled()
        with pack_compiler.paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


COUNT_AS_OLD = """
import gc
from gateway.publishing.pack_compiler import paused_collector
with paused_collector():
    built = [{}]
print(any(each is built for each in gc.get_objects(generation=2)), gc.get_freeze_count())
"""


def test_what_was_built_counts_as_old_so_that_the_next_collection_passes_it_over() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT_AS_OLD], capture_output=True, text=True, check=True)
    assert done.stdout == "True 0\n"


def test_what_a_server_has_frozen_stays_frozen() -> None:
    frozen = gc.get_freeze_count()  # all tests and modules: `conftest.py`
    with pack_compiler.paused_collector():
        pass
    assert frozen and gc.get_freeze_count() == frozen
