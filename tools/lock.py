"""The lock: renew it with the versions the index offers, or show what could be renewed.

    python -m tools.lock renew          the newest versions pyproject.toml permits (`make lock`)
    python -m tools.lock renew --keep   only what pyproject.toml demands (`make lock KEEP=1`)
    python -m tools.lock outdated       locked, permitted and newest versions (`make outdated`)

`requirements.lock` has everything. The files in `requirements/` are parts of it with the same pins and hashes.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.index_settings import make_uv_environment, read_pip_settings

ROOT = Path(__file__).parent.parent
WHOLE = "requirements.lock"
CONSTRAINTS = "requirements/constraints.txt"
GROUPS = ("build", "installer", "dev", "docs", "audit")
SOURCES = ("pyproject.toml", "--all-extras", *(word for group in GROUPS for word in ("--group", group)))
"""What the whole lock is resolved from."""
PARTS: Mapping[str, tuple[str, ...]] = {
    "requirements/runtime.lock": ("pyproject.toml", "--group", "build"),
    "requirements/otel.lock": ("pyproject.toml", "--extra", "otel", "--group", "build"),
    "requirements/build.lock": ("--group", "build"),
    "requirements/installer.lock": ("--group", "installer"),
}
"""Each part with what it is resolved from."""
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
UV = Path(sys.prefix) / "bin" / "uv"


def call_uv(*arguments: str, folder: Path = ROOT) -> str:
    """Run uv with the index of this machine; its output. Ends the command when uv fails."""
    settings = read_pip_settings([sys.executable, "-m", "pip"])
    environment = make_uv_environment(settings, os.environ, main_index_only=True)
    done = subprocess.run(
        [str(UV), "pip", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"uv pip {arguments[0]} failed: see the messages above")
    return done.stdout


def compile_lock(folder: Path, output: str, *sources: str) -> None:
    """Resolve the sources for all platforms and write their pins with the hashes of all files."""
    call_uv(
        *("compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"),
        *("--custom-compile-command", "make lock", "--constraint", CONSTRAINTS),
        *("--output-file", output, *sources),
        folder=folder,
    )


def compile_all(folder: Path, *options: str) -> None:
    """Write the lock and its parts in a folder that has pyproject.toml."""
    compile_lock(folder, WHOLE, *SOURCES, *options)
    for part, sources in PARTS.items():
        (folder / part).unlink(missing_ok=True)
        compile_lock(folder, part, *sources, "--constraint", WHOLE)


def renew(*, keep: bool) -> None:
    """Write the lock anew; with `keep` every pin that pyproject.toml still permits stays."""
    compile_all(ROOT, *([] if keep else ["--upgrade"]))


def read_pins(text: str) -> dict[str, str]:
    """Return the versions of a lock by name; two versions for different platforms stand together."""
    found: dict[str, str] = {}
    for name, version in PIN.findall(text):
        found[name] = f"{found[name]}, {version}" if name in found else version
    return found


def permitted_versions() -> dict[str, str]:
    """Return what `renew` would lock today."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "requirements").mkdir()
        for name in ("pyproject.toml", WHOLE, CONSTRAINTS):
            shutil.copy(ROOT / name, folder / name)
        compile_lock(folder, WHOLE, *SOURCES, "--upgrade")
        return read_pins((folder / WHOLE).read_text())


def newest_versions() -> dict[str, str]:
    """Return the newest release of each installed package that is not the newest itself."""
    listed = json.loads(call_uv("list", "--outdated", "--format", "json", "--python", sys.executable))
    return {package["name"].lower(): package["latest_version"] for package in listed}


def show_outdated() -> None:
    """Print the packages for which the index offers a newer release."""
    locked, permitted, newest = read_pins((ROOT / WHOLE).read_text()), permitted_versions(), newest_versions()
    names = [name for name in locked if permitted.get(name) != locked[name] or name in newest]
    print(f"{len(names)} of {len(locked)} packages have a newer release; `make lock` takes what is permitted.")
    if names:
        print(f"{'package':32}{'locked':20}{'permitted':20}newest")
    for name in names:
        allowed = permitted.get(name, "(not needed)")
        print(f"{name:32}{locked[name]:20}{allowed:20}{newest.get(name, allowed)}")


def main() -> None:
    """Renew the lock or show what could be renewed, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description="Renew the lock.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("renew").add_argument("--keep", action="store_true", help="renew only what must change")
    commands.add_parser("outdated")
    arguments = parser.parse_args()
    if arguments.command == "outdated":
        show_outdated()
        return
    renew(keep=arguments.keep)


if __name__ == "__main__":
    main()
