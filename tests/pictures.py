"""Take the README's screenshots anew: `make pictures`."""

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from playwright.async_api import Browser

from gateway.cli import draw
from gateway.publishing import pack_compiler
from tests.chromium import Phone, browsing, showing
from tests.services import found

FOLDER = Path(__file__).parent.parent / "docs" / "img"
DIALOG = Path(__file__).parent / "dialogs" / "ussd" / "einvoice-en.dialog"
ACTIVATION = (("*100#", "Welcome"), ("1", "Budget"), ("1", "E-invoice"), ("3", "Switch"), ("1", "Done!"))


async def photograph(browser: Browser, url: str) -> None:
    """Take a screenshot of a USSD activation with the dialog beside it."""
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    phone = Phone(page, url)
    await phone.visit()
    await phone.be("+40740000101", "en")
    for typed, shown in ACTIVATION:
        await phone.enter(typed, shown)
    await page.evaluate_handle("() => window.scrollTo(0, 0)")
    await page.screenshot(path=FOLDER / "phone.png")


async def main() -> None:
    async with showing(pack_compiler.menu) as demo_site, browsing(found("chromium")) as browser:
        await photograph(browser, demo_site.url)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    drawing = Namespace(operator="orange-ro", beside="", channel="ussd", mermaid=False, dialog=DIALOG)
    drawing.output = FOLDER / "map.svg"
    status = draw.main(drawing)
    asyncio.run(main())
    sys.exit(status)
