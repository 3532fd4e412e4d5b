"""Figures on the map: who reached a screen and who ended there, by channel and period; their absence."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.console.console_texts import CONSOLE_LANGUAGES
from storage.audit import conversation_rows
from storage.console.screen_figures import ScreenFigures
from tests.support.console_site import ConsoleServer, StaffMember
from tests.support.console_site import console as console
from tests.support.page_client import ANA, BARBU, parse_strictly
from tests.support.studio_forms import ORANGE, trust_shipped_pack


async def write_history(console: ConsoleServer) -> None:
    await console.sandbox.container.write_behind.write_pending()


async def open_map(console: ConsoleServer, query: str = "") -> StaffMember:
    """Return the browser of an owner of menus on the map, once all conversations are written."""
    trust_shipped_pack(console)
    await write_history(console)
    mihai = await console.signed_in("mihai")
    parse_strictly(await mihai.get(f"{ORANGE}{query}"))
    return mihai


def figures_at(browser: StaffMember, screen: str) -> str:
    """Return what the map says at a screen."""
    assert browser.last_response is not None
    card = browser.last_response.text.partition(f'id="{screen}"')[2].partition("</section>")[0]
    return card.partition('<p class="figures">')[2].partition("</span>")[2].partition("</p>")[0]


async def dial(console: ConsoleServer, caller: str, *keys: str) -> None:
    await console.phone.dial(caller, "*100#")
    for key in keys:
        await console.phone.press(key)


async def test_each_screen_says_how_many_reached_it_and_ended_there(console: ConsoleServer) -> None:
    await dial(console, ANA, "1", "0", "1")
    await dial(console, BARBU)
    mihai = await open_map(console)
    assert figures_at(mihai, "home") == "Reached it: 2 (100.0 %); ended here: 1 (50.0 %)"
    assert figures_at(mihai, "budget") == "Reached it: 1 (50.0 %); ended here: 1 (50.0 %)"
    assert figures_at(mihai, "bill") == "Reached it: 0 (0.0 %); ended here: 0 (0.0 %)"
    assert mihai.last_response is not None and 'class="bar bar-5"' in mihai.last_response.text
    assert figures_at(mihai, "code.request") == ""


async def test_other_channels_operators_and_times_have_figures_of_their_own(console: ConsoleServer) -> None:
    await console.phone.call(ANA, "411")
    await console.phone.hang_up()
    console.sandbox.clock.advance(timedelta(days=3))
    mihai = await open_map(console, "?channel=voice")
    assert "Reached it: 1 " in figures_at(mihai, "home")
    for query in ("?channel=ussd", "?channel=voice&period=day"):
        page = await mihai.get(f"{ORANGE}{query}")
        assert "Figures: there are none" in page.visible_text and figures_at(mihai, "home") == ""
    figures = await console.site.screen_figures.count_screens(
        "orange-fr", "voice", console.sandbox.clock.instant
    )
    assert figures == ScreenFigures(0, 1.0, {}, {})


async def test_parts_of_one_conversation_are_one_and_withheld_numbers_none(console: ConsoleServer) -> None:
    await dial(console, ANA)
    await write_history(console)
    await console.phone.press("1")
    await dial(console, "")
    mihai = await open_map(console)
    assert figures_at(mihai, "home") == "Reached it: 1 (100.0 %); ended here: 0 (0.0 %)"
    assert "Reached it: 1 " in figures_at(mihai, "budget")


async def test_a_text_sent_in_place_of_a_screen_is_where_the_conversation_was(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    await write_history(console)
    figures = await console.site.screen_figures.count_screens(
        "orange-ro", "sms", console.sandbox.clock() - timedelta(days=1)
    )
    assert figures.ended == {"house.stopped": 1}


async def test_of_many_conversations_a_random_share_is_counted_and_said_so(
    console: ConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_rows, "MAX_SAMPLED", 9)
    for number in range(40):
        await dial(console, f"+4074000{number:04}")
    mihai = await open_map(console)
    assert mihai.last_response is not None
    assert "a random share, about 1 of 5" in mihai.last_response.visible_text
    shown = figures_at(mihai, "home")
    assert "(100.0 %)" in shown and 0 < int(shown.split()[2]) < 40


async def test_figures_are_counted_again_after_a_minute(console: ConsoleServer) -> None:
    await dial(console, ANA)
    mihai = await open_map(console)
    await dial(console, BARBU)
    await write_history(console)
    counts = []
    for seconds in (30, 31):
        console.sandbox.clock.advance(timedelta(seconds=seconds))
        await mihai.get(ORANGE)
        counts.append(figures_at(mihai, "home").split()[2])
    assert counts == ["1", "2"]


async def test_what_cannot_be_read_is_left_out(console: ConsoleServer) -> None:
    await dial(console, ANA)
    await write_history(console)
    spoil = text("UPDATE conversations SET conversation = 'another'")
    await console.sandbox.container.database.write(lambda connection: connection.execute(spoil))
    mihai = await open_map(console)
    assert mihai.last_response is not None and "there are none" in mihai.last_response.visible_text


async def test_the_figures_are_there_in_every_language(console: ConsoleServer) -> None:
    await dial(console, ANA)
    mihai = await open_map(console)
    said = {figures_at(mihai, "home")}
    for language in CONSOLE_LANGUAGES:
        parse_strictly(await mihai.get(f"{ORANGE}?lang={language}"))
        said.add(figures_at(mihai, "home"))
    assert len(said) == len(CONSOLE_LANGUAGES) and "" not in said
