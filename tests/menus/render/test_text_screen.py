"""Cached screens: only screens that read the same for every caller are cached."""

from datetime import date

import pytest

from menus.model.session import Session
from menus.render import text_screen
from tests.support.shipped_packs import shipped_menu

ANA = "+40740000101"


@pytest.mark.parametrize("channel", ["ussd", "sms"])
def test_a_cached_page_holds_no_note_of_another_caller(channel: str) -> None:
    """The home screen shows no fact, so its pages are cached; the day in the note is one caller's own."""
    menu = shipped_menu("orange-ro")
    texts = []
    for day in (date(2026, 3, 1), date(2026, 3, 2)):
        session = Session("orange-ro", channel, ANA, menu.revision, "home", "ro", facts={"as_of": day})
        texts.append(text_screen.render_reply(menu, session, "note.as_of").text)
    assert menu.is_static("home", "ro", channel)
    assert "01.03.2026" in texts[0] and texts[1] == texts[0].replace("01.03.2026", "02.03.2026")
