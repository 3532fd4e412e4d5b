"""Python versions: an interpreter counts only when it starts and is of the version asked for."""

import sys
from pathlib import Path

from tools import pythons

OWN = "{}.{}".format(*sys.version_info)


def test_the_python_of_the_tests_starts() -> None:
    assert pythons.starts(Path(sys.executable), OWN)


def test_a_shim_that_fails_does_not_count(tmp_path: Path) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert not pythons.starts(shim, "3.13") and not pythons.starts(tmp_path / "none", "3.13")
