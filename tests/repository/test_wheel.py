"""The wheel, installed without the source tree and with only the packages of the runtime lock."""

import asyncio
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import aiohttp
import pytest
from packaging.markers import Marker

from tests.support.demo_process import DemoProcess, run_demo
from tests.support.page_client import BILL, PageVisitor
from tools.install import create_environment

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "storage", "flows", "menus")
PIN_PATTERN = re.compile(r"^([a-z0-9-]+)==\S+(?: ; ([^\n\\]+?))? \\$", re.MULTILINE)
CALLER = "+40740000102"
CLEAN_ENVIRONMENT = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": ""}


def build_archives(source: Path, folder: Path) -> Path:
    """Build the wheel and the source archive of a source tree and return their folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_archives(ROOT, tmp_path_factory.mktemp("dist"))


def read_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def add_packages(site: Path) -> None:
    """Link the packages of the runtime lock from the environment of the tests."""
    lock = (ROOT / "requirements" / "runtime.lock").read_text()
    for name, marker in PIN_PATTERN.findall(lock):
        if marker and not Marker(marker).evaluate():
            continue
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a virtual environment with the wheel and its dependencies; pip downloads nothing."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    create_environment(folder, "--without-pip")
    (site,) = folder.glob("lib/python*/site-packages")
    add_packages(site)
    (wheel,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    command = [*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, env=CLEAN_ENVIRONMENT, check=True)
    return folder


def test_the_wheel_has_every_file_of_the_packages(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    ours = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert {name for name in read_wheel(wheel) if ".dist-info/" not in name} == ours


def test_the_source_archive_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    (archive,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    again = build_archives(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "dist")
    assert read_wheel(again / wheel.name) == read_wheel(wheel)


def test_the_version_has_one_source(environment: Path, dist: Path) -> None:
    command = [str(environment / "bin" / "dialtree"), "--version"]
    printed = subprocess.run(
        command, cwd=environment, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    (wheel,) = dist.glob("*.whl")
    assert printed.stdout.split() == wheel.name.split("-")[:2]


def test_neither_source_tree_nor_development_packages_are_importable(environment: Path) -> None:
    asked = "import gateway; from importlib.util import find_spec as find\n"
    asked += "print(gateway.__file__, find('tests'), find('pytest'))"
    command = [str(environment / "bin" / "python"), "-c", asked]
    printed = subprocess.run(
        command, cwd=environment, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=True
    )
    place, *others = printed.stdout.split()
    assert Path(place).is_relative_to(environment) and others == ["None", "None"]


@pytest.fixture(scope="module")
def demo(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with run_demo(tmp_path_factory.mktemp("elsewhere"), environment=environment) as served:
        yield served


async def post_dial(browser: PageVisitor, session: str, text: str) -> str:
    fields = {"sessionId": session, "serviceCode": "*100#", "phoneNumber": CALLER, "text": text}
    return (await browser.post("/hooks/orange-ro/africastalking/demo/ussd", fields)).text


async def test_the_wheel_alone_serves_a_conversation_and_a_bill(demo: DemoProcess) -> None:
    """Packs and texts load, the database is migrated, and the font is in the PDF."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        browser, before = PageVisitor(session, demo.url), len(demo.output)
        assert (await post_dial(browser, "wheel-1", "")).startswith("CON Welcome to Orange!")
        await post_dial(browser, "wheel-2", "1*1*5")
        page = await browser.submit(f"{BILL}?lang=en", number=CALLER, code=demo.read_code(before))
        assert "45.00 lei" in page.visible_text
        assert (await get_finished(browser, f"{BILL}.pdf?lang=en")).startswith(b"%PDF")


async def get_finished(browser: PageVisitor, path: str) -> bytes:
    """Return a file's bytes; while it is being made, its page (202) is asked again."""
    for _ in range(100):
        answer = await browser.get(path)
        if answer.status != 202:
            return answer.body
        await asyncio.sleep(0.1)
    raise TimeoutError(path)
