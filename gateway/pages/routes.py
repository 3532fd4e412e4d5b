"""Routes of the subscriber pages, for all operators."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from flows.domain.ports import Tallies
from flows.domain.records import Secret
from flows.engine.menu_versions import Shelf
from flows.engine.subscriber_cache import People
from gateway.pages import bill, email, file, magic_links, paper_address, responses
from gateway.pages.bill import BillPage
from gateway.pages.confirm_email import ConfirmPage
from gateway.pages.csrf import Cookies, Forms
from gateway.pages.file import FilePage
from gateway.pages.link_form import SLIP
from gateway.pages.request_pipeline import Entrance, Handler, Page
from gateway.pages.sealed_token import Envelope
from storage.crypto import derived

FOLDER = Path(__file__).parent
ASSETS = {"style.css": "text/css", "link.js": "text/javascript"}
FORMS: Mapping[str, Sequence[str]] = {
    "bill": (*(each.name for each in bill.INPUTS), bill.LEAVE),
    "address": (magic_links.INPUT.name, SLIP, paper_address.INPUT.name),
    "mailbox": (magic_links.INPUT.name, SLIP, email.INPUT.name),
    "confirm": (magic_links.INPUT.name,),
    "file": (magic_links.INPUT.name, file.SLIP, *(each.name for each in file.INPUTS)),
}
"""The fields of each page's forms, besides the CSRF token."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages and their dependencies; `build_routes` is called once, by the server."""

    shelf: Shelf = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    secret: Secret
    """Signs forms and hashes link tokens; the same in every process."""
    public_url: str
    tallies: Tallies = field(repr=False)
    """Counts POSTs across processes."""
    source: Callable[[web.Request], str]
    """Returns what a request is rate-limited by."""
    token: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32), repr=False)
    """Returns a URL-safe token of 256 random bits."""
    posts_a_minute: int = 20
    """Per client address; a PDF counts like a POST."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for `Application.add_routes`; reads the style sheet and the script."""
        cookies = Cookies(self.public_url.startswith("https://"))
        csrf_tokens = Forms(derived(self.secret, "pages"))
        limit = (self.tallies, self.posts_a_minute)
        pipeline = Entrance(self.shelf, self.people, cookies, csrf_tokens, self.token, self.source, *limit)
        token_sealer = Envelope.of(self.secret)
        bill_page = BillPage(cookies, csrf_tokens, token_sealer, self.token)
        pages: dict[str, Page] = {
            "bill": bill_page,
            "address": paper_address.page(csrf_tokens, token_sealer),
            "mailbox": email.page(csrf_tokens, token_sealer),
            "confirm": ConfirmPage(csrf_tokens),
            "file": FilePage(token_sealer, self.token),
        }
        prefix = "/{operator:[a-z][a-z0-9-]*}"
        return [
            *(web.get(f"{prefix}/{name}", pipeline.viewing(page)) for name, page in pages.items()),
            *(web.post(f"{prefix}/{name}", pipeline.posting(page)) for name, page in pages.items()),
            web.get(f"{prefix}/bill.pdf", pipeline.downloading(bill_page)),
            *(web.get(f"{prefix}/{name}", _asset(name, kind)) for name, kind in ASSETS.items()),
        ]


def _asset(name: str, kind: str) -> Handler:
    data = (FOLDER / name).read_bytes()

    async def serve(request: web.Request) -> web.Response:
        return responses.asset(data, kind)

    return serve
