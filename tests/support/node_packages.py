"""Packages of Node.js the tests talk to: pinned with their hashes, installed by `make services`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.server_processes import ProgramMissing, find_program

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("peers")
FOLDER = ROOT / "var" / "peers"
"""Where they are installed; `make clean` removes it."""
WHAT = "node-smpp, axe-core, oidc-provider and the validator of jambonz"


def find_node_packages() -> Path:
    """Return the folder Node.js finds them in; ProgramMissing when they are not installed as pinned."""
    find_program("node")
    installed = FOLDER / "package-lock.json"
    if not installed.is_file() or installed.read_bytes() != (PINS / installed.name).read_bytes():
        raise ProgramMissing(WHAT)
    return FOLDER / "node_modules"


def install_node_packages() -> bool:
    """Install them where they are missing, with their hashes checked; return whether they are there."""
    try:
        find_node_packages()
    except ProgramMissing:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(PINS / name, FOLDER / name)
        options = ["--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund"]
        npm = shutil.which("npm") or "npm"
        try:
            done = subprocess.run([npm, "ci", *options], cwd=FOLDER, capture_output=True, check=False)
        except OSError:
            done = None
        if done is None or done.returncode:
            (FOLDER / "package-lock.json").unlink()
            return False
    return True


def main() -> int:
    """Install; say loudly when that did not work, which is an error (status 1) only in CI."""
    if install_node_packages():
        return 0
    sys.stderr.write(f"LEFT OUT: {WHAT} could not be installed; tests that need them skip.\n")
    return int(os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(main())
