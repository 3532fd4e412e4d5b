"""Routes of the subscriber pages, for all operators."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.ports import Counters
from flows.domain.records import Secret
from flows.engine.menu_versions import MenuVersions
from flows.services.bounced_bills import BouncedBills
from gateway.http.html_templates import HtmlTemplates
from gateway.pages import (
    bill,
    email,
    exports,
    file,
    magic_links,
    paper_address,
    payment,
    purchase_settings,
    responses,
)
from gateway.pages.bill import BillPage
from gateway.pages.confirm_email import ConfirmPage
from gateway.pages.csrf import CookieJar, CsrfTokens
from gateway.pages.file import FilePage
from gateway.pages.file_builder import FileBuilder
from gateway.pages.file_jobs import WAIT_SECONDS, FileJobs
from gateway.pages.form_repeats import FormRepeats
from gateway.pages.link_form import SEALED_LINK_FIELD
from gateway.pages.request_pipeline import Page, PageHandler, PagePipeline
from gateway.pages.sealed_token import TokenSealer
from storage.crypto import derive_key

ASSET_FOLDER = Path(__file__).parent
TEMPLATE_FOLDER = ASSET_FOLDER / "templates"
STATIC_ASSETS = {"style.css": "text/css", "link.js": "text/javascript", "icon.svg": "image/svg+xml"}
FRONT_PAGE = "bill"
"""The page that an operator's bare address leads to: the only one that needs no link."""
LINK_FORM_FIELDS = (magic_links.LINK_INPUT.name, magic_links.SWITCH_FIELD, SEALED_LINK_FIELD)
FORM_FIELDS: Mapping[str, Sequence[str]] = {
    "bill": (
        *(
            each.name
            for each in (*bill.FORM_INPUTS, *purchase_settings.PURCHASE_INPUTS, *exports.EXPORT_INPUTS)
        ),
        *bill.FORMS,
    ),
    "address": (*LINK_FORM_FIELDS, paper_address.ADDRESS_INPUT.name),
    "mailbox": (*LINK_FORM_FIELDS, email.EMAIL_INPUT.name),
    "confirm": (magic_links.LINK_INPUT.name, magic_links.SWITCH_FIELD),
    "pay": (magic_links.LINK_INPUT.name, magic_links.SWITCH_FIELD, payment.SEALED_BILL_FIELD),
    "paid": (),
    "file": (
        magic_links.LINK_INPUT.name,
        file.SEALED_LINK_FIELD,
        file.TICKET_FIELD,
        file.RESEND_FIELD,
        file.WAIT_FIELD,
        magic_links.SWITCH_FIELD,
        *(each.name for each in file.EXPORT_INPUTS),
    ),
}
"""The fields of each page's forms, besides the CSRF token."""


@dataclass(frozen=True, slots=True)
class SubscriberPages:
    """The pages and their dependencies; `build_routes` is called once, by the server."""

    menu_versions: MenuVersions = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    secret: Secret
    """Signs forms and hashes link tokens; the same in every process."""
    public_url: str
    counters: Counters = field(repr=False)
    """Counts POSTs across processes."""
    rate_limit_key: Callable[[web.Request], str]
    """Returns what a request is rate-limited by."""
    bounced_bills: BouncedBills = field(repr=False)
    make_token: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32), repr=False)
    """Returns a URL-safe token of 256 random bits."""
    posts_per_minute: int = 20
    """Per client address; a PDF counts like a POST."""
    file_wait_seconds: float = WAIT_SECONDS
    """How long a page waits for a file before it says that the file is being prepared."""

    def build_routes(self) -> list[web.RouteDef]:
        """Return the routes for `Application.add_routes`; reads templates, style sheet and script."""
        cookies = CookieJar(self.public_url.startswith("https://"))
        csrf_tokens = CsrfTokens(derive_key(self.secret, "pages"))
        limit = (self.counters, self.posts_per_minute)
        pipeline = PagePipeline(
            self.menu_versions,
            self.operators,
            cookies,
            csrf_tokens,
            self.make_token,
            self.rate_limit_key,
            *limit,
            HtmlTemplates(TEMPLATE_FOLDER),
        )
        token_sealer = TokenSealer.from_secret(self.secret)
        builder, jobs = FileBuilder(), FileJobs(self.file_wait_seconds)
        repeats = FormRepeats(csrf_tokens)
        bill_page = BillPage(cookies, csrf_tokens, token_sealer, self.make_token, repeats, builder, jobs)
        pages: dict[str, Page] = {
            "bill": bill_page,
            "address": paper_address.build_page(csrf_tokens, token_sealer),
            "mailbox": email.build_page(csrf_tokens, token_sealer),
            "confirm": ConfirmPage(csrf_tokens, self.bounced_bills),
            "pay": payment.PayPage(token_sealer),
            "paid": payment.PaidPage(),
            "file": FilePage(token_sealer, self.make_token, repeats, builder, jobs),
        }
        prefix = "/{operator:[a-z][a-z0-9-]*}"
        return [
            web.get(prefix, pipeline.redirect_handler(FRONT_PAGE)),
            *(web.get(f"{prefix}/{name}", pipeline.get_handler(page)) for name, page in pages.items()),
            *(web.post(f"{prefix}/{name}", pipeline.post_handler(page)) for name, page in pages.items()),
            web.get(f"{prefix}/bill.pdf", pipeline.download_handler(bill_page)),
            *(web.get(f"{prefix}/{name}", _asset_handler(name, kind)) for name, kind in STATIC_ASSETS.items()),
        ]


def _asset_handler(name: str, content_type: str) -> PageHandler:
    data = (ASSET_FOLDER / name).read_bytes()

    async def serve(request: web.Request) -> web.Response:
        return responses.static_asset(data, content_type)

    return serve
