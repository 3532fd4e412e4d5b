"""Opening the phone: the site of a demo, with the packs it shows kept live."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway import demo, packs
from gateway.live import Live
from gateway.phone.booth import Booth
from gateway.phone.maps import Maps
from gateway.phone.site import PhoneSite
from gateway.stage import Stages
from gateway.wiring import House
from menus.menu import Menu


@asynccontextmanager
async def phone(
    house: House, root: Path = packs.OPERATORS, tell: Callable[[str], None] = lambda line: None
) -> AsyncIterator[PhoneSite]:
    """The phone beside a house: its worlds run on the house's packs, and its funnel counts with the house's.

    `tell` is told, as a person reads it, what becomes of edited packs.
    """
    shelf, counting = house.conversations.shelf, house.counting
    with tempfile.TemporaryDirectory(prefix="dialtree-phone-") as folder:
        people = demo.world(house)
        booth = Booth(Stages(Path(folder), lambda pack: _menu(house, pack), people), counting.show)
        maps = Maps(shelf, counting.funnel, _where(house, root))
        site = PhoneSite(booth, shelf, house.hooks.now, maps, people)
        async with watching(house, root) as live:
            live.published.append(site.published)
            live.published.append(lambda menu: tell(f"{menu.name}: revision {menu.revision} is served"))
            live.broken.append(lambda name, found: site.broken(name, [str(each) for each in found]))
            live.broken.append(lambda _, found: tell("\n".join(map(str, found))) if found else None)
            try:
                yield site
            finally:
                await booth.close_all()


@asynccontextmanager
async def watching(house: House, root: Path = packs.OPERATORS) -> AsyncIterator[Live]:
    """Keep a house's packs live for as long as the block runs."""
    live = Live(house.conversations.shelf, _where(house, root))
    running = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _where(house: House, root: Path) -> Callable[[str], Path]:
    return lambda name: packs.located(name, house.settings.packs, root)


def _menu(house: House, pack: Path) -> Menu:
    """The pack as the house serves it, whatever stands on disk just now."""
    return house.conversations.shelf.current(pack.name.replace("_", "-"))
