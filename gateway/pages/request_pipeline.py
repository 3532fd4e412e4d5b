"""Page middleware: operator, language, rate limit, CSRF check, time limit, error page."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, Failure
from flows.domain.ports import Counters
from flows.engine.menu_versions import MenuVersions
from gateway.http import decoding
from gateway.http.html_templates import HtmlTemplates
from gateway.pages import responses
from gateway.pages.bill import LOGIN_COOKIE, BillPage
from gateway.pages.csrf import CSRF_FIELD, FORM_COOKIE, CookieJar, CsrfTokens, is_seed
from gateway.pages.languages import negotiate_language, offered_languages
from gateway.pages.page_request import PageRequest

log = logging.getLogger("dialtree.pages")
PageHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PageResponder = Callable[[web.Request, PageRequest], Awaitable[web.Response]]
PAGE_TIMEOUT_SECONDS = 8.0
"""Hard limit of a page request; then the visitor gets the error page."""
REFRESH_COUNTS = frozenset("123456789")
"""Accepted values of the parameter by which a page counts how often it has asked for itself again."""


class Page(Protocol):
    """A page: what every one can show and accept."""

    async def view(self, page_request: PageRequest) -> web.Response:
        """Answer a GET."""

    async def submit(self, page_request: PageRequest) -> web.Response:
        """Answer a POST whose CSRF token is valid."""

    def show_form(self, page_request: PageRequest, text: str, status: int) -> web.Response:
        """Show the page's first form with the named text above it."""


@dataclass(frozen=True, slots=True)
class PagePipeline:
    """Wraps pages in the steps every request passes; all errors end here."""

    menu_versions: MenuVersions = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    cookies: CookieJar
    csrf_tokens: CsrfTokens
    make_token: Callable[[], str] = field(repr=False)
    rate_limit_key: Callable[[web.Request], str]
    counters: Counters = field(repr=False)
    posts_per_minute: int
    templates: HtmlTemplates = field(repr=False)

    def get_handler(self, page: Page) -> PageHandler:
        """Return the handler of a page's GET."""
        return self._wrap_responder(lambda request, page_request: page.view(page_request))

    def post_handler(self, page: Page) -> PageHandler:
        """Return the handler of a page's POST: rate-limited, and submitted only with a valid CSRF token."""

        async def answer(request: web.Request, page_request: PageRequest) -> web.Response:
            if not await self._within_rate_limit(request):
                return _rate_limited_page(page, page_request)
            fields = await _read_form(request)
            seed = self.cookies.read_cookie(request, FORM_COOKIE)
            if not self.csrf_tokens.is_valid(seed, page_request.path, fields.get(CSRF_FIELD, "")):
                return page.show_form(page_request, "page.stale", 403)
            return await page.submit(replace(page_request, form_fields=fields))

        return self._wrap_responder(answer)

    def download_handler(self, page: BillPage) -> PageHandler:
        """Return the handler of the PDF's GET, rate-limited like a POST, as it costs more than a page."""

        async def answer(request: web.Request, page_request: PageRequest) -> web.Response:
            if not await self._within_rate_limit(request):
                return _rate_limited_page(page, page_request)
            return await page.download_pdf(page_request)

        return self._wrap_responder(answer)

    def redirect_handler(self, name: str) -> PageHandler:
        """Return the handler of an operator's bare address: it leads to a page, in the language of the URL."""

        async def answer(request: web.Request, page_request: PageRequest) -> web.Response:
            return responses.see_other(replace(page_request, path=f"/{page_request.operator}/{name}").self_url)

        return self._wrap_responder(answer)

    def _wrap_responder(self, responder: PageResponder) -> PageHandler:
        """Return a handler that builds the page request, sets the form cookie and adds HSTS."""

        async def serve(request: web.Request) -> web.StreamResponse:
            seed = self.cookies.read_cookie(request, FORM_COOKIE)
            new_seed = "" if is_seed(seed) else self.make_token()
            try:
                page_request = self._build_request(request, new_seed or seed)
                response = await self._respond(responder, request, page_request)
            except BadRequest as error:
                return self._add_hsts(responses.plain_text(error.status, str(error)))
            if new_seed:
                self.cookies.set_cookie(response, FORM_COOKIE, new_seed)
            return self._add_hsts(response)

        return serve

    async def _respond(
        self, responder: PageResponder, request: web.Request, page_request: PageRequest
    ) -> web.Response:
        """Answer under the time limit; any other error is logged and becomes the error page."""
        try:
            async with asyncio.timeout(PAGE_TIMEOUT_SECONDS):
                return await responder(request, page_request)
        except BadRequest:
            raise
        except (Exception, TimeoutError) as error:
            # outermost handler: the visitor always gets a page, the log gets the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"operator": page_request.operator, "failure": type(error).__name__}
            log.error("pages.request_failed", exc_info=not expected, extra=extra)
            return responses.service_unavailable_page(page_request)

    def _build_request(self, request: web.Request, seed: str) -> PageRequest:
        """Build the page request; BadRequest 404 for an operator that has no pages."""
        operator = request.match_info["operator"]
        languages = (
            offered_languages(self.menu_versions.current_menu(operator)) if operator in self.operators else ()
        )
        if not languages:
            raise BadRequest("no such page", 404)
        query = decoding.parse_fields(request.rel_url.raw_query_string)
        requested = query.get("lang", "")
        login_token = self.cookies.read_cookie(request, LOGIN_COOKIE)
        path = f"/{operator}/{request.path.rpartition('/')[2]}"
        return PageRequest(
            menu=self.menu_versions.current_menu(operator),
            ports=self.operators[operator],
            templates=self.templates,
            path=path.removesuffix(".pdf"),
            language=negotiate_language(languages, requested, request.headers.get("Accept-Language", "")),
            languages=languages,
            language_requested=requested in languages,
            form_token=self.csrf_tokens.form_token(seed, path.removesuffix(".pdf")),
            login_token=login_token if is_seed(login_token) else "",
            rate_limit_key=self.rate_limit_key(request),
            is_raw=query.get("format", "") == "raw",
            payment_id=query.get("payment", ""),
            refresh_count=int(query["again"]) if query.get("again", "") in REFRESH_COUNTS else 0,
        )

    async def _within_rate_limit(self, request: web.Request) -> bool:
        """Count the request; return whether its client address is within the limit."""
        return (
            await self.counters.count_event("posts", self.rate_limit_key(request), 60) <= self.posts_per_minute
        )

    def _add_hsts(self, response: web.Response) -> web.Response:
        """Add the HSTS header where subscribers reach us over https."""
        if self.cookies.secure:
            response.headers["Strict-Transport-Security"] = responses.HSTS_VALUE
        return response


async def _read_form(request: web.Request) -> Mapping[str, str]:
    """Return the posted fields; BadRequest for anything a browser's form would not send."""
    body = await decoding.read_body(request)
    return decoding.LimitedFields(decoding.decode_form(body, request.content_type, request.charset))


def _rate_limited_page(page: Page, page_request: PageRequest) -> web.Response:
    """Return the page with status 429."""
    response = page.show_form(page_request, "page.limited", 429)
    response.headers["Retry-After"] = "60"
    return response
