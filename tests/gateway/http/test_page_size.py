"""Page size of a connection: no screen is longer than it carries, and the rest is on later pages."""

import pytest
from aiohttp import ClientSession

from gateway.http.listening import serve_app
from gateway.server.app import public_app
from gateway.settings_sources import SettingsError
from menus.machine.surface import parse_page_size
from menus.text.gsm import measure_text
from tests.support.gateway_sandbox import HOOK_TOKEN, SandboxFactory

PATHS = ("", "1", "1*1", "1*1*1", "1*1*1*1", "1*1*1*1*9", "1*1*1*1*9*9")


async def read_screens(sandboxes: SandboxFactory, page_size: str) -> list[str]:
    """Return the screens of some paths through the menu, over Africa's Talking, in English."""
    link = {"page_size": page_size} if page_size else {}
    async with (
        sandboxes.open(more={"operators": {"orange-ro": {"africastalking": link}}}) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        url = f"http://127.0.0.1:{port}/hooks/orange-ro/africastalking/{HOOK_TOKEN}/ussd"
        screens = []
        for text in PATHS:
            fields = {"sessionId": "S1", "phoneNumber": "+40740000101", "text": text}
            async with client.post(url, data=fields) as answer:
                screens.append((await answer.text())[4:])
        return screens


async def test_no_screen_is_longer_than_the_connection_carries(sandboxes: SandboxFactory) -> None:
    screens = {size: await read_screens(sandboxes, size) for size in ("", "140/67", "128/56")}
    for size, shown in screens.items():
        budget = parse_page_size(size or "160/70")
        for screen in shown:
            measured = measure_text(screen)
            assert measured.units <= (budget.gsm7 if measured.alphabet == "gsm7" else budget.ucs2)
    assert screens["128/56"] != screens[""]


@pytest.mark.parametrize("size", ["100/40", "200/80", "128", "128/56/1", "160 / 70"])
async def test_a_page_size_that_cannot_be_stops_the_start(sandboxes: SandboxFactory, size: str) -> None:
    with pytest.raises(SettingsError, match=r"operators\.orange-ro\.africastalking\.page_size"):
        await read_screens(sandboxes, size)
