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
from flows.services.bounced_bills import BouncedBills
from gateway.dialogs.direct_line import DirectLine
from gateway.http import client_address
from gateway.http.listening import serve_app
from gateway.pages.routes import SubscriberPages
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

ANA, BARBU, UNKNOWN_NUMBER, NEWCOMER = "+40740000101", "+40740000102", "+40740000999", "+40740000104"
PASSWORDS = {ANA: "ThankYou1", BARBU: "Albastru77", NEWCOMER: "ClaraNou4"}
BILL, ADDRESS, MAILBOX, CONFIRM = (f"/orange-ro/{name}" for name in ("bill", "address", "mailbox", "confirm"))
SECRET = Secret("a key for the tests of the pages")
VOID_ELEMENTS = frozenset({"meta", "link", "input", "br"})
_HIDDEN_INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_FORM_TOKEN = re.compile(r'(name="(?:form_token|slip)" value=")[^"]*')


@dataclass(frozen=True)
class PageResponse:
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
    def without_tokens(self) -> tuple[int, str]:
        """Status and body without the token that differs between any two forms."""
        return self.status, _FORM_TOKEN.sub(r"\1", self.text)

    @property
    def hidden_fields(self) -> dict[str, str]:
        return {name: unescape(value) for name, value in _HIDDEN_INPUT.findall(self.text)}


@dataclass
class PageVisitor:
    """One visitor with one cookie jar; forms are sent with the hidden fields last seen."""

    session: aiohttp.ClientSession
    url: str
    last_response: PageResponse | None = None

    async def get(self, path: str, **headers: str) -> PageResponse:
        async with self.session.get(self.url + path, headers=headers) as response:
            return await self._remember_response(response)

    async def submit(self, path: str, **fields: str) -> PageResponse:
        """Fill in the form last seen, or fetch it first, and post it."""
        page = (
            self.last_response
            if self.last_response and self.last_response.hidden_fields
            else await self.get(path)
        )
        return await self.post(path, page.hidden_fields | fields)

    async def post(self, path: str, fields: dict[str, str] | bytes, **headers: str) -> PageResponse:
        async with self.session.post(self.url + path, data=fields, headers=headers) as response:
            return await self._remember_response(response)

    async def _remember_response(self, response: aiohttp.ClientResponse) -> PageResponse:
        self.last_response = PageResponse(response.status, dict(response.headers), await response.read())
        return self.last_response


@dataclass
class PageServer:
    """A sandbox whose pages are served."""

    sandbox: GatewaySandbox
    url: str
    phone: DirectLine
    visitor_sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def new_visitor(self) -> PageVisitor:
        """Return a visitor without cookies."""
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.visitor_sessions.append(session)
        return PageVisitor(session, self.url)

    async def request_code(self, caller: str = ANA) -> str:
        """Text the password to 477 and return the code that comes back (R8)."""
        await self.phone.send_text(caller, "477", PASSWORDS[caller])
        notices = [each for each in await self.sandbox.messages.collect_new() if each.kind == "code"]
        assert notices[-1].to == caller
        found = re.search(r"\b\d{6}\b", notices[-1].body)
        assert found
        return found[0]

    async def latest_link_token(self) -> str:
        """Return the token of the link that arrived last, by SMS or e-mail."""
        found = re.search(r"#(\S+)", (await self.sandbox.messages.collect_new())[-1].body)
        assert found
        return found[1]

    async def request_address_link(self, caller: str = ANA) -> str:
        """Request on the menu a link for entering another postal address (R14)."""
        await self.phone.dial(caller, "*100*1*1*4#")
        await self.phone.press("2")
        return await self.latest_link_token()

    async def request_email_link(self, address: str, caller: str = ANA) -> str:
        """Give an e-mail address by SMS and return the token of the link (T7)."""
        await self.phone.send_text(caller, "477", f"NOTIF EMAIL {address}")
        return await self.latest_link_token()


def build_pages(
    sandbox: GatewaySandbox, public_url: str = "http://127.0.0.1", posts_a_minute: int = 100_000
) -> SubscriberPages:
    """Build the pages of a sandbox."""
    container, source = sandbox.container, client_address.rate_limit_key_reader(())
    return SubscriberPages(
        container.menu_versions,
        container.operators,
        SECRET,
        public_url,
        container.counters,
        source,
        BouncedBills(container.announcer_for, container.outbox.find_state),
        posts_per_minute=posts_a_minute,
    )


def pages_of_two_operators(sandbox: GatewaySandbox) -> SubscriberPages:
    """Build the pages of one operator under two names: tokens of one must be worthless at the other."""
    site, menu = build_pages(sandbox), sandbox.menu
    twin = replace(menu, config=menu.config.model_copy(update={"name": "twin"}))
    site.menu_versions.publish(twin)
    return replace(site, operators={**site.operators, "twin": site.operators[menu.name]})


@asynccontextmanager
async def serve_pages(sandbox: GatewaySandbox, site: SubscriberPages) -> AsyncIterator[PageServer]:
    """Serve the pages on a free port."""
    app = web.Application(client_max_size=64 * 1024)
    app.add_routes(site.build_routes())
    async with serve_app(app, "127.0.0.1", 0) as port:
        page_server = PageServer(sandbox, f"http://127.0.0.1:{port}", sandbox.direct_line())
        yield page_server
        for session in page_server.visitor_sessions:
            await session.close()


@pytest.fixture
async def page_server(sandbox: GatewaySandbox) -> AsyncIterator[PageServer]:
    async with serve_pages(sandbox, build_pages(sandbox)) as served:
        yield served


class StrictPageParser(HTMLParser):
    """Strict HTML parser: every element closed in order, every field labelled, every id unique."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open_tags: list[str] = []
        self.fields: list[str] = []
        self.labels: list[str] = []
        self.ids: list[str] = []
        self.root: dict[str, str | None] = {}
        self.feed(text)
        self.close()
        assert self.open_tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"{tag} has an attribute twice"
        self.root = named if tag == "html" else self.root
        self.ids += [named["id"] or ""] if "id" in named else []
        if tag in ("input", "textarea", "select") and named.get("type") != "hidden":
            self.fields.append(named.get("id") or "")
        if tag == "label":
            self.labels.append(named.get("for") or "")
        assert not any(name.startswith("on") or name == "style" for name in named), "the policy forbids it"
        if tag not in VOID_ELEMENTS:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags and self.open_tags.pop() == tag


def parse_strictly(page: PageResponse) -> StrictPageParser:
    """Parse a page strictly and return the result."""
    read = StrictPageParser(page.text)
    assert page.text.startswith("<!DOCTYPE html>")
    assert read.fields == read.labels
    assert len(read.ids) == len(set(read.ids))
    return read
