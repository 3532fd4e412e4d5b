"""Dialects: every row has a source, faults are named with their place, and the command lists them."""

from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.providers._smpp.dialect import DIALECTS_FOLDER, check_dialect, load_dialects
from gateway.providers.smpp import Settings

ACCOUNT = {"host": "smsc.example", "system_id": "dialtree", "password": "s3cr-pwd"}


def write_dialect(folder: Path, *lines: str) -> Path:
    path = folder / "acme.yaml"
    path.write_text("\n".join(["about: Acme.", "source: its manual", *lines]))
    return path


def test_every_shipped_dialect_is_valid_and_names_its_source() -> None:
    dialects = load_dialects()
    assert len(dialects) >= 10 and all(each.source for each in dialects.values())
    assert not [finding for path in DIALECTS_FOLDER.glob("*.yaml") for finding in check_dialect(path)]


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("go_on: two", 8, "go_on"),
        ("sesion: its", 9, "sesion"),
        ("mask: 0x10000", 7, "65535"),
        ("end: 300", 6, "255"),
    ],
)
def test_a_fault_is_named_with_its_place(line: str, column: int, words: str, tmp_path: Path) -> None:
    (finding,) = check_dialect(write_dialect(tmp_path, line))
    assert (finding.line, finding.column) == (3, column)
    assert words in str(finding) or "whole number" in str(finding)


def test_an_operation_cannot_mean_two_things(tmp_path: Path) -> None:
    (finding,) = check_dialect(write_dialect(tmp_path, "open: [1]", "abort: [1]"))
    assert "operation 1 means two things" in str(finding)


def test_the_command_lists_every_dialect(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["dialects"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(load_dialects())
    assert all(dialect.source in line for dialect, line in zip(load_dialects().values(), lines, strict=True))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dialect": "nobodys"}, "no dialect of this name"),
        ({"dialect": "huawei"}, "cannot be used yet"),
        ({"password": "nine-char"}, "at most 8"),
        ({"system_id": "a-name-of-16-let"}, "at most 15"),
        ({"ca_file": "/no/such/file", "tls": True}, "no such file"),
        ({"server_name": "smsc.example"}, "need tls"),
        ({"binds": 0}, "greater than or equal to 1"),
    ],
)
def test_a_silly_setting_says_what_is_wrong(more: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings.model_validate({**ACCOUNT, **more})
