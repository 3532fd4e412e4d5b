"""Server processes: the public aiohttp application, and start, drain and stop of every role."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial

from aiohttp import web

from flows.domain.records import Secret
from flows.purchases.charging import PurchaseCharging
from flows.services.bounced_bills import BouncedBills
from gateway.http import bounce_events, bss_events, client_address
from gateway.http import recorded_prompts as prompts
from gateway.http.access_tokens import MerchantTokens
from gateway.http.carrier_billing import CarrierBillingHandler
from gateway.http.carrier_refunds import CarrierRefundHandler
from gateway.http.direct_webhooks import DirectWebhooks
from gateway.http.guard import names_plain_webhook
from gateway.http.listening import DIRECT_WEBHOOKS, serve_app
from gateway.http.merchant_requests import MerchantGate
from gateway.http.merchant_tokens import OAUTH_PATH, MerchantTokenHandler
from gateway.http.payment_callbacks import PAYMENT_CALLBACK_PATH, PaymentCallbackHandler
from gateway.http.purchase_events import PURCHASE_EVENT_PATH, PurchaseEventHandler
from gateway.http.routed_webhooks import WEBHOOK_PARAMETERS_PATH, WEBHOOK_PATH, routed_handler
from gateway.pages.routes import SubscriberPages
from gateway.server import internal_listener
from gateway.server.garbage_collection import tune_garbage_collector
from gateway.server.health import Health
from gateway.server.openapi import build_document
from gateway.wiring.container import Container
from storage.crypto import derive_key

log = logging.getLogger("dialtree.server")
InternalHandler = Callable[[web.Request], Awaitable[web.Response]]


def public_app(container: Container) -> web.Application:
    """Build the application that providers and subscribers reach."""
    app = web.Application(client_max_size=64 * 1024)
    callbacks = PaymentCallbackHandler(container.guard, container.operators, container.clock)
    app.router.add_post(PAYMENT_CALLBACK_PATH, callbacks.handle_callback)
    app.router.add_put(PAYMENT_CALLBACK_PATH, callbacks.handle_callback)
    app.add_routes(_merchant_routes(container))
    app.router.add_post(PURCHASE_EVENT_PATH, _build_purchase_events(container).handle_event)
    app.router.add_post(
        bounce_events.BOUNCE_PATH, container.bounces.handle_bounce
    )  # a provider has no such name
    app.add_routes(_webhook_routes(container))
    app.router.add_post(bss_events.EVENT_PATH, container.bill_events.handle_event)
    app.router.add_get("/openapi.json", _openapi_handler(container))
    recordings = prompts.RecordingHandler(container.menu_versions, container.settings.operators.keys())
    app.router.add_get(prompts.RECORDING_PATH, recordings.serve_recording)
    app.add_routes(_build_pages(container).build_routes())
    is_webhook = partial(names_plain_webhook, container.guard.endpoints)
    app[DIRECT_WEBHOOKS] = DirectWebhooks(is_webhook, container.webhooks.answer_webhook)
    return app


def _webhook_routes(container: Container) -> list[web.RouteDef]:
    """Return the routes of webhooks; of those with path parameters only where a connection has one."""
    handler, endpoints = routed_handler(container.webhooks.answer_webhook), container.guard.endpoints.values()
    has_parameters = any(endpoint.route.path_parameters for endpoint in endpoints)
    paths = [WEBHOOK_PATH, WEBHOOK_PARAMETERS_PATH] if has_parameters else [WEBHOOK_PATH]
    return [
        route for path in paths for route in (web.post(path, handler), web.get(path, handler, allow_head=False))
    ]


def _merchant_routes(container: Container) -> list[web.RouteDef]:
    """Return the routes of merchants; an operator without a table `purchases` has no merchants."""
    sections = container.settings.operators.items()
    merchants = {name: section.purchases.merchants for name, section in sections if section.purchases}
    key = derive_key(Secret(container.settings.secret_key.get_secret_value()), "merchants")
    tokens = MerchantTokens(merchants, key, container.clock)
    gate = MerchantGate(container.guard, container.operators, tokens, container.counters)
    charging_for = partial(_charging_of, container)
    return [
        *CarrierBillingHandler(gate, charging_for, container.clock).build_routes(),
        *CarrierRefundHandler(gate, charging_for, container.clock).build_routes(),
        web.post(OAUTH_PATH, MerchantTokenHandler(container.guard, tokens).issue_token),
    ]


def _build_purchase_events(container: Container) -> PurchaseEventHandler:
    """Build the endpoint of the operators' own charging systems."""
    tables = {name: section.purchases for name, section in container.settings.operators.items()}
    sources = {name: table.events for name, table in tables.items() if table and table.events}
    return PurchaseEventHandler(container.guard, partial(_charging_of, container), sources, container.clock)


def _charging_of(container: Container, operator: str) -> PurchaseCharging:
    """Return an operator's charging, built on its current menu."""
    menu = container.menu_versions.current_menu(operator)
    return PurchaseCharging(menu, container.operators[operator], container.pseudonyms)


def _build_pages(container: Container) -> SubscriberPages:
    """Build the subscriber pages; only processes that serve them load the document renderers."""
    settings = container.settings
    return SubscriberPages(
        container.menu_versions,
        container.operators,
        Secret(settings.secret_key.get_secret_value()),
        settings.public_url,
        container.counters,
        client_address.rate_limit_key_reader(container.guard.trusted_proxies),
        BouncedBills(container.announcer_for, container.outbox.find_state),
    )


def _openapi_handler(container: Container) -> InternalHandler:
    @cache
    def document() -> str:
        return build_document(container.guard.endpoints, container.settings.operators.keys())

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(text=document(), content_type="application/json")

    return openapi


@dataclass(frozen=True, slots=True)
class ProcessRole:
    """What one process of the gateway does."""

    delivers: bool = False
    """Whether it also delivers the outbox; otherwise `dialtree worker` does."""
    holds_links: bool = False
    """Whether it also holds connections to networks; otherwise `dialtree link` does."""
    member_number: int | None = None
    """Number of the process among several on one port; None when there is only one."""


async def serve(
    container: Container,
    role: ProcessRole,
    mount: Callable[[web.Application], None] | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then fail readiness, drain (graceful shutdown) and return.

    If the outbox worker fails, the process drains the same way and raises the error at the end, so that
    its supervisor restarts it. `mount` adds routes to the public application; `on_ready` is called once
    both listeners accept connections.
    """
    settings, health, stop = container.settings, Health(container), stop_on_signals()
    if role.member_number is not None:
        _stop_with_parent(stop)
    shared = role.member_number is not None
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_app(
                internal_listener.build_internal_app(container, health),
                settings.internal_host,
                internal_listener.server_port(container, role.member_number),
                port_setting="internal_port",
            )
        )
        app = public_app(container)
        if mount:
            mount(app)
        await stack.enter_async_context(serve_app(app, settings.host, settings.port, share_port=shared))
        await stack.enter_async_context(container.revision_follower.follow_in_background())
        tune_garbage_collector()
        if on_ready:
            on_ready()
        work = _start_work(container, role)
        await wait_for_stop(stop, *work)
        health.draining = True
        container.outbox_worker.stop()
        container.links.stop()
        await asyncio.sleep(settings.red_seconds)
        await asyncio.gather(*work)


def _start_work(container: Container, role: ProcessRole) -> list[asyncio.Task[None]]:
    """Start what the process does beside serving."""
    work = [run_delivery(container)] if role.delivers else []
    work += [container.links.run()] if role.holds_links else []
    return [asyncio.create_task(each) for each in work]


async def run_delivery(container: Container) -> None:
    """Run the outbox worker, with maintenance and database wake-ups beside it."""
    background = [
        asyncio.create_task(each) for each in (container.maintenance.run(), container.database.listen())
    ]
    try:
        await container.outbox_worker.run()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


async def run_worker(container: Container) -> None:
    """Deliver the outbox until SIGTERM or SIGINT; sends under way are finished."""
    health, stop = Health(container, only_delivers=True), stop_on_signals()
    follow = container.revision_follower.follow_in_background()
    async with internal_listener.serve_worker_listener(container, health), follow:
        worker = asyncio.create_task(run_delivery(container))
        await wait_for_stop(stop, worker)
        health.draining = True
        container.outbox_worker.stop()
        await worker


async def wait_for_stop(stop: asyncio.Event, *work: asyncio.Task[None]) -> None:
    """Wait for the stop event or for some of the work to end, which only a failure makes it do."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *work}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


def _stop_with_parent(stop: asyncio.Event) -> None:
    """Set the stop event when stdin closes: the supervisor holds the other end of the pipe."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def on_stdin_readable() -> None:
        if not os.read(stdin, 1024):
            loop.remove_reader(stdin)
            stop.set()

    loop.add_reader(stdin, on_stdin_readable)
