"""A sandbox's console served on a loopback port, with users of every role, and staff who use it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from yarl import URL

from flows.domain.records import Secret
from gateway.console.console_server import console_app
from gateway.console.console_site import ConsoleSite, build_site
from gateway.console.people import PEOPLE_PATH
from gateway.console.user_file import ConsoleUser, UserFile, build_user
from gateway.console_settings import ConsoleSettings
from gateway.dialogs.direct_line import DirectLine
from gateway.http.listening import serve_app
from storage.console.sign_in_attempts import hash_staff_password
from tests.support.databases import CHEAP_HASHER
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import PageResponse, PageVisitor

PASSWORD = "correct horse battery"
USERS = {
    "ioana": (["support"], ["orange-ro"]),
    "oscar": (["operations"], ["orange-ro"]),
    "adela": (["auditor"], ["orange-ro"]),
    "mihai": (["menus"], ["orange-ro"]),
    "dana": (["menus"], ["orange-ro"]),
    "luc": (["menus"], ["orange-fr"]),
    "claire": (["support"], ["orange-fr"]),
    "ines": (["support", "operations", "auditor"], ["bouygues"]),
}
"""Users by name, with roles and operators; all have the same password."""
HIDDEN_INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
FORM_TOKEN = re.compile(
    r'action="([^"]+)"[^>]*>\s*<input type="hidden" name="form_token" value="([0-9a-f]{64})">'
)


@dataclass
class StaffMember(PageVisitor):
    """A browser of one member of staff."""

    async def sign_in(self, name: str, password: str = PASSWORD) -> PageResponse:
        """Sign in and follow to the first page."""
        await self.get("/console/sign-in")
        return await self.submit_to("/console/sign-in", name=name, password=password)

    async def look_up(self, number: str, operator: str = "orange-ro") -> PageResponse:
        """Look a number up and return the page of the story."""
        await self.get(PEOPLE_PATH)
        return await self.submit_to(PEOPLE_PATH, operator=operator, number=number)

    def find_form(self, action: str) -> tuple[str, dict[str, str]]:
        """Return the path of the first form whose path ends so, with its hidden fields."""
        assert self.last_response is not None
        forms = re.findall(
            r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', self.last_response.text, re.S
        )
        return next(
            (path, dict(HIDDEN_INPUT.findall(body))) for path, body in forms if path.endswith(f"/{action}")
        )

    async def press(self, action: str, **fields: str) -> PageResponse:
        """Fill in and post the first form whose path ends so."""
        path, hidden = self.find_form(action)
        return await self.post(path, hidden | fields)

    async def submit_to(self, path: str, **fields: str) -> PageResponse:
        """Post a form of the page last seen, with its token."""
        return await self.post(path, {"form_token": self.form_tokens[path], **fields})

    @property
    def form_tokens(self) -> dict[str, str]:
        """The CSRF tokens of the page last seen, by the form's action."""
        assert self.last_response is not None
        return dict(FORM_TOKEN.findall(self.last_response.text))

    def plant_session(self, token: str) -> None:
        """Set the session's cookie, as an attacker may."""
        self.session.cookie_jar.update_cookies({"console": token}, URL(f"{self.url}/"))

    @property
    def session_token(self) -> str:
        """The cookie of the session; empty when there is none."""
        found = [each.value for each in self.session.cookie_jar if each.key == "console"]
        return found[0] if found else ""


@dataclass
class ConsoleServer:
    """A console that is served, with its sandbox."""

    sandbox: GatewaySandbox
    site: ConsoleSite
    url: str
    phone: DirectLine
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def new_browser(self) -> StaffMember:
        """Return a browser without cookies."""
        self.sessions.append(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
        return StaffMember(self.sessions[-1], self.url)

    async def signed_in(self, name: str) -> StaffMember:
        """Return the browser of a user who has signed in."""
        browser = self.new_browser()
        assert (await browser.sign_in(name)).status == 200
        return browser

    async def audit_entries(self, action: str) -> list[tuple[str, str, str, str]]:
        """Return operator, user, object and outcome of the console's audit entries with this action."""
        statement = text(
            "SELECT operator, correlation, object, outcome FROM audit"
            " WHERE channel = 'console' AND action = :action ORDER BY id"
        )
        rows = await self.sandbox.container.database.read(
            lambda connection: connection.execute(statement, {"action": action}).all()
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def staff_user(name: str, password: str = PASSWORD) -> ConsoleUser:
    """Build one of the users, with a hash that costs little."""
    roles, operators = USERS[name]
    return build_user(name, hash_staff_password(Secret(password), CHEAP_HASHER), roles, operators)


async def no_wait(seconds: float) -> None:
    """Wait for nothing."""


def write_users(path: Path) -> UserFile:
    """Write the file of users."""
    users = UserFile(path)
    for name in USERS:
        users.save_user(staff_user(name))
    return users


@asynccontextmanager
async def serve_console(sandbox: GatewaySandbox, folder: Path, **settings: Any) -> AsyncIterator[ConsoleServer]:
    """Serve the console of a sandbox on a free port."""
    write_users(folder / "users.json")
    given = {"public_url": "http://127.0.0.1", "users_file": str(folder / "users.json"), **settings}
    site = replace(build_site(sandbox.container, ConsoleSettings.model_validate(given)), sleep=no_wait)
    async with serve_app(console_app(site), "127.0.0.1", settings.get("port", 0)) as port:
        console = ConsoleServer(sandbox, site, f"http://127.0.0.1:{port}", sandbox.direct_line())
        yield console
        for session in console.sessions:
            await session.close()


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a served console of this test alone."""
    async with serve_console(sandbox, tmp_path) as served:
        yield served
