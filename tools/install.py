"""Installation from the lock: make a virtual environment with exactly the pinned packages and the project.

    python3 -m tools.install runtime    what the product needs, for `make demo`
    python3 -m tools.install all        everything in requirements.lock, for `make test`

pip installs uv from requirements/installer.lock into `.installer`, and uv installs the rest, because it is
five times as fast; when uv cannot, pip does. Both check the hash of every file. Nothing is built in isolation,
for that would fetch build tools that are not in the lock.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.index_settings import make_uv_environment, read_pip_settings

ROOT = Path(__file__).parent.parent
LOCKS = {"all": ROOT / "requirements.lock", "runtime": ROOT / "requirements" / "runtime.lock"}
BUILD_LOCK = ROOT / "requirements" / "build.lock"
INSTALLER_LOCK = ROOT / "requirements" / "installer.lock"
INSTALLER = ROOT / ".installer"
OLDEST_PYTHON = (3, 11)
PINNED = ("--require-hashes", "--no-build-isolation")
QUIET = ("-qq", "--no-compile", "--disable-pip-version-check")
"""What is imported is compiled then: to compile all takes longer than to install it."""


class Installer:
    """uv and pip in an environment of their own, with the index settings of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uv = folder / "bin" / "uv"
        self.uv_environment: Mapping[str, str] = {}

    @property
    def pip(self) -> list[str]:
        """The command of pip: its own, or else that of the Python that runs this."""
        own = self.folder / "bin" / "python"
        return [str(own if (self.folder / "bin" / "pip").exists() else sys.executable), "-m", "pip"]

    def prepare(self) -> None:
        """Create the environment and install uv; without uv, pip remains."""
        python = self.folder / "bin" / "python"
        if not python.exists():
            create_environment(self.folder, "--without-pip", "--clear")
            if not run([*self.pip, "--python", str(python), "--version"], quiet=True):
                create_environment(self.folder, "--clear")  # takes five seconds more
        if not self._has_pinned_uv():
            self.uv.unlink(missing_ok=True)
            self._pip(python, "install", "--require-hashes", "--requirement", str(INSTALLER_LOCK))
        self.read_index_settings()

    def read_index_settings(self) -> None:
        """Pass on to uv the indexes pip is configured to use."""
        self.uv_environment = make_uv_environment(read_pip_settings(self.pip), os.environ)

    def _has_pinned_uv(self) -> bool:
        command = [str(self.uv), "--version"]
        if not self.uv.exists():
            return False
        printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return f"uv=={printed.split()[1]} " in INSTALLER_LOCK.read_text() if printed else False

    def install(self, python: Path, lock: Path) -> None:
        """Install what builds, then the whole lock, and remove what is not in it."""
        build = ("install", "--no-deps", *PINNED, "--requirement", str(BUILD_LOCK))
        if self._uv(python, *build) and self._uv(python, "sync", *PINNED, str(lock)):
            return
        print("Without uv pip installs, which takes longer.", file=sys.stderr)
        create_environment(python.parents[1], "--without-pip", "--clear")
        if not all(self._pip(python, *build[:-1], str(each)) for each in (BUILD_LOCK, lock)):
            sys.exit(f"{lock.name} could not be installed: see the messages above")

    def install_project(self, python: Path) -> None:
        """Install the project itself, editable, built by what the lock installed."""
        project = ("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        if not (self._uv(python, *project) or self._pip(python, *project)):
            sys.exit("the project could not be installed: see the messages above")

    def _uv(self, python: Path, command: str, *arguments: str) -> bool:
        called = [str(self.uv), "pip", command, "--quiet", "--python", str(python), *arguments]
        return self.uv.exists() and run(called, self.uv_environment)

    def _pip(self, python: Path, command: str, *arguments: str) -> bool:
        return run([*self.pip, "--python", str(python), command, *QUIET, *arguments])


def run(command: list[str], environment: Mapping[str, str] | None = None, *, quiet: bool = False) -> bool:
    """Run a command in the folder of the project; true when it ended well."""
    output = subprocess.DEVNULL if quiet else None
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False)
    return done.returncode == 0


def create_environment(folder: Path, *options: str) -> None:
    """Create a virtual environment of the Python that runs this."""
    if not run([sys.executable, "-m", "venv", *options, str(folder)]):
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit("no virtual environment could be made; on Debian install the package python3-venv")


def main() -> None:
    """Install as the command line says."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("Dialtree needs Python 3.11 or newer")
    parser = argparse.ArgumentParser(prog="python3 -m tools.install", description="Install from the lock.")
    parser.add_argument("lock", choices=LOCKS)
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="default: .venv")
    arguments = parser.parse_args()
    print(f"Installing {arguments.lock} from the lock; the first time this takes a minute or two.", flush=True)
    installer = Installer(INSTALLER)
    installer.prepare()
    python = arguments.environment.absolute() / "bin" / "python"
    if not python.exists():
        create_environment(arguments.environment, "--without-pip", "--clear")
    installer.install(python, LOCKS[arguments.lock])
    installer.install_project(python)


if __name__ == "__main__":
    main()
