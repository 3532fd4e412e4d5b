"""Python versions: print the interpreter of the newest or oldest supported version this machine has.

    python3 -m tools.pythons newest

Looks on PATH and among the versions of pyenv. Prints nothing when there is none beyond the one
that runs this.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
"""Oldest first; requires-python and the lock begin with the first."""
ASK = "import sys, venv; print('%d.%d' % sys.version_info[:2])"


def candidates(version: str) -> list[Path]:
    """Return where an interpreter of a version may be; a shim of pyenv may not start."""
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    managed = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    return [*([Path(found)] if found else []), *managed]


def starts(python: Path, version: str) -> bool:
    """Tell whether an interpreter starts, is of this version and can make virtual environments."""
    command = [str(python), "-c", ASK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return False
    return done.stdout.strip() == version


def find(order: str) -> Path | None:
    """Return the interpreter of the newest or oldest version that is not the one that runs this."""
    own = "{}.{}".format(*sys.version_info)
    versions = reversed(SUPPORTED) if order == "newest" else SUPPORTED
    for version in versions:
        if version == own:
            return None
        usable = [python for python in candidates(version) if starts(python, version)]
        if usable:
            return usable[0]
    return None


def main() -> None:
    """Print the path, if there is one."""
    if sys.argv[1:] not in (["newest"], ["oldest"]):
        sys.exit("usage: python3 -m tools.pythons newest|oldest")
    python = find(sys.argv[1])
    if python:
        print(python)


if __name__ == "__main__":
    main()
