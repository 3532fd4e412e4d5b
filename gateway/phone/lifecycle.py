"""Start and stop of the browser phone site and of pack hot reload."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo import startup
from gateway.dialogs.sandbox import SandboxFactory
from gateway.http.html_templates import HtmlTemplates
from gateway.phone.handset_pool import HandsetPool
from gateway.phone.map_page import MapPage
from gateway.phone.site import TEMPLATE_FOLDER, PhoneSite
from gateway.publishing import pack_compiler
from gateway.publishing.hot_reload import PackReloader
from gateway.wiring.container import Container
from menus.machine.menu import Menu


@asynccontextmanager
async def open_phone_site(
    container: Container,
    root: Path = pack_compiler.OPERATORS,
    report: Callable[[str], None] = lambda line: None,
) -> AsyncIterator[PhoneSite]:
    """Open the phone site for the duration of the block; it uses the container's packs and funnel.

    `report` receives a readable line for each published or broken pack.
    """
    menu_versions, metrics = container.menu_versions, container.metrics
    with tempfile.TemporaryDirectory(prefix="dialtree-phone-") as folder:
        dataset = startup.build_dataset(container)
        pool = HandsetPool(
            SandboxFactory(Path(folder), lambda pack: _current_menu(container, pack), dataset),
            metrics.watch_funnel_only,
        )
        templates = HtmlTemplates(TEMPLATE_FOLDER)
        map_page = MapPage(menu_versions, metrics.funnel, templates, _pack_locator(container, root))
        site = PhoneSite(pool, menu_versions, container.clock, map_page, templates, dataset)
        async with watch_packs(container, root) as reloader:
            for publisher in (reloader, container.revision_follower):
                publisher.on_published.append(site.publish_menu)
                publisher.on_published.append(
                    lambda menu: report(f"{menu.name}: revision {menu.revision} is served")
                )
            reloader.on_findings.append(
                lambda name, findings: site.report_findings(name, [str(each) for each in findings])
            )
            reloader.on_findings.append(
                lambda _, findings: report("\n".join(map(str, findings))) if findings else None
            )
            try:
                yield site
            finally:
                await pool.close_all()


@asynccontextmanager
async def watch_packs(
    container: Container, root: Path = pack_compiler.OPERATORS
) -> AsyncIterator[PackReloader]:
    """Reload the container's packs when they are edited, for the duration of the block."""
    serves_folder = container.revision_follower.serves_folder
    reloader = PackReloader(container.menu_versions, _pack_locator(container, root), serves_folder)
    task = asyncio.create_task(reloader.run())
    try:
        yield reloader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _pack_locator(container: Container, root: Path) -> Callable[[str], Path]:
    return lambda name: pack_compiler.find_pack(name, container.settings.packs, root)


def _current_menu(container: Container, pack: Path) -> Menu:
    """Return the pack's published menu, whatever the file on disk holds."""
    return container.menu_versions.current_menu(pack.name.replace("_", "-"))
