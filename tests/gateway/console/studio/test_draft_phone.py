"""The phone on a draft: demo people, no real send, on USSD, in a call and by SMS; live menus unchanged."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console.studio.draft_phones import DraftPhones
from gateway.console.studio.pack_view import PackView
from tests.support.console_site import ConsoleServer, StaffMember, serve_console
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import ANA, PageResponse, parse_strictly
from tests.support.studio_forms import HOME, ORANGE, form_fields, trust_shipped_pack, type_words

PHONE = f"{ORANGE}/phone"


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console that takes these drafts as checked."""
    async with serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!", "Alta!")
        yield served


async def act(
    browser: StaffMember, verb: str, answer: str = "", caller: str = ANA, **more: str
) -> PageResponse:
    """Press a button of the phone."""
    hidden = form_fields(await browser.get(PHONE), PHONE)
    return await browser.post(PHONE, hidden | {"verb": verb, "answer": answer, "caller": caller})


async def test_a_draft_is_dialled_on_every_channel_before_it_is_published(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    await type_words(mihai, HOME, "home", "Salut!")
    page = await act(mihai, "dial")
    parse_strictly(page)
    assert "Salut! 1 Buget" in page.visible_text
    assert "1 Factura" in (await act(mihai, "press", "1")).visible_text
    assert "Bine ați venit la Orange" in (await act(mihai, "call")).visible_text
    assert "call Bine" in (await act(mihai, "silence")).visible_text
    assert "EFACTURA" in (await act(mihai, "text", "EFACTURA")).visible_text
    assert "Bine" in "\n".join((await console.phone.dial(ANA, "*100#")).lines)


async def test_nothing_leaves_the_demo_and_no_table_of_subscribers_changes(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await act(mihai, "text", "ThankYou1")
    assert "sms +40740000101" in page.visible_text
    assert await console.sandbox.messages.collect_new() == []
    assert await console.audit_entries("pack.dialled") == [("orange-ro", "mihai", "0.0", "ok")]


async def test_only_people_of_the_demo_call_and_only_what_is_possible(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    for verb, caller in (("dial", "+40799999999"), ("press", ANA), ("erase", ANA)):
        assert (await act(mihai, verb, "1", caller)).status == 422


async def test_a_draft_with_findings_is_not_dialled(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    hidden = form_fields(await mihai.get(PHONE), PHONE)
    await type_words(mihai, HOME, "home", "Salut {nume}!")
    page = await mihai.post(PHONE, hidden | {"verb": "dial", "caller": ANA})
    assert page.status == 422 and "Solve the findings first" in page.visible_text


async def test_a_changed_draft_is_dialled_anew(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    await type_words(mihai, HOME, "home", "Salut!")
    await act(mihai, "dial")
    await type_words(mihai, HOME, "home", "Alta!")
    assert "earlier state" in (await mihai.get(PHONE)).visible_text
    assert "Alta! 1 Buget" in (await act(mihai, "dial")).visible_text


async def test_another_users_phone_is_not_seen(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await act(mihai, "dial")
    assert "The phone shows" not in (await dana.get(PHONE)).visible_text


async def test_only_so_many_phones_are_open_and_all_are_closed_at_the_end(console: ConsoleServer) -> None:
    menu, clock = console.sandbox.menu, console.sandbox.clock
    desk = console.site.revision_desk
    files = await desk.read_files("orange-ro", 0)
    view = PackView("orange-ro", files, None, 0, await desk.loader.load_files("orange-ro", files), ())
    phones = DraftPhones(clock, max_phones=1)
    for number in range(2):
        await phones.open_phone(f"user{number}", view, menu, menu.folder, ANA)
    assert phones.find_phone("user0", "orange-ro") is None and len(phones.phones) == 1
    await phones.close_all()
    assert phones.phones == {}
