"""Page middleware: operator, language, rate limit, CSRF check, time limit, error page."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from aiohttp import web

from flows.domain.failures import BadRequest, Failure
from flows.domain.ports import Tallies
from flows.engine.menu_versions import Shelf
from flows.engine.subscriber_cache import People
from gateway.http import decoding
from gateway.pages import responses
from gateway.pages.bill import COOKIE, BillPage
from gateway.pages.csrf import FIELD, Cookies, Forms, is_seed
from gateway.pages.languages import negotiated, offered
from gateway.pages.page_request import Visit

log = logging.getLogger("dialtree.pages")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = Callable[[web.Request, Visit], Awaitable[web.Response]]
HARD_SECONDS = 8.0
"""Hard limit of a page request; then the visitor gets the error page."""
FORM_COOKIE = "form"


class Page(Protocol):
    """A page: what every one can show and accept."""

    async def view(self, visit: Visit) -> web.Response:
        """Answer a GET."""

    async def submit(self, visit: Visit) -> web.Response:
        """Answer a POST whose CSRF token is valid."""

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """Show the page's first form with the named text above it."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """Wraps pages in the steps every request passes; all errors end here."""

    shelf: Shelf = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    cookies: Cookies
    forms: Forms
    token: Callable[[], str] = field(repr=False)
    source: Callable[[web.Request], str]
    tallies: Tallies = field(repr=False)
    posts_a_minute: int

    def viewing(self, page: Page) -> Handler:
        """Return the handler of a page's GET."""
        return self._served(lambda request, page_request: page.view(page_request))

    def posting(self, page: Page) -> Handler:
        """Return the handler of a page's POST: rate-limited, and submitted only with a valid CSRF token."""

        async def answer(request: web.Request, page_request: Visit) -> web.Response:
            if not await self._counted(request):
                return _limited(page, page_request)
            fields = await _fields(request)
            seed = self.cookies.read(request, FORM_COOKIE)
            if not self.forms.ours(seed, page_request.path, fields.get(FIELD, "")):
                return page.again(page_request, "page.stale", 403)
            return await page.submit(replace(page_request, fields=fields))

        return self._served(answer)

    def downloading(self, page: BillPage) -> Handler:
        """Return the handler of the PDF's GET, rate-limited like a POST, as it costs more than a page."""

        async def answer(request: web.Request, page_request: Visit) -> web.Response:
            if not await self._counted(request):
                return _limited(page, page_request)
            return await page.download(page_request)

        return self._served(answer)

    def _served(self, answer: Answer) -> Handler:
        """Return a handler that builds the page request, sets the form cookie and adds HSTS."""

        async def serve(request: web.Request) -> web.StreamResponse:
            seed = self.cookies.read(request, FORM_COOKIE)
            new_seed = "" if is_seed(seed) else self.token()
            try:
                page_request = self._visit(request, new_seed or seed)
                response = await self._answered(answer, request, page_request)
            except BadRequest as error:
                return self._strict(responses.plain(error.status, str(error)))
            if new_seed:
                self.cookies.give(response, FORM_COOKIE, new_seed)
            return self._strict(response)

        return serve

    async def _answered(self, answer: Answer, request: web.Request, visit: Visit) -> web.Response:
        """Answer under the time limit; any other error is logged and becomes the error page."""
        try:
            async with asyncio.timeout(HARD_SECONDS):
                return await answer(request, visit)
        except BadRequest:
            raise
        except (Exception, TimeoutError) as error:
            # outermost handler: the visitor always gets a page, the log gets the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"operator": visit.operator, "failure": type(error).__name__}
            log.error("pages.request_failed", exc_info=not expected, extra=extra)
            return responses.sorry(visit)

    def _visit(self, request: web.Request, seed: str) -> Visit:
        """Build the page request; BadRequest 404 for an operator that has no pages."""
        operator = request.match_info["operator"]
        languages = offered(self.shelf.current(operator)) if operator in self.people else ()
        if not languages:
            raise BadRequest("no such page", 404)
        requested = decoding.fields(request.rel_url.raw_query_string).get("lang", "")
        login_token = self.cookies.read(request, COOKIE)
        path = f"/{operator}/{request.path.rpartition('/')[2]}"
        return Visit(
            menu=self.shelf.current(operator),
            world=self.people[operator].world,
            path=path.removesuffix(".pdf"),
            language=negotiated(languages, requested, request.headers.get("Accept-Language", "")),
            languages=languages,
            asked=requested in languages,
            form_token=self.forms.token(seed, path.removesuffix(".pdf")),
            sitting=login_token if is_seed(login_token) else "",
            source=self.source(request),
        )

    async def _counted(self, request: web.Request) -> bool:
        """Count the request; return whether its client address is within the limit."""
        return await self.tallies.count("posts", self.source(request), 60) <= self.posts_a_minute

    def _strict(self, response: web.Response) -> web.Response:
        """Add the HSTS header where subscribers reach us over https."""
        if self.cookies.secure:
            response.headers["Strict-Transport-Security"] = responses.STRICT_TRANSPORT
        return response


async def _fields(request: web.Request) -> Mapping[str, str]:
    """Return the posted fields; BadRequest for anything a browser's form would not send."""
    return decoding.form(await decoding.body(request), request.content_type, request.charset)


def _limited(page: Page, visit: Visit) -> web.Response:
    """Return the page with status 429."""
    response = page.again(visit, "page.limited", 429)
    response.headers["Retry-After"] = "60"
    return response
