"""The site: the pages of all operators, as routes for whoever serves them."""

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
"""By page, the fields its forms have, beside the token each of them carries."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a house; `routes` is called once, by whoever serves them."""

    shelf: Shelf = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    secret: Secret
    """Signs forms and marks links; the same on every process."""
    public_url: str
    tallies: Tallies = field(repr=False)
    """Counts posts, of all processes."""
    source: Callable[[web.Request], str]
    """Names where a request comes from, to count its posts."""
    token: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32), repr=False)
    """A URL-safe token of 256 random bits."""
    posts_a_minute: int = 20
    """From one source; a document counts like a post."""

    def routes(self) -> list[web.RouteDef]:
        """The routes, for `Application.add_routes`; reads the style sheet and the script."""
        cookies = Cookies(self.public_url.startswith("https://"))
        signed = Forms(derived(self.secret, "pages"))
        counting = (self.tallies, self.posts_a_minute)
        door = Entrance(self.shelf, self.people, cookies, signed, self.token, self.source, *counting)
        envelope = Envelope.of(self.secret)
        latest = BillPage(cookies, signed, envelope, self.token)
        pages: dict[str, Page] = {
            "bill": latest,
            "address": paper_address.page(signed, envelope),
            "mailbox": email.page(signed, envelope),
            "confirm": ConfirmPage(signed),
            "file": FilePage(envelope, self.token),
        }
        here = "/{operator:[a-z][a-z0-9-]*}"
        return [
            *(web.get(f"{here}/{name}", door.viewing(page)) for name, page in pages.items()),
            *(web.post(f"{here}/{name}", door.posting(page)) for name, page in pages.items()),
            web.get(f"{here}/bill.pdf", door.downloading(latest)),
            *(web.get(f"{here}/{name}", _asset(name, kind)) for name, kind in ASSETS.items()),
        ]


def _asset(name: str, kind: str) -> Handler:
    data = (FOLDER / name).read_bytes()

    async def serve(request: web.Request) -> web.Response:
        return responses.asset(data, kind)

    return serve
