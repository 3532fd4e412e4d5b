"""Take the README's screenshots anew: `make pictures`."""

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from playwright.async_api import Browser

from gateway.cli import draw
from gateway.publishing import pack_compiler
from tests.browser.phone_page import PhonePage, open_browser, serve_demo
from tests.support.server_processes import find_program

IMAGE_FOLDER = Path(__file__).parents[2] / "docs" / "img"
DIALOG_PATH = Path(__file__).parents[1] / "dialogs" / "orange-ro" / "ussd" / "einvoice-en.dialog"
ACTIVATION_KEYS = (("*100#", "Welcome"), ("1", "Budget"), ("1", "E-invoice"), ("3", "Switch"), ("1", "Done!"))


async def take_screenshot(browser: Browser, url: str) -> None:
    """Take a screenshot of a USSD activation with the dialog beside it."""
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    phone = PhonePage(page, url)
    await phone.open_page()
    await phone.take_new_phone("+40740000101", "en")
    for typed, shown in ACTIVATION_KEYS:
        await phone.enter_line(typed, shown)
    await page.evaluate_handle("() => window.scrollTo(0, 0)")
    await page.screenshot(path=IMAGE_FOLDER / "phone.png")


async def main() -> None:
    async with (
        serve_demo(pack_compiler.compile_pack) as demo_site,
        open_browser(find_program("chromium")) as browser,
    ):
        await take_screenshot(browser, demo_site.url)


if __name__ == "__main__":
    IMAGE_FOLDER.mkdir(exist_ok=True)
    drawing = Namespace(operator="orange-ro", beside="", channel="ussd", mermaid=False, dialog=DIALOG_PATH)
    drawing.output = IMAGE_FOLDER / "map.svg"
    status = draw.main(drawing)
    asyncio.run(main())
    sys.exit(status)
