"""Start and stop of the browser phone site and of pack hot reload."""

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
    """Open the phone site for the duration of the block; it uses the container's packs and funnel.

    `report` receives a readable line for each published or broken pack.
    """
    menu_versions, metrics = house.conversations.shelf, house.counting
    with tempfile.TemporaryDirectory(prefix="dialtree-phone-") as folder:
        dataset = world.world(house)
        pool = Booth(Stages(Path(folder), lambda pack: _menu(house, pack), dataset), metrics.show)
        map_page = Maps(menu_versions, metrics.funnel, _where(house, root))
        site = PhoneSite(pool, menu_versions, house.hooks.now, map_page, dataset)
        async with watching(house, root) as reloader:
            reloader.published.append(site.published)
            reloader.published.append(lambda menu: tell(f"{menu.name}: revision {menu.revision} is served"))
            reloader.broken.append(lambda name, findings: site.broken(name, [str(each) for each in findings]))
            reloader.broken.append(
                lambda _, findings: tell("\n".join(map(str, findings))) if findings else None
            )
            try:
                yield site
            finally:
                await pool.close_all()


@asynccontextmanager
async def watching(house: House, root: Path = pack_compiler.OPERATORS) -> AsyncIterator[Live]:
    """Reload the container's packs when they are edited, for the duration of the block."""
    reloader = Live(house.conversations.shelf, _where(house, root))
    task = asyncio.create_task(reloader.run())
    try:
        yield reloader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _where(house: House, root: Path) -> Callable[[str], Path]:
    return lambda name: pack_compiler.located(name, house.settings.packs, root)


def _menu(house: House, pack: Path) -> Menu:
    """Return the pack's published menu, whatever the file on disk holds."""
    return house.conversations.shelf.current(pack.name.replace("_", "-"))
