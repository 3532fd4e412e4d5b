"""Audit: a known vulnerability ends the command with 1, and a database out of reach is said."""

import pytest

from tools import audit

VULNERABLE = {"name": "lamp", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}


def test_a_vulnerability_is_printed_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.report([VULNERABLE]) == 1
    assert "lamp 1.0: PYSEC-1, fixed in 1.1" in capsys.readouterr().out


def test_without_a_database_it_says_so_and_ends_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "SERVICES", ())
    audit.main()
    assert "NOT AUDITED" in capsys.readouterr().err
