"""docs/reach/gsm-core.md: its configuration, its console lines and its settings bring up `*100#`."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.doc_pages import CODE_BLOCK, ROOT
from tests.support.debian_packages import DEBIAN_PACKAGES
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gsup_phone import wait_for_link
from tests.support.installed_programs import run_installed
from tests.support.osmo_hlr import OsmoHlr
from tests.support.smpp_phone import hold_links
from tests.support.vlr_peer import connect_vlr

PAGE = ROOT / "docs" / "reach" / "gsm-core.md"
BLOCKS = dict(CODE_BLOCK.findall(PAGE.read_text()))
LOOPBACK = "127.0.0.1"


class DocumentedHlr(OsmoHlr):
    """An HLR with the page's configuration and subscriber, at an address of its own."""

    def write_configuration(self) -> Path:
        path = self.folder / "osmo-hlr.cfg"
        path.write_text(BLOCKS[""].replace(LOOPBACK, self.host))
        return path

    def add_subscribers(self) -> None:
        self.type_commands(*BLOCKS["text"].splitlines())
        self.knows_subscribers = True


@pytest.fixture
def hlr() -> Iterator[OsmoHlr]:
    with run_installed(DocumentedHlr) as server:
        yield server


def documented_settings(hlr: OsmoHlr) -> dict[str, Any]:
    return tomllib.loads(BLOCKS["toml"].replace(LOOPBACK, hlr.host))


async def test_what_the_page_says_brings_up_the_menu(hlr: OsmoHlr, sandboxes: SandboxFactory) -> None:
    async with (
        sandboxes.open(more=documented_settings(hlr)) as sandbox,
        hold_links(sandbox),
        connect_vlr(hlr.host) as peer,
    ):
        await wait_for_link(sandbox)
        assert (await peer.dial("*100*1#")).text.startswith("Buget")


def test_the_package_is_the_one_the_tests_install() -> None:
    (package,) = re.findall(r"^apt install (.+)$", BLOCKS["sh"], re.MULTILINE)
    assert DEBIAN_PACKAGES["osmo-hlr"] == package


def test_the_guard_timer_is_the_same_on_both_sides() -> None:
    (guard,) = re.findall(r"ncss-guard-timeout (\d+)", BLOCKS[""])
    assert tomllib.loads(BLOCKS["toml"])["operators"]["orange-ro"]["gsup"]["guard_seconds"] == int(guard)
