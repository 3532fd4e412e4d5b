"""Routes of the served console by inventory: what each is called, who may use it, an address of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.console.console_request import (
    AUDIT_ROLES,
    ERASURE_ROLES,
    MENU_ROLES,
    MENUS_PATH,
    PEOPLE_ROLES,
    QUEUE_ROLES,
)
from gateway.console.console_server import console_app
from gateway.console.erasures import ERASURES_PATH
from gateway.console.people import PEOPLE_PATH
from gateway.console.queues import QUEUES_PATH
from gateway.console.staff_log_page import STAFF_PATH
from tests.support.console_site import USERS, ConsoleServer

PERSON = f"{PEOPLE_PATH}/{{person}}"
OPEN_ROUTES = {
    "GET /console/style.css",
    "GET /console/sign-in",
    "POST /console/sign-in",
    "GET /console/openid",
    "GET /console/openid/callback",
    "GET /console/openid/sign-out",
    "POST /console/openid/logout",
}
"""What needs no session; the last is called by the identity provider with a signed token, not by a form."""
EVERY_ROLE = ("support", "operations", "auditor", "menus")
ROLES_BY_PATH = {
    "/console": EVERY_ROLE,
    "/console/sign-out": EVERY_ROLE,
    PEOPLE_PATH: PEOPLE_ROLES,
    PERSON: PEOPLE_ROLES,
    **{f"{PERSON}/{each}": ("support",) for each in ("ticket", "opt-out", "resend")},
    **{f"{PERSON}/{each}": PEOPLE_ROLES for each in ("export", "erase")},
    ERASURES_PATH: ERASURE_ROLES,
    QUEUES_PATH: QUEUE_ROLES,
    f"{QUEUES_PATH}/lane": QUEUE_ROLES,
    STAFF_PATH: AUDIT_ROLES,
    f"{STAFF_PATH}/{{before}}": AUDIT_ROLES,
    MENUS_PATH: MENU_ROLES,
}
"""Roles that docs/console.md gives each page; the studio, all below `MENUS_PATH`, is for `menus`."""
PARTS = {
    "operator": "orange-ro",
    "screen": "home",
    "language": "ro",
    "number": "1",
    "before": "9",
    "person": "x",
}


@dataclass(frozen=True, slots=True)
class ConsoleRoute:
    """A route: its method and its path with the names of its parts."""

    method: str
    path: str

    @property
    def name(self) -> str:
        """What the route is called here."""
        return f"{self.method} {self.path}"

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that may use it; KeyError for a route that nobody has thought of."""
        return MENU_ROLES if self.path.startswith(f"{MENUS_PATH}/") else ROLES_BY_PATH[self.path]

    def address(self, **parts: str) -> str:
        """Return an address of it."""
        return self.path.format(**{**PARTS, **parts})

    def users(self) -> list[str]:
        """Return the users of orange-ro who may use it."""
        return [name for name in staff_names() if set(USERS[name][0]) & set(self.roles)]


def staff_names() -> list[str]:
    """Return the users of orange-ro, one of each role at least."""
    return [name for name, (_, operators) in USERS.items() if operators == ["orange-ro"]]


def list_routes(console: ConsoleServer) -> Iterator[ConsoleRoute]:
    """Yield every route of the console."""
    for route in console_app(console.site).router.routes():
        assert route.resource is not None
        yield ConsoleRoute(route.method, route.resource.canonical)


def closed_routes(console: ConsoleServer, method: str = "") -> list[ConsoleRoute]:
    """Return the routes that need a session, of one method or of both."""
    routes = [each for each in list_routes(console) if each.name not in OPEN_ROUTES]
    return [each for each in routes if method in ("", each.method)]
