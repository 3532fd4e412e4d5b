"""Attacks on the menu studio: scripts in texts, one person for two, edits of two windows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console.console_request import MENUS_PATH
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import parse_strictly
from tests.support.studio_forms import (
    HOME,
    ORANGE,
    field_of,
    form_fields,
    press,
    trust_shipped_pack,
    type_words,
)

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console that takes every state of a pack as checked: the checks have tests of their own."""
    async with serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!", "Prima", "A doua", HOSTILE)
        yield served


async def stored_drafts(console: ConsoleServer, operator: str = "orange-ro") -> int:
    return len(await console.site.revision_desk.drafts.list_drafts(operator))


async def test_a_script_in_a_text_is_shown_as_text(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await type_words(mihai, HOME, "home", HOSTILE)
    draft = await mihai.get(f"{ORANGE}/draft")
    for each in (page, draft, await mihai.get(f"{ORANGE}?q={HOSTILE}")):
        assert "<script" not in each.text and "&lt;script&gt;" in each.text
        parse_strictly(each)


async def test_an_author_cannot_approve_nor_anybody_publish_unapproved(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="Shorter")
    revision = f"{ORANGE}/revisions/1"
    assert 'value="approve"' not in (await mihai.get(revision)).text
    assert "another person must approve it" in (await press(mihai, revision, "approve")).visible_text
    assert "Nothing was done" in (await press(dana, revision, "publish", revision)).visible_text
    assert ("orange-ro", "mihai", "revision 1", "refused") in await console.audit_entries("pack.approved")


async def test_a_later_save_in_another_window_is_not_overwritten(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await mihai.get(HOME)
    old, name = form_fields(page, HOME), field_of(page, "home")
    await mihai.post(HOME, old | {name: "Prima"})
    conflict = await mihai.post(HOME, old | {name: "A doua"})
    assert conflict.status == 409 and "Nothing was overwritten" in conflict.visible_text
    assert ">A doua</textarea>" in conflict.text and "Stored now: Prima" in conflict.visible_text
    again = await mihai.post(HOME, form_fields(conflict, HOME) | {name: "A doua"})
    assert again.status == 200 and ">A doua</textarea>" in again.text


async def test_a_first_save_sent_twice_opens_one_draft(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await mihai.get(HOME)
    fields = form_fields(page, HOME) | {field_of(page, "home"): "Salut!"}
    await asyncio.gather(*(mihai.post(HOME, fields) for _ in range(3)))
    assert await stored_drafts(console) == 1


async def test_drafts_are_each_persons_own(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    assert "Salut!" not in (await dana.get(HOME)).text
    assert "Draft of mihai" in (await dana.get(MENUS_PATH)).visible_text


async def test_every_action_is_on_the_page_of_what_staff_did(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="Shorter")
    await press(dana, f"{ORANGE}/revisions/1", "approve")
    await press(dana, f"{ORANGE}/revisions/1", "publish")
    page = await (await console.signed_in("adela")).get("/console/staff")
    for action in ("draft_opened", "draft_saved", "proposed", "approved", "published"):
        assert f"pack.{action}" in page.visible_text
