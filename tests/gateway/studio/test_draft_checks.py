"""Checks of a draft: the same findings as of the folder, with file, line and column."""

from pathlib import Path

from flows.domain.pack_revisions import PackFiles
from gateway.publishing.pack_compiler import pack_folder, validate_pack
from gateway.publishing.pack_folders import read_pack_files, write_pack_files
from gateway.studio.draft_checks import DraftChecker, find_faults

OPERATOR = "orange-ro"
FILES = read_pack_files(pack_folder(OPERATOR))


def with_edit(path: str, old: str, new: str) -> PackFiles:
    assert old in FILES.texts[path]
    return FILES.with_changes({path: FILES.texts[path].replace(old, new, 1)})


async def test_a_shipped_pack_has_no_findings_and_is_checked_once() -> None:
    checker = DraftChecker()
    assert await checker.check_draft(OPERATOR, FILES) == []
    assert [*checker.remembered] == [(OPERATOR, FILES.digest)]
    assert await checker.check_draft(OPERATOR, FILES) == []


def test_findings_are_those_of_the_folder(tmp_path: Path) -> None:
    broken = with_edit("screens.yaml", "to: house.agent", "to: house.nowhere")
    folder = tmp_path / "orange_ro"
    write_pack_files(folder, broken)
    found = find_faults(OPERATOR, broken)
    assert found == validate_pack(folder)
    assert (found[0].file, found[0].line > 1, found[0].column > 1) == ("orange_ro/screens.yaml", True, True)


def test_a_pack_of_another_operator_is_a_finding() -> None:
    (finding,) = find_faults("orange-fr", FILES)
    assert (finding.file, finding.line, finding.column) == ("orange_fr/pack.yaml", 1, 7)
    assert "'orange-ro'" in finding.what


def test_files_that_are_missing_or_unreadable_are_findings() -> None:
    assert "no such file" in find_faults(OPERATOR, FILES.with_changes({"keywords.yaml": None}))[0].what
    assert find_faults(OPERATOR, FILES.with_changes({"pack.yaml": "name: ["}))[0].file == "orange_ro/pack.yaml"
    assert find_faults(OPERATOR, PackFiles({})) != []


def test_a_recording_that_no_text_would_play_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "prompts" / "ro").mkdir(parents=True)
    (tmp_path / "prompts" / "ro" / "no.such.text.wav").write_bytes(b"RIFF")
    (finding,) = find_faults(OPERATOR, FILES, tmp_path)
    assert finding.file == "orange_ro/prompts/ro/no.such.text.wav"
