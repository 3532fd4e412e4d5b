"""The entrance: what every request passes before a page answers it, and the edge where errors end."""

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
"""After so long a visitor gets words whatever is still running."""
FORM_COOKIE = "form"


class Page(Protocol):
    """What every page can do."""

    async def view(self, visit: Visit) -> web.Response:
        """Answer a GET."""

    async def submit(self, visit: Visit) -> web.Response:
        """Answer a POST whose form is known to be ours."""

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """The page's first form with the text named above it."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What every request passes: operator, language, source, form; and the edge where errors end."""

    shelf: Shelf = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    cookies: Cookies
    forms: Forms
    token: Callable[[], str] = field(repr=False)
    source: Callable[[web.Request], str]
    tallies: Tallies = field(repr=False)
    posts_a_minute: int

    def viewing(self, page: Page) -> Handler:
        """GET of a page."""
        return self._served(lambda request, visit: page.view(visit))

    def posting(self, page: Page) -> Handler:
        """POST to a page: counted, read, and only with a form of ours submitted."""

        async def answer(request: web.Request, visit: Visit) -> web.Response:
            if not await self._counted(request):
                return _limited(page, visit)
            fields = await _fields(request)
            seed = self.cookies.read(request, FORM_COOKIE)
            if not self.forms.ours(seed, visit.path, fields.get(FIELD, "")):
                return page.again(visit, "page.stale", 403)
            return await page.submit(replace(visit, fields=fields))

        return self._served(answer)

    def downloading(self, page: BillPage) -> Handler:
        """GET of the document: counted like a post, for it costs more than a page."""

        async def answer(request: web.Request, visit: Visit) -> web.Response:
            if not await self._counted(request):
                return _limited(page, visit)
            return await page.download(visit)

        return self._served(answer)

    def _served(self, answer: Answer) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            seed = self.cookies.read(request, FORM_COOKIE)
            fresh = "" if is_seed(seed) else self.token()
            try:
                visit = self._visit(request, fresh or seed)
                response = await self._answered(answer, request, visit)
            except BadRequest as bad:
                return self._strict(responses.plain(bad.status, str(bad)))
            if fresh:
                self.cookies.give(response, FORM_COOKIE, fresh)
            return self._strict(response)

        return serve

    async def _answered(self, answer: Answer, request: web.Request, visit: Visit) -> web.Response:
        try:
            async with asyncio.timeout(HARD_SECONDS):
                return await answer(request, visit)
        except BadRequest:
            raise
        except (Exception, TimeoutError) as error:
            # the process edge: whatever broke, the visitor gets words and the log the reason
            expected = isinstance(error, (Failure, TimeoutError))
            extra = {"operator": visit.operator, "failure": type(error).__name__}
            log.error("page failed", exc_info=not expected, extra=extra)
            return responses.sorry(visit)

    def _visit(self, request: web.Request, seed: str) -> Visit:
        """Who is visited, and in which language; BadRequest 404 for an operator that has no pages."""
        operator = request.match_info["operator"]
        languages = offered(self.shelf.current(operator)) if operator in self.people else ()
        if not languages:
            raise BadRequest("no such place", 404)
        asked = decoding.fields(request.rel_url.raw_query_string).get("lang", "")
        sitting = self.cookies.read(request, COOKIE)
        path = f"/{operator}/{request.path.rpartition('/')[2]}"
        return Visit(
            menu=self.shelf.current(operator),
            world=self.people[operator].world,
            path=path.removesuffix(".pdf"),
            language=negotiated(languages, asked, request.headers.get("Accept-Language", "")),
            languages=languages,
            asked=asked in languages,
            form_token=self.forms.token(seed, path.removesuffix(".pdf")),
            sitting=sitting if is_seed(sitting) else "",
            source=self.source(request),
        )

    async def _counted(self, request: web.Request) -> bool:
        return await self.tallies.count("posts", self.source(request), 60) <= self.posts_a_minute

    def _strict(self, response: web.Response) -> web.Response:
        if self.cookies.secure:
            response.headers["Strict-Transport-Security"] = responses.STRICT_TRANSPORT
        return response


async def _fields(request: web.Request) -> Mapping[str, str]:
    """What was posted; BadRequest for anything no form of ours sends."""
    return decoding.form(await decoding.body(request), request.content_type, request.charset)


def _limited(page: Page, visit: Visit) -> web.Response:
    response = page.again(visit, "page.limited", 429)
    response.headers["Retry-After"] = "60"
    return response
