"""Lock files (T37): complete, hashed, consistent with pyproject.toml; newer releases change nothing."""

import functools
import os
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import install
from tools.install import Installer, create_environment

ROOT = Path(__file__).parents[2]
LOCKS = {
    path.name: path.read_text() for path in (ROOT / "requirements.lock", *ROOT.glob("requirements/*.lock"))
}
PARTS = sorted(LOCKS.keys() - {"requirements.lock"})
PIN_PATTERN = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; ([^\n\\]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


class LockedPackage(NamedTuple):
    """One version of a package, and the platforms it is for."""

    name: str
    version: str
    marker: str
    hashes: str


def locked_packages(lock: str) -> set[LockedPackage]:
    return {LockedPackage(*found) for found in PIN_PATTERN.findall(LOCKS[lock])}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: Mapping[str, list[str]] = {
    "product": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
    **PROJECT["dependency-groups"],
}
NEEDED = [(group, text) for group, texts in GROUPS.items() for text in texts]


@pytest.mark.parametrize("lock", LOCKS)
def test_T37_a_lock_is_pins_with_hashes_and_nothing_else(lock: str) -> None:
    """No index, no option, no package without a version; comments aside."""
    plain = re.sub(r"^ *#.*\n", "", LOCKS[lock], flags=re.MULTILINE)
    assert locked_packages(lock) and not PIN_PATTERN.sub("", plain).strip()
    assert "://" not in LOCKS[lock]


@pytest.mark.parametrize(("group", "text"), NEEDED)
def test_T37_the_lock_pins_what_pyproject_needs(group: str, text: str) -> None:
    needed = Requirement(text)
    found = [pin for pin in locked_packages("requirements.lock") if pin.name == canonicalize_name(needed.name)]
    assert found and all(needed.specifier.contains(pin.version) for pin in found)


def test_T37_each_pin_is_needed_by_another_or_by_pyproject() -> None:
    """The comments name the packages that need it, and all of those are pinned, too."""
    named = re.findall(r"^ +#(?: via|  ) +([a-z0-9-]+)(?: \(|$)", LOCKS["requirements.lock"], re.MULTILINE)
    assert len(named) > len(locked_packages("requirements.lock")) / 2
    assert set(named) <= {"dialtree", *(pin.name for pin in locked_packages("requirements.lock"))}


@pytest.mark.parametrize("lock", PARTS)
def test_T37_a_part_has_the_pins_and_hashes_of_the_whole(lock: str) -> None:
    """The markers may differ: a package may be for one platform here and for all in the whole."""
    whole = {pin._replace(marker="") for pin in locked_packages("requirements.lock")}
    assert {pin._replace(marker="") for pin in locked_packages(lock)} < whole


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("runtime.lock", ("product", "build")),
        ("otel.lock", ("product", "otel", "build")),
        ("build.lock", ("build",)),
        ("installer.lock", ("installer",)),
    ],
)
def test_T37_a_part_pins_what_its_groups_need(lock: str, groups: tuple[str, ...]) -> None:
    needed = {canonicalize_name(Requirement(text).name) for group in groups for text in GROUPS[group]}
    assert needed <= {pin.name for pin in locked_packages(lock)}


def test_T37_nothing_that_only_developers_need_is_installed_to_run() -> None:
    assert not {"pytest", "ruff", "pip-audit", "uv", "mkdocs"} & {
        pin.name for pin in locked_packages("runtime.lock")
    }


def test_T37_the_lock_with_telemetry_is_the_runtime_with_its_packages() -> None:
    more = {pin.name for pin in locked_packages("otel.lock") - locked_packages("runtime.lock")}
    assert {pin.name for pin in locked_packages("runtime.lock")} <= {
        pin.name for pin in locked_packages("otel.lock")
    }
    assert {name.split("-")[0] for name in more} == {"opentelemetry", "googleapis", "protobuf"}


def test_T37_what_builds_the_gateway_is_locked_too() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(GROUPS["build"])


def build_wheel(folder: Path, word: str, version: str = "1.0") -> Path:
    """Build a wheel with one module."""
    info = f"lamp-{version}.dist-info"
    files = {
        "lamp.py": f"WORD = {word!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: lamp\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=") for name, text in files.items()
    }
    lines = [f"{name},sha256={digests[name].decode()},{len(text)}" for name, text in files.items()]
    path = folder / f"lamp-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (*files.items(), (f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return path


def pip_install(folder: Path, lock: str) -> subprocess.CompletedProcess[str]:
    """Install a lock with pip from this folder's wheels, without an index, and return the result."""
    (folder / "lock").write_text(lock)
    options = ["--no-index", "--find-links", str(folder), "--require-hashes", "--target", str(folder / "here")]
    command = [sys.executable, "-m", "pip", "--isolated", "install", *options, "-r", str(folder / "lock")]
    quiet = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)


def lock_wheel(path: Path) -> str:
    return f"lamp==1.0 --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


def test_T37_pip_installs_what_the_lock_says(tmp_path: Path) -> None:
    told = pip_install(tmp_path, lock_wheel(build_wheel(tmp_path, "lit")))
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "here" / "lamp.py").read_text() == "WORD = 'lit'\n"


def test_T37_pip_refuses_an_altered_wheel(tmp_path: Path) -> None:
    """Altered with a correct RECORD: only the hash in the lock reveals it."""
    lock = lock_wheel(build_wheel(tmp_path, "lit"))
    build_wheel(tmp_path, "out")
    told = pip_install(tmp_path, lock)
    assert told.returncode != 0 and "DO NOT MATCH THE HASHES" in told.stderr
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("unlocked", ["lamp==1.0\n", "lamp>=1.0\n", "lamp\n"])
def test_T37_pip_refuses_what_has_no_hash(tmp_path: Path, unlocked: str) -> None:
    build_wheel(tmp_path, "lit")
    told = pip_install(tmp_path, unlocked)
    assert told.returncode != 0 and "hash" in told.stderr
    assert not (tmp_path / "here").exists()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Serve a package index on loopback with releases 1.0 and 2.0; yield its URL."""
    offered = tmp_path / "index" / "lamp"
    offered.mkdir(parents=True)
    names = [build_wheel(offered, "lit").name, build_wheel(offered, "brighter", "2.0").name]
    (offered / "index.html").write_text("".join(f'<a href="{name}">{name}</a>\n' for name in names))
    serve = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path / "index")
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, index: str, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Provide the installer of `make demo` and `make test`, configured with the index as pip is."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index)
    made = Installer(Path(sys.prefix))
    made.uv = made.uv if request.param == "uv" else Path("none")
    made.read_index_settings()
    return made


def test_T37_a_newer_release_on_the_index_changes_nothing(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    lock.write_text(lock_wheel(tmp_path / "index" / "lamp" / "lamp-1.0-py3-none-any.whl"))
    monkeypatch.setattr(install, "BUILD_LOCK", lock)
    create_environment(tmp_path / "here", "--without-pip")
    installer.install(tmp_path / "here" / "bin" / "python", lock)
    (found,) = (tmp_path / "here").rglob("lamp.py")
    assert found.read_text() == "WORD = 'lit'\n"


def test_T37_without_the_lock_the_newer_release_is_installed(index: str, tmp_path: Path) -> None:
    """The index is in use: only the lock keeps the newer release out."""
    options = ["--index-url", index, "--target", str(tmp_path / "here"), "lamp"]
    command = [sys.executable, "-m", "pip", "--isolated", "install", *options]
    subprocess.run(command, env={**os.environ, "PIP_CONFIG_FILE": os.devnull}, capture_output=True, check=True)
    assert (tmp_path / "here" / "lamp.py").read_text() == "WORD = 'brighter'\n"


def test_T37_docs_running_installs_from_the_lock_only() -> None:
    page = (ROOT / "docs" / "running.md").read_text()
    commands = re.findall(r"^pip install (.+)$", page, re.MULTILINE)
    assert commands == [
        "--require-hashes -r requirements/build.lock",
        "--require-hashes --no-build-isolation -r requirements/runtime.lock",
        "--no-deps --no-build-isolation .",
    ]
