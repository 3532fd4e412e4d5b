"""The latest bill behind a phone number and a code by SMS (R6, R7): as a page, as a document."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import escape

from aiohttp import web

from flows.domain.failures import Failure, NotFound
from flows.domain.records import Change, Deed, Link, LinkPurpose, Secret
from flows.selfcare import invoice
from flows.services.eligibility import barred
from gateway.pages import html, responses
from gateway.pages.action_request import ask
from gateway.pages.bill_pdf import Press
from gateway.pages.bill_view import Statement, statement
from gateway.pages.csrf import Cookies, Forms
from gateway.pages.html import Input
from gateway.pages.page_request import Visit
from gateway.pages.sealed_token import Envelope
from menus.model.facts import Text
from menus.text.input_parsing import digits_of

log = logging.getLogger("dialtree.pages")
COOKIE = "bill"
SITTING_LIFE = timedelta(minutes=10)
PATIENCE_SECONDS = 2.5
"""For billing while a code is taken; the page after it asks again."""
PURPOSE: LinkPurpose = "bill"
INPUTS = (
    Input("number", 20, 'type="tel" inputmode="tel" autocomplete="tel"'),
    Input("code", 12, 'type="text" inputmode="numeric" autocomplete="one-time-code"'),
)
LEAVE = "leave"
"""The field of the log-out form."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """Ten minutes at one bill. A code is used up when it begins, so a billing backend that is out
    at that moment costs nobody a second code: the bill is then looked for by each page."""

    number: str = field(repr=False)
    account: str = field(default="", repr=False)
    bill: str = ""


@dataclass(frozen=True, slots=True)
class BillPage:
    """`/{operator}/bill` and `/{operator}/bill.pdf`. Sittings are kept in the ledger, as links only
    their cookie opens: any process shows the bill, and logging out ends it for all of them."""

    cookies: Cookies
    forms: Forms
    envelope: Envelope = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    press: Press = field(default_factory=Press, repr=False)

    async def view(self, visit: Visit) -> web.Response:
        """The bill of the visitor's sitting; without one, the form."""
        sitting = await self._sitting(visit)
        if sitting is None:
            return self.again(visit, "", 200)
        return await self._shown(visit, sitting)

    async def submit(self, visit: Visit) -> web.Response:
        """Number and code, or the wish to leave."""
        if LEAVE in visit.fields:
            return await self._left(visit)
        number = _number(visit)
        code = Secret("".join(digits_of(visit.fields.get("code", "")).split()))
        told = await visit.world.codes.redeem(visit.operator, number, "bill", code, visit.now, visit.source)
        if told != "ok":
            log.info("bill refused", extra={"operator": visit.operator})
            return self.again(visit, "page.refused", 200)
        return await self._begun(visit, await _first(visit, Sitting(number)))

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """The form, with what went wrong. What was typed is not repeated: it may be somebody's number."""
        body = (
            html.alert(visit, text, INPUTS)
            + html.paragraph(visit, "page.bill_how")
            + html.paragraph(visit, "page.bill_life")
            + html.form(visit, INPUTS, "page.see", wrong=text == "page.refused")
        )
        return responses.page(visit, "page.bill_title", body, status)

    async def download(self, visit: Visit) -> web.Response:
        """The bill as a PDF; without a sitting, back to the form."""
        sitting = await self._sitting(visit)
        try:
            found = await _found(visit, sitting, "web.document") if sitting else ""
        except NotFound:
            found = ""
        if not isinstance(found, Statement):
            return responses.see_other(visit.here)
        return responses.document(await self.press.drawn(found, visit.now), found.number)

    async def _sitting(self, visit: Visit) -> Sitting | None:
        """The visitor's sitting, if there is one and its time is not over."""
        if not visit.sitting:
            return None
        token = Secret(visit.sitting)
        link = await visit.world.ledger.open_link(token, PURPOSE, visit.now)
        words = self.envelope.open(link.value, self._label(visit, token)) if link else None
        return Sitting(*words) if words else None

    async def _begun(self, visit: Visit, sitting: Sitting) -> web.Response:
        """A new token for every sitting: one planted before is worth nothing."""
        token = self.token()
        await visit.world.ledger.commit(self._kept(visit, Secret(token), sitting))
        response = responses.see_other(visit.here)
        self.cookies.give(response, COOKIE, token, int(SITTING_LIFE.total_seconds()))
        log.info("bill opened", extra={"operator": visit.operator})
        return response

    def _kept(self, visit: Visit, token: Secret, sitting: Sitting) -> Change:
        value = self.envelope.close((sitting.number, sitting.account, sitting.bill), self._label(visit, token))
        link = Link(token, PURPOSE, visit.operator, "", value, visit.now + SITTING_LIFE)
        return Change(self.forms.mark("sitting", token), visit.operator, "", visit.now, links=(link,))

    def _label(self, visit: Visit, token: Secret) -> str:
        """Of one sitting at one operator: a link made for anything else, or elsewhere, opens no bill."""
        return self.forms.mark(f"sitting {visit.operator}", token)

    async def _left(self, visit: Visit) -> web.Response:
        if visit.sitting:
            await visit.world.ledger.use_link(Secret(visit.sitting), PURPOSE, visit.now)
        response = responses.see_other(visit.here)
        self.cookies.take(response, COOKIE)
        return response

    async def _shown(self, visit: Visit, sitting: Sitting) -> web.Response:
        try:
            found = await _found(visit, sitting, "web.bill")
        except NotFound:
            return self.again(visit, "page.refused", 200)
        body = _bill(visit, found) if isinstance(found, Statement) else f"<p>{escape(found)}</p>"
        leave = html.form(visit, (), "page.leave", more=html.hidden(LEAVE, "1"))
        hint = html.paragraph(visit, "page.leave_hint")
        return responses.page(visit, "page.bill_title", f"{body}\n{leave}\n{hint}")


async def _first(visit: Visit, sitting: Sitting) -> Sitting:
    """The sitting bound to its account and bill; as it is when billing cannot say in time."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            bound = await _bound(visit, sitting)
    except (Failure, TimeoutError):
        return sitting
    return sitting if isinstance(bound, str) else bound


async def _found(visit: Visit, sitting: Sitting, reading: str) -> Statement | str:
    """The bill of the sitting, or the words that say why there is none; NotFound for nobody's number.

    `reading` is what the audit trail calls it.
    """
    bound = sitting if sitting.bill else await _bound(visit, sitting)
    if isinstance(bound, str):
        return bound
    billing = visit.world.billing
    bill = await billing.bill(bound.account, bound.bill)
    lines = await billing.lines(bound.account, bound.bill)
    read = Deed(visit.operator, bound.number, reading, visit.now, "web", bill.id)
    visit.world.ledger.note(read)
    return statement(visit, bill, lines, bound.number)


async def _bound(visit: Visit, sitting: Sitting) -> Sitting | str:
    """The sitting with its account and latest bill, found as every channel finds it."""
    person = await visit.world.billing.subscriber(sitting.number)
    asked = ask(visit, person)
    barring = barred(asked)
    if barring:
        return visit.said(f"house.{barring.name}", barring.facts)
    outcome = await invoice.latest(asked)
    found = outcome.facts.get("bill")
    if not isinstance(found, Text):
        return visit.said(f"invoice.{outcome.name}", outcome.facts)
    return replace(sitting, account=person.account, bill=found.value)


def _number(visit: Visit) -> str:
    """The number typed, national or international; empty when it is none, which is then nobody's."""
    return visit.menu.msisdn(visit.fields.get("number", "")) or ""


def _bill(visit: Visit, found: Statement) -> str:
    query = f"?lang={visit.language}" if visit.asked else ""
    link = f'<p><a href="/{visit.operator}/bill.pdf{query}">{visit.words("page.pdf")}</a></p>'
    detail = html.table(found.detail_title, found.detail, found.head)
    return f"{html.table(found.title, found.rows)}\n{detail}\n{link}"
