"""Forms of options, screens, keywords and opening hours; the map and its search; publishing at a time."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from gateway.console.console_request import MENUS_PATH
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import parse_strictly
from tests.support.studio_forms import HOME, ORANGE, form_fields, press, trust_shipped_pack, type_words


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console whose shipped pack counts as checked."""
    async with serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!")
        yield served


async def read_draft(console: ConsoleServer, path: str) -> dict[str, object]:
    """Return the values of a file of the only draft."""
    (draft,) = await console.site.revision_desk.drafts.list_drafts("orange-ro")
    values: dict[str, object] = yaml.safe_load(draft.files.texts[path])
    return values


async def test_a_screen_is_added_and_an_option_leads_to_it(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    form = {"name": "summer.offer", "words-ro": "Oferta verii: 10 GB", "words-en": "Summer: 10 GB"}
    page = await mihai.get(f"{ORANGE}/add-screen")
    page = await mihai.post(f"{ORANGE}/add-screen", form_fields(page, f"{ORANGE}/add-screen") | form)
    assert "nothing leads here" in page.visible_text and "Summer: 10 GB" not in page.visible_text
    bill = f"{ORANGE}/screens/bill/en"
    option = {"label-ro": "Vara", "label-en": "Summer", "key-ussd": "8", "to": "summer.offer"}
    page = await press(mihai, bill, "add", f"{bill}/options", **option)
    assert "What must be changed" not in page.visible_text and "8 Summer" in page.text
    parse_strictly(page)
    texts = await read_draft(console, "texts/en.yaml")
    assert texts["bill.option_1"] == "Summer" and texts["summer.offer"] == "Summer: 10 GB"


async def test_a_key_used_twice_is_a_finding_and_a_wrong_one_is_refused(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    keys = {"key-ussd": "2", "key-sms": "1", "key-voice": ""}
    page = await press(mihai, HOME, "keys", f"{HOME}/options", **keys)
    assert "key 2 stands twice on ussd" in page.visible_text
    page = await press(mihai, HOME, "keys", f"{HOME}/options", **keys | {"key-ussd": "x"})
    assert page.status == 422 and "has the wrong form" in page.visible_text


async def test_keywords_and_opening_hours_are_changed(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await press(mihai, f"{ORANGE}/keywords", "add", words="VARA\r\nSUMMER", to="help.show")
    parse_strictly(page)
    page = await press(mihai, f"{ORANGE}/keywords", "save", words="STOP")
    assert "STOP" in page.visible_text and "What must be changed" in page.visible_text
    hours = {"first_day": "mon", "last_day": "sat", "opens": "08:00", "closes": "20:00"}
    page = await press(mihai, f"{ORANGE}/hours", "save", **hours)
    parse_strictly(page)
    keywords = await read_draft(console, "keywords.yaml")
    assert {"words": ["VARA", "SUMMER"], "to": "help.show"} in keywords["keywords"]  # type: ignore[operator]
    voice = (await read_draft(console, "pack.yaml"))["voice"]
    assert voice == {"agent_hours": {"days": "mon-sat", "from": "08:00", "to": "20:00"}}
    page = await press(mihai, f"{ORANGE}/hours", "save", **hours | {"opens": "8 o'clock"})
    assert page.status == 422 and "an hour from 00:00 to 24:00" in page.visible_text


async def test_the_map_shows_words_by_channel_and_finds_them(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    page = await mihai.get(f"{ORANGE}?channel=voice&language=en&q=agent")
    assert "an agent" in page.visible_text and "home" in page.visible_text
    assert "0 screens" in (await mihai.get(f"{ORANGE}?q=nowhere+to+be+found")).visible_text
    parse_strictly(page)


async def test_a_revision_is_published_at_a_time_to_come(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="Shorter")
    revision = f"{ORANGE}/revisions/1"
    await press(dana, revision, "approve")
    assert "no time to come" in (await press(dana, revision, "publish", at="2020-01-01T00:00")).visible_text
    page = await press(dana, revision, "publish", at="2026-03-10T18:00")
    assert "at that time" in page.visible_text
    desk = console.site.revision_desk
    assert await desk.served_number("orange-ro") == 0
    console.sandbox.clock.advance(timedelta(hours=10))
    assert await desk.served_number("orange-ro") == 1


async def test_a_planned_publication_is_taken_back_once(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="Shorter")
    for verb, at in (("approve", ""), ("publish", "2026-03-10T18:00")):
        await press(dana, f"{ORANGE}/revisions/1", verb, at=at)
    page = await mihai.get(MENUS_PATH)
    assert "Take back: revision 1 from 2026-03-10 18:00" in page.visible_text
    parse_strictly(page)
    planned = form_fields(page, f"{ORANGE}/planned") | {"publication": "1"}
    assert "was taken back" in (await mihai.post(f"{ORANGE}/planned", planned)).visible_text
    assert "Nothing was done" in (await mihai.post(f"{ORANGE}/planned", planned)).visible_text
    console.sandbox.clock.advance(timedelta(hours=1))
    assert await console.site.revision_desk.revisions.publications.list_publications("orange-ro") == []
    entry = ("orange-ro", "mihai", "revision 1", "ok")
    assert await console.audit_entries("pack.schedule_cancelled") == [entry]


async def test_what_took_effect_is_not_taken_back(console: ConsoleServer) -> None:
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="Shorter")
    for verb in ("approve", "publish"):
        await press(dana, f"{ORANGE}/revisions/1", verb)
    token = console.site.csrf_tokens.form_token(dana.session_token, f"{ORANGE}/planned")
    page = await dana.post(f"{ORANGE}/planned", {"form_token": token, "publication": "1"})
    assert "Nothing was done" in page.visible_text
    assert await console.site.revision_desk.served_number("orange-ro") == 1


async def test_a_draft_is_discarded_when_confirmed(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    await type_words(mihai, HOME, "home", "Salut!")
    assert "Confirm that" in (await press(mihai, f"{ORANGE}/draft", "discard")).visible_text
    page = await press(mihai, f"{ORANGE}/draft", "discard", confirmed="yes")
    assert "discarded" in page.visible_text and "no draft" in page.visible_text
