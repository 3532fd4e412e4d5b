"""Opening the phone: the site of a demo, with the packs it shows kept live."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo import world
from gateway.dialogs.sandbox import Stages
from gateway.phone.handset_pool import Booth
from gateway.phone.map_page import Maps
from gateway.phone.routes import PhoneSite
from gateway.publishing import pack_compiler
from gateway.publishing.hot_reload import Live
from gateway.wiring.container import House
from menus.machine.menu import Menu


@asynccontextmanager
async def phone(
    house: House, root: Path = pack_compiler.OPERATORS, tell: Callable[[str], None] = lambda line: None
) -> AsyncIterator[PhoneSite]:
    """The phone beside a house: its worlds run on the house's packs, and its funnel counts with the house's.

    `tell` is told, as a person reads it, what becomes of edited packs.
    """
    shelf, counting = house.conversations.shelf, house.counting
    with tempfile.TemporaryDirectory(prefix="dialtree-phone-") as folder:
        people = world.world(house)
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
async def watching(house: House, root: Path = pack_compiler.OPERATORS) -> AsyncIterator[Live]:
    """Keep a house's packs live for as long as the block runs."""
    live = Live(house.conversations.shelf, _where(house, root))
    running = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _where(house: House, root: Path) -> Callable[[str], Path]:
    return lambda name: pack_compiler.located(name, house.settings.packs, root)


def _menu(house: House, pack: Path) -> Menu:
    """The pack as the house serves it, whatever stands on disk just now."""
    return house.conversations.shelf.current(pack.name.replace("_", "-"))
