"""Role `dialtree link`: holds connections to networks and delivers the messages that leave by them."""

import asyncio
import logging

from gateway.server.app import stop_on_signals, wait_for_stop
from gateway.server.garbage_collection import tune_garbage_collector
from gateway.server.health import Health
from gateway.server.internal_listener import LINK_OFFSET, serve_worker_listener, worker_port
from gateway.wiring.container import Container

log = logging.getLogger("dialtree.links")


async def run_links(container: Container) -> None:
    """Hold links until SIGTERM or SIGINT; then finish turns and sends under way, and unbind.

    A slot another process holds is waited for. If a part fails, the process drains the same way and raises
    the error at the end, so that its supervisor restarts it.
    """
    tune_garbage_collector()
    if not container.links.owners:
        log.warning("link.none_configured")
    container.links.pool.only_links = True
    health, stop = Health(container, needs_links=True), stop_on_signals()
    follow = container.revision_follower.follow_in_background()
    async with serve_worker_listener(container, health, worker_port(container.settings, LINK_OFFSET)), follow:
        worker = asyncio.create_task(container.outbox_worker.run())
        links = asyncio.create_task(container.links.run())
        listening = asyncio.create_task(container.database.listen())
        await wait_for_stop(stop, worker, links)
        health.draining = True
        container.outbox_worker.stop()
        await worker
        container.links.stop()
        await links
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
