"""`dialtree new operator`: a pack scaffold made, checked and dialled from an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.new_operator import LANGUAGES, ScaffoldError, write_pack
from gateway.demo.startup import seed_demo
from gateway.dialogs.format import format_dialog, parse_dialog
from gateway.publishing import pack_compiler
from tests.support.gateway_sandbox import SandboxFactory

ROOT = Path(__file__).parents[3]
REFUSED = {
    "a name with a space": ("acme tel", ["en"], "no name"),
    "an operator we ship": ("orange-fr", ["en"], "we ship"),
    "a language without a catalogue": ("acme-tel", ["en", "tlh"], "no language 'tlh'"),
    "a language twice": ("acme-tel", ["en", "en"], "stands twice"),
}


def run_dialtree(folder: Path, *words: str, keys: str = "") -> str:
    """Run the command, check that it exits with 0, and return what it prints."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gateway", *words]
    done = subprocess.run(
        command, cwd=folder, env=environ, input=keys, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_sixth_operator_is_made_and_dialled_without_touching_python(tmp_path: Path) -> None:
    assert "dialtree dial" in run_dialtree(tmp_path, "new", "operator", "acme-tel", "--languages", "fr,en")
    assert run_dialtree(tmp_path, "check", "packs") == "1 pack, 0 findings\n"
    told = run_dialtree(tmp_path, "dial", "*123#", "--operator", "acme-tel", "--packs", "packs", keys="6\n2\n")
    assert "Bienvenue chez Acme Tel" in told and "From now on we answer in English." in told
    assert not list((tmp_path / "packs").rglob("*.py"))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_first_dialog_passes(language: str, tmp_path: Path, sandboxes: SandboxFactory) -> None:
    first = write_pack("acme-tel", tmp_path, [language]) / f"dialogs/first-{language}.dialog"
    dialog = parse_dialog(first.read_text(encoding="utf-8"), first.name)
    async with sandboxes.with_operators(tmp_path, tmp_path).open(
        dialog.first_argument("at"), operator="acme-tel"
    ) as sandbox:
        await seed_demo(sandbox.container)
        brought = await sandbox.dialog_player(sandbox.direct_line(), dialog.first_argument("from")).play(dialog)
    assert format_dialog(dialog, brought) == first.read_text(encoding="utf-8")


def test_every_language_it_may_begin_with_has_no_findings(tmp_path: Path) -> None:
    assert pack_compiler.validate_pack(write_pack("acme-tel", tmp_path, LANGUAGES)) == []


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_begun_is_refused_before_a_file_exists(case: str, tmp_path: Path) -> None:
    name, languages, why = REFUSED[case]
    with pytest.raises(ScaffoldError, match=why):
        write_pack(name, tmp_path, languages)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write_pack("acme-tel", tmp_path, ["en"])
    with pytest.raises(ScaffoldError, match="there already"):
        write_pack("acme-tel", tmp_path, ["en"])
