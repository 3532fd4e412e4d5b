"""A text is changed, a finding shown and resolved; proposed, approved by another, published, rolled back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console.console_request import MENUS_PATH
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import ANA, parse_strictly
from tests.support.studio_forms import HOME, ORANGE, press, trust_shipped_pack, type_words


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console whose shipped pack counts as checked."""
    async with serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!")
        yield served


async def dial_home(console: ConsoleServer) -> str:
    """Return what a subscriber sees, once the processes have followed what is published."""
    await console.sandbox.container.revision_follower.follow_published()
    return "\n".join((await console.phone.dial(ANA, "*100#")).lines)


async def test_a_text_goes_from_a_finding_to_subscribers_and_back(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    page = await type_words(mihai, HOME, "home", "Salut {nume}!")
    assert "Saved in your draft" in page.visible_text and "unknown" in page.visible_text
    parse_strictly(page)
    page = await type_words(mihai, HOME, "home", "Salut!")
    assert "What must be changed" not in page.visible_text and "Salut!" in page.text
    page = await press(mihai, f"{ORANGE}/draft", "propose", message="A shorter welcome")
    assert "another person must approve it" in page.visible_text
    revision = f"{ORANGE}/revisions/1"
    assert "attempt was recorded" in (await press(mihai, revision, "approve")).visible_text
    assert "it can be published" in (await press(dana, revision, "approve")).visible_text
    assert "Bine" in await dial_home(console)
    assert "Published." in (await press(dana, revision, "publish")).visible_text
    assert "Salut!" in await dial_home(console)
    await press(dana, MENUS_PATH, "return", f"{ORANGE}/revisions/0")
    assert "Bine" in await dial_home(console)
