"""HTTP client for the web pages, and the pages of a sandbox served on a loopback port."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from html.parser import HTMLParser

import aiohttp
import pytest
from aiohttp import web

from flows.domain.records import Secret
from gateway.dialogs.direct_line import Direct
from gateway.http import client_address
from gateway.http.listening import listening
from gateway.pages.routes import Pages
from tests.world import World
from tests.world import sandbox as sandbox
from tests.world import sandboxes as sandboxes

ANA, BARBU, NOBODY, NEWCOMER = "+40740000101", "+40740000102", "+40740000999", "+40740000104"
PASSWORDS = {ANA: "ThankYou1", BARBU: "Albastru77", NEWCOMER: "ClaraNou4"}
BILL, ADDRESS, MAILBOX, CONFIRM = (f"/orange-ro/{name}" for name in ("bill", "address", "mailbox", "confirm"))
SECRET = Secret("a key for the tests of the pages")
VOID = frozenset({"meta", "link", "input", "br"})
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_TOKEN = re.compile(r'(name="(?:form_token|slip)" value=")[^"]*')


@dataclass(frozen=True)
class Seen:
    """A response as the visitor's browser has it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def visible_text(self) -> str:
        """The visible text of the page, without markup."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split()).replace("\xa0", " ")

    @property
    def bare(self) -> tuple[int, str]:
        """Status and body without the token that differs between any two forms."""
        return self.status, _TOKEN.sub(r"\1", self.text)

    @property
    def hidden(self) -> dict[str, str]:
        return {name: unescape(value) for name, value in _HIDDEN.findall(self.text)}


@dataclass
class Browser:
    """One visitor with one cookie jar; forms are sent with the hidden fields last seen."""

    session: aiohttp.ClientSession
    url: str
    last: Seen | None = None

    async def get(self, path: str, **headers: str) -> Seen:
        async with self.session.get(self.url + path, headers=headers) as response:
            return await self._seen(response)

    async def submit(self, path: str, **fields: str) -> Seen:
        """Fill in the form last seen, or fetch it first, and post it."""
        page = self.last if self.last and self.last.hidden else await self.get(path)
        return await self.post(path, page.hidden | fields)

    async def post(self, path: str, fields: dict[str, str] | bytes, **headers: str) -> Seen:
        async with self.session.post(self.url + path, data=fields, headers=headers) as response:
            return await self._seen(response)

    async def _seen(self, response: aiohttp.ClientResponse) -> Seen:
        self.last = Seen(response.status, dict(response.headers), await response.read())
        return self.last


@dataclass
class Street:
    """A sandbox whose pages are served."""

    sandbox: World
    url: str
    phone: Direct
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def browser(self) -> Browser:
        """Return a visitor without cookies."""
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.sessions.append(session)
        return Browser(session, self.url)

    async def code(self, caller: str = ANA) -> str:
        """Text the password to 477 and return the code that comes back (R8)."""
        await self.phone.text(caller, "477", PASSWORDS[caller])
        notice = (await self.sandbox.post.collect())[-1]
        assert notice.to == caller
        found = re.search(r"\b\d{6}\b", notice.body)
        assert found
        return found[0]

    async def link(self) -> str:
        """Return the token of the link that arrived last, by SMS or e-mail."""
        found = re.search(r"#(\S+)", (await self.sandbox.post.collect())[-1].body)
        assert found
        return found[1]

    async def address_link(self, caller: str = ANA) -> str:
        """Request on the menu a link for entering another postal address (R14)."""
        await self.phone.dial(caller, "*100*1*1*4#")
        await self.phone.press("2")
        return await self.link()

    async def email_link(self, address: str, caller: str = ANA) -> str:
        """Give an e-mail address by SMS and return the token of the link (T7)."""
        await self.phone.text(caller, "477", f"NOTIF EMAIL {address}")
        return await self.link()


def pages(sandbox: World, public_url: str = "http://127.0.0.1", posts_a_minute: int = 100_000) -> Pages:
    """Build the pages of a sandbox."""
    house = sandbox.house.conversations
    tallies, source = house.manners.tallies, client_address.sources(())
    return Pages(house.shelf, house.people, SECRET, public_url, tallies, source, posts_a_minute=posts_a_minute)


def two_operators(sandbox: World) -> Pages:
    """Build the pages of one operator under two names: tokens of one must be worthless at the other."""
    site, menu = pages(sandbox), sandbox.menu
    twin = replace(menu, form=menu.form.model_copy(update={"name": "twin"}))
    site.shelf.publish(twin)
    return replace(site, people={**site.people, "twin": site.people[menu.name]})


@asynccontextmanager
async def serving(sandbox: World, site: Pages) -> AsyncIterator[Street]:
    """Serve the pages on a free port."""
    app = web.Application(client_max_size=64 * 1024)
    app.add_routes(site.routes())
    async with listening(app, "127.0.0.1", 0) as port:
        page_server = Street(sandbox, f"http://127.0.0.1:{port}", sandbox.direct())
        yield page_server
        for session in page_server.sessions:
            await session.close()


@pytest.fixture
async def page_server(sandbox: World) -> AsyncIterator[Street]:
    async with serving(sandbox, pages(sandbox)) as served:
        yield served


class Outline(HTMLParser):
    """Strict HTML parser: every element closed in order, every field labelled, every id unique."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fields: list[str] = []
        self.labels: list[str] = []
        self.ids: list[str] = []
        self.root: dict[str, str | None] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"{tag} has an attribute twice"
        self.root = named if tag == "html" else self.root
        self.ids += [named["id"] or ""] if "id" in named else []
        if tag in ("input", "textarea") and named.get("type") != "hidden":
            self.fields.append(named.get("id") or "")
        if tag == "label":
            self.labels.append(named.get("for") or "")
        assert not any(name.startswith("on") or name == "style" for name in named), "the policy forbids it"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def outline(page: Seen) -> Outline:
    """Parse a page strictly and return the result."""
    read = Outline(page.text)
    assert page.text.startswith("<!DOCTYPE html>")
    assert read.fields == read.labels
    assert len(read.ids) == len(set(read.ids))
    return read
