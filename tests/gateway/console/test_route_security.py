"""Attacks on every route of the console, by inventory: no session, other role, forged form, other operator."""

from itertools import product

import aiohttp
import pytest

from flows.domain.records import AuditEntry
from gateway.console.console_request import MENUS_PATH
from gateway.console.erasures import ERASURES_PATH
from gateway.console.people import LOOKUPS_PER_MINUTE, PEOPLE_PATH
from gateway.console.queues import QUEUES_PATH
from tests.gateway.console.test_people import address_of
from tests.gateway.console.test_queues import add_dead_rows
from tests.support.console_routes import (
    OPEN_ROUTES,
    PARTS,
    ConsoleRoute,
    closed_routes,
    list_routes,
    staff_names,
)
from tests.support.console_site import ConsoleServer, StaffMember
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.openid_console import OpenIdConsole
from tests.support.openid_console import served as served
from tests.support.page_client import ANA, PageResponse

EVIL = "https://evil.example"
LURES = f"?next={EVIL}&url=//evil.example&return_to={EVIL}&redirect_uri={EVIL}&note={EVIL}"
TABLES = ("outbox", "outbox_pauses", "console_erasures", "pack_drafts", "pack_revisions", "pack_trials")


@pytest.fixture
def console(served: OpenIdConsole) -> ConsoleServer:
    """Provide a console with every route there is: passwords and an identity provider."""
    return served.console


async def send(
    console: ConsoleServer, browser: StaffMember, route: ConsoleRoute, address: str, **fields: str
) -> PageResponse:
    """Send a request without following where it leads; a form has its right token unless another is given."""
    token = console.site.csrf_tokens.form_token(browser.session_token, address.partition("?")[0])
    data = {"form_token": token, **fields} if route.method == "POST" else None
    url = browser.url + address
    async with browser.session.request(route.method, url, data=data, allow_redirects=False) as answer:
        return PageResponse(answer.status, dict(answer.headers), await answer.read())


async def visitor_of(console: ConsoleServer, route: ConsoleRoute) -> StaffMember:
    """Return a browser that may use a route: without a session where none is needed."""
    return console.new_browser() if route.name in OPEN_ROUTES else await console.signed_in(route.users()[0])


async def table_dumps(console: ConsoleServer) -> list[str]:
    """Return what the tables hold that staff change."""
    return [await dump_table(console.sandbox.container.database, table) for table in TABLES]


async def test_every_route_is_open_on_purpose_or_has_its_roles(console: ConsoleServer) -> None:
    routes = list(list_routes(console))
    assert {each.name for each in routes} >= OPEN_ROUTES
    assert all(each.roles and each.users() for each in closed_routes(console))
    parts = {part for each in routes for part in each.path.split("{")[1:]}
    assert {each.partition("}")[0] for each in parts} == PARTS.keys()


async def test_without_a_session_every_route_leads_to_the_sign_in(console: ConsoleServer) -> None:
    visitor, forger = console.new_browser(), console.new_browser()
    forger.plant_session("x" * 43)
    for route, browser in product(closed_routes(console), (visitor, forger)):
        page = await send(console, browser, route, route.address())
        assert (page.status, page.headers["Location"]) == (303, "/console/sign-in"), route.name


async def test_no_role_reaches_the_routes_of_another_and_each_attempt_is_kept(console: ConsoleServer) -> None:
    attempts = 0
    for name in staff_names():
        browser = await console.signed_in(name)
        for route in (each for each in closed_routes(console) if name not in each.users()):
            page = await send(console, browser, route, route.address())
            assert page.status == 403, (name, route.name)
            attempts += 1
    assert len(await console.audit_entries("console.refused")) == attempts > 0


async def test_every_form_wants_the_token_of_its_session_and_address(console: ConsoleServer) -> None:
    other = await console.signed_in("dana")
    before = await table_dumps(console)
    for route in closed_routes(console, "POST"):
        browser, address = await console.signed_in(route.users()[0]), route.address()
        form_token = console.site.csrf_tokens.form_token
        tokens = (form_token(other.session_token, address), form_token(browser.session_token, "/console"))
        for token in ("", "0" * 64, *tokens):
            page = await send(console, browser, route, address, form_token=token)
            assert page.status == 403, route.name
    assert await table_dumps(console) == before


async def test_another_operators_menus_are_refused_on_every_route_and_kept(console: ConsoleServer) -> None:
    mihai = await console.signed_in("mihai")
    routes = [each for each in closed_routes(console) if "{operator}" in each.path]
    for route in routes:
        page = await send(console, mihai, route, route.address(operator="orange-fr"), version="0.0")
        assert page.status == 403, route.name
    assert {each.path for each in closed_routes(console) if each.path.startswith(f"{MENUS_PATH}/")} == {
        each.path for each in routes
    }
    entry = ("", "mihai", "menus orange-fr", "refused")
    assert await console.audit_entries("console.refused") == [entry] * len(routes)


async def test_a_persons_address_is_worth_nothing_in_another_session(console: ConsoleServer) -> None:
    agent, again = await console.signed_in("ioana"), await console.signed_in("ioana")
    person = (await address_of(agent, ANA)).rpartition("/")[2]
    before = await table_dumps(console)
    routes = [each for each in closed_routes(console) if "{person}" in each.path]
    for route in routes:
        page = await send(console, again, route, route.address(person=person), confirmed="yes")
        assert page.status == 404, route.name
    assert 0 < len(routes) < LOOKUPS_PER_MINUTE and await table_dumps(console) == before
    assert await console.audit_entries("console.view") == []


async def foreign_fields(console: ConsoleServer) -> dict[str, dict[str, str]]:
    """Return, by route, fields that name what is orange-ro's: a number, an erasure, a message, a lane."""
    await add_dead_rows(console, "orange-ro", ["notice"])
    entry = AuditEntry("orange-ro", ANA, "console.erasure_requested", console.sandbox.clock())
    await console.site.erasures.add_request("orange-ro", ANA, "adela", entry)
    (waiting,) = await console.site.erasures.list_waiting({"orange-ro"})
    return {
        f"POST {PEOPLE_PATH}": {"operator": "orange-ro", "number": ANA},
        f"POST {ERASURES_PATH}": {"id": waiting.id, "decision": "approve"},
        f"POST {QUEUES_PATH}": {"row": "1"},
        f"POST {QUEUES_PATH}/lane": {"lane": "orange-ro notice sms", "verb": "pause", "nonce": "x" * 43},
        "POST /console/sign-out": {},
    }


async def test_a_form_that_names_what_is_another_operators_changes_nothing(console: ConsoleServer) -> None:
    fields, stranger = await foreign_fields(console), await console.signed_in("ines")
    routes = [each for each in closed_routes(console, "POST") if "{" not in each.path]
    assert {each.name for each in routes} == fields.keys()
    before = await table_dumps(console)
    for route in sorted(routes, key=lambda each: each.path.endswith("sign-out")):
        page = await send(console, stranger, route, route.address(), **fields[route.name])
        assert PEOPLE_PATH not in page.headers.get("Location", ""), route.name
    assert await table_dumps(console) == before


async def test_no_request_says_that_an_answer_leads_to_another_site(
    console: ConsoleServer, served: OpenIdConsole
) -> None:
    for route in list_routes(console):
        browser = await visitor_of(console, route)
        page = await send(console, browser, route, route.address() + LURES, next=EVIL, url=EVIL)
        place = page.headers.get("Location", "/").replace(served.provider.url, "", 1)
        assert place.startswith("/") and not place.startswith("//"), route.name
        assert "evil" not in place.partition("?")[0] and "evil" not in page.text, route.name


async def test_every_answer_forbids_scripts_and_frames(console: ConsoleServer) -> None:
    for route in list_routes(console):
        browser = await visitor_of(console, route)
        headers = (await send(console, browser, route, route.address())).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), route.name
        assert "script-src" not in headers["Content-Security-Policy"], route.name
        assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer", route.name


async def test_a_session_is_never_taken_from_an_address(console: ConsoleServer) -> None:
    token = (await console.signed_in("mihai")).session_token
    visitor = console.new_browser()
    async with visitor.session.get(f"{console.url}/console?console={token}", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/console/sign-in"
    async with aiohttp.request(
        "GET", f"{console.url}{MENUS_PATH}", headers={"Authorization": f"Bearer {token}"}, allow_redirects=False
    ) as answer:
        assert answer.headers["Location"] == "/console/sign-in"
