"""Server of the console: its routes, on a listener of its own, and the role `dialtree console serve`."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_pipeline import ConsolePipeline
from gateway.console.console_request import (
    AUDIT_ROLES,
    ERASURE_ROLES,
    PEOPLE_ROLES,
    QUEUE_ROLES,
    ConsoleRequest,
)
from gateway.console.console_site import CONSOLE_FOLDER, ConsoleSite, build_site
from gateway.console.erasures import ERASURES_PATH, ErasurePages
from gateway.console.openid.openid_pages import OPENID_PATH, OpenIdPages
from gateway.console.past_conversations import PastConversations
from gateway.console.people import PEOPLE_PATH, PeoplePages
from gateway.console.person_actions import PersonActions
from gateway.console.queues import QUEUES_PATH, QueuePages
from gateway.console.sign_in import SignInPage
from gateway.console.staff_log_page import STAFF_PATH, StaffLogPage
from gateway.console.studio.draft_phones import DraftPhones
from gateway.console.studio.studio_routes import studio_routes
from gateway.console_settings import ConsoleSettings
from gateway.http.listening import serve_app
from gateway.server.app import stop_on_signals
from gateway.server.health import Health
from gateway.server.internal_listener import RolePort, serve_worker_listener
from gateway.settings_sources import SettingsError
from gateway.wiring.container import Container

log = logging.getLogger("dialtree.console")
CONSOLE_OFFSET = 1310
"""Default distance of the console's internal port from the gateway's public one: 9390 for 8080."""
PERSON_PATH = f"{PEOPLE_PATH}/{{person:[A-Za-z0-9_=-]+}}"


def console_app(site: ConsoleSite) -> web.Application:
    """Build the application that staff reach."""
    app, pipeline = web.Application(client_max_size=64 * 1024), ConsolePipeline(site)
    phones = DraftPhones(site.container.clock)
    sign_in, style = SignInPage(site), (CONSOLE_FOLDER / "style.css").read_bytes()
    submit = pipeline.open_handler(sign_in.submit_form)

    async def serve_style(request: web.Request) -> web.Response:
        return responses.style_sheet(style)

    app.add_routes(
        [
            web.get("/console", pipeline.view_handler(_lead_home), allow_head=False),
            web.get("/console/style.css", serve_style, allow_head=False),
            web.get("/console/sign-in", pipeline.open_handler(sign_in.show_form), allow_head=False),
            *([web.post("/console/sign-in", submit)] if site.settings.users_file else []),
            web.post("/console/sign-out", pipeline.submit_handler(sign_in.sign_out)),
            *_openid_routes(site, pipeline),
            *_people_routes(site, pipeline),
            *_erasure_routes(site, pipeline),
            *_queue_routes(site, pipeline),
            *_staff_routes(site, pipeline),
            *studio_routes(site.revision_desk, phones, pipeline),
        ]
    )
    app.cleanup_ctx.append(_close_provider(site))
    app.on_cleanup.append(lambda _app: phones.close_all())
    return app


def _close_provider(site: ConsoleSite) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what closes the connections to the identity provider when the application ends."""

    async def run(_app: web.Application) -> AsyncIterator[None]:
        yield
        if site.openid is not None:
            await site.openid.provider.close()

    return run


def _openid_routes(site: ConsoleSite, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    """Return the routes of the sign-in at an identity provider; none without one."""
    if site.openid is None:
        return []
    pages = OpenIdPages(site, site.openid)
    return [
        web.get(OPENID_PATH, pipeline.open_handler(pages.begin), allow_head=False),
        web.get(f"{OPENID_PATH}/callback", pipeline.open_handler(pages.finish), allow_head=False),
        web.get(f"{OPENID_PATH}/sign-out", pipeline.open_handler(pages.sign_out_there), allow_head=False),
        web.post(f"{OPENID_PATH}/logout", pipeline.open_handler(pages.close_sessions)),
    ]


def _people_routes(site: ConsoleSite, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    past = PastConversations(site.container.menu_versions, site.revision_desk)
    pages, roles = PeoplePages(site.stories, past), PEOPLE_ROLES
    actions = PersonActions(pages, site.actions, site.erasures)
    return [
        web.get(PEOPLE_PATH, pipeline.view_handler(pages.show_lookup, *roles), allow_head=False),
        web.post(PEOPLE_PATH, pipeline.submit_handler(pages.submit_lookup, *roles)),
        web.get(PERSON_PATH, pipeline.view_handler(pages.show_story, *roles), allow_head=False),
        web.post(f"{PERSON_PATH}/ticket", pipeline.submit_handler(actions.answer_ticket, "support")),
        web.post(f"{PERSON_PATH}/opt-out", pipeline.submit_handler(actions.lift_opt_out, "support")),
        web.post(f"{PERSON_PATH}/resend", pipeline.submit_handler(actions.resend_notice, "support")),
        web.post(f"{PERSON_PATH}/export", pipeline.submit_handler(actions.export_person, *roles)),
        web.post(f"{PERSON_PATH}/erase", pipeline.submit_handler(actions.request_erasure, *roles)),
    ]


def _erasure_routes(site: ConsoleSite, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    pages = ErasurePages(site.erasures)
    return [
        web.get(ERASURES_PATH, pipeline.view_handler(pages.show_list, *ERASURE_ROLES), allow_head=False),
        web.post(ERASURES_PATH, pipeline.submit_handler(pages.decide, *ERASURE_ROLES)),
    ]


def _queue_routes(site: ConsoleSite, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    pages = QueuePages(site.queue_views, site.actions)
    return [
        web.get(QUEUES_PATH, pipeline.view_handler(pages.show_queues, *QUEUE_ROLES), allow_head=False),
        web.post(QUEUES_PATH, pipeline.submit_handler(pages.replay_rows, *QUEUE_ROLES)),
        web.post(f"{QUEUES_PATH}/lane", pipeline.submit_handler(pages.change_lane, *QUEUE_ROLES)),
    ]


def _staff_routes(site: ConsoleSite, pipeline: ConsolePipeline) -> list[web.RouteDef]:
    handler = pipeline.view_handler(StaffLogPage(site.staff_log).show_entries, *AUDIT_ROLES)
    paths = (STAFF_PATH, f"{STAFF_PATH}/{{before:[0-9]+}}")
    return [web.get(path, handler, allow_head=False) for path in paths]


async def _lead_home(request: ConsoleRequest) -> web.Response:
    """Lead to the first page the user may see; every role has one."""
    return responses.redirect_to(request.allowed_pages[0].path)


async def run_console(container: Container) -> None:
    """Serve the console until SIGTERM or SIGINT."""
    health, stop = Health(container), stop_on_signals()
    async with serve_console(container, health):
        await stop.wait()
        health.draining = True


@asynccontextmanager
async def serve_console(container: Container, health: Health) -> AsyncIterator[tuple[int, int]]:
    """Serve the console and its internal listener; yield their ports.

    Raises SettingsError without the table `console` or for an unknown operator in it, UserFileError for a file
    of users that cannot be used.
    """
    settings = container.settings.console
    if settings is None:
        raise SettingsError("console: the settings have no table [console]")
    _require_known_operators(container, settings)
    site = build_site(container, settings)
    site.users.read_users()
    internal = RolePort(CONSOLE_OFFSET, "console.internal_port", settings.internal_port)
    async with (
        container.revision_follower.follow_in_background(),
        serve_worker_listener(container, health, internal) as internal_port,
        serve_app(console_app(site), settings.host, settings.port, port_setting="console.port") as port,
    ):
        log.info("console.listener_opened", extra={"port": port})
        yield port, internal_port


def _require_known_operators(container: Container, settings: ConsoleSettings) -> None:
    for group, rights in settings.openid.groups.items() if settings.openid else ():
        if strange := sorted(set(rights.operators) - container.operators.keys()):
            raise SettingsError(f"console.openid.groups.{group}.operators: {', '.join(strange)} is not served")
