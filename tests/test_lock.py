"""The lock of what the gateway runs on (T37): whole, current with pyproject.toml, and kept by pip."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import requires
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; [^\n]+?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


class Pin(NamedTuple):
    """One package of the lock."""

    version: str
    hashes: frozenset[str]


PINS: Mapping[str, Pin] = {
    name: Pin(version, frozenset(re.findall(r"[0-9a-f]{64}", hashes)))
    for name, version, hashes in PINNED.findall(LOCK)
}


def closure(name: str) -> dict[str, list[Requirement]]:
    """Everything a package needs here, and as whom each of its users asks for it."""
    found: dict[str, list[Requirement]] = {}
    todo = list(asked(name, set()))
    while todo:
        requirement = todo.pop()
        known = found.setdefault(canonicalize_name(requirement.name), [])
        if not any(requirement.extras <= each.extras for each in known):
            todo += asked(requirement.name, requirement.extras)
        known.append(requirement)
    return found


def asked(name: str, extras: set[str]) -> Iterator[Requirement]:
    """What a package asks for on this machine, with these extras of its own."""
    for requirement in map(Requirement, requires(name) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


NEEDED = closure("dialtree")


def test_T37_the_lock_is_pins_with_hashes_and_nothing_else() -> None:
    """No index, no option, no package without a version: comments aside."""
    plain = "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#"))
    assert not PINNED.sub("", plain).strip()
    assert len(PINS) == len(re.findall(r"^\S+==", plain, re.MULTILINE))
    assert "://" not in LOCK


def test_T37_the_lock_names_everything_the_gateway_needs() -> None:
    assert len(NEEDED) > 30
    assert NEEDED.keys() <= PINS.keys()


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_T37_each_pin_is_a_version_everybody_permits(name: str) -> None:
    pin = PINS[name]
    assert all(asked.specifier.contains(pin.version) for asked in NEEDED[name])
    assert pin.hashes


def test_T37_what_builds_the_gateway_is_locked_too() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert told["dependency-groups"]["build"] == told["build-system"]["requires"]
    assert all(Requirement(text).name in PINS for text in told["build-system"]["requires"])


def wheel(folder: Path, word: str) -> Path:
    """A package of one module."""
    info = "lamp-1.0.dist-info"
    files = {
        "lamp.py": f"WORD = {word!r}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: lamp\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=") for name, text in files.items()
    }
    lines = [f"{name},sha256={digests[name].decode()},{len(text)}" for name, text in files.items()]
    path = folder / "lamp-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (*files.items(), (f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return path


def installed(folder: Path, lock: str) -> subprocess.CompletedProcess[str]:
    """What pip makes of a lock, with the wheels of this folder and no index."""
    (folder / "lock").write_text(lock)
    options = ["--no-index", "--find-links", str(folder), "--require-hashes", "--target", str(folder / "here")]
    command = [sys.executable, "-m", "pip", "--isolated", "install", *options, "-r", str(folder / "lock")]
    quiet = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)


def locked(path: Path) -> str:
    return f"lamp==1.0 --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


def test_T37_pip_installs_what_the_lock_says(tmp_path: Path) -> None:
    told = installed(tmp_path, locked(wheel(tmp_path, "lit")))
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "here" / "lamp.py").read_text() == "WORD = 'lit'\n"


def test_T37_pip_refuses_an_altered_wheel(tmp_path: Path) -> None:
    """Altered with its own RECORD in order: only the lock tells."""
    lock = locked(wheel(tmp_path, "lit"))
    wheel(tmp_path, "out")
    told = installed(tmp_path, lock)
    assert told.returncode != 0 and "DO NOT MATCH THE HASHES" in told.stderr
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("unlocked", ["lamp==1.0\n", "lamp>=1.0\n", "lamp\n"])
def test_T37_pip_refuses_what_has_no_hash(tmp_path: Path, unlocked: str) -> None:
    wheel(tmp_path, "lit")
    told = installed(tmp_path, unlocked)
    assert told.returncode != 0 and "hash" in told.stderr
    assert not (tmp_path / "here").exists()
