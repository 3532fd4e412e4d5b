"""Page: latest bill behind a phone number and a one-time code by SMS, as HTML and PDF (R6, R7)."""

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
"""Base name of the cookie that holds the login's token."""
SITTING_LIFE = timedelta(minutes=10)
PATIENCE_SECONDS = 2.5
"""Time billing has while a code is redeemed; the page after it asks again."""
PURPOSE: LinkPurpose = "bill"
INPUTS = (
    Input("number", 20, 'type="tel" inputmode="tel" autocomplete="tel"'),
    Input("code", 12, 'type="text" inputmode="numeric" autocomplete="one-time-code"'),
)
LEAVE = "leave"
"""The field of the log-out form."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """A login at one bill, valid for ten minutes.

    Account and bill are empty when billing was unavailable as the code was redeemed: each page then looks the
    bill up again, so that an outage costs nobody a second code.
    """

    number: str = field(repr=False)
    account: str = field(default="", repr=False)
    bill: str = ""


@dataclass(frozen=True, slots=True)
class BillPage:
    """`/{operator}/bill` and `/{operator}/bill.pdf`.

    Logins are kept in the ledger, as links only their cookie opens: any process shows the bill, and logging out
    ends the login for all of them.
    """

    cookies: Cookies
    forms: Forms
    envelope: Envelope = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    press: Press = field(default_factory=Press, repr=False)

    async def view(self, visit: Visit) -> web.Response:
        """Show the bill of the visitor's login; without a login, the form."""
        login = await self._sitting(visit)
        if login is None:
            return self.again(visit, "", 200)
        return await self._shown(visit, login)

    async def submit(self, visit: Visit) -> web.Response:
        """Redeem number and code, or log out."""
        if LEAVE in visit.fields:
            return await self._left(visit)
        number = _number(visit)
        code = Secret("".join(digits_of(visit.fields.get("code", "")).split()))
        result = await visit.world.codes.redeem(visit.operator, number, "bill", code, visit.now, visit.source)
        if result != "ok":
            log.info("pages.code_rejected", extra={"operator": visit.operator})
            return self.again(visit, "page.refused", 200)
        return await self._begun(visit, await _first(visit, Sitting(number)))

    def again(self, visit: Visit, text: str, status: int) -> web.Response:
        """Show the form with an error text; the input is not repeated, as it may be somebody's number."""
        body = (
            html.alert(visit, text, INPUTS)
            + html.paragraph(visit, "page.bill_how")
            + html.paragraph(visit, "page.bill_life")
            + html.form(visit, INPUTS, "page.see", wrong=text == "page.refused")
        )
        return responses.page(visit, "page.bill_title", body, status)

    async def download(self, visit: Visit) -> web.Response:
        """Return the bill as a PDF; without a login, redirect to the form."""
        login = await self._sitting(visit)
        try:
            result = await _found(visit, login, "web.document") if login else ""
        except NotFound:
            result = ""
        if not isinstance(result, Statement):
            return responses.see_other(visit.here)
        return responses.document(await self.press.drawn(result, visit.now), result.number)

    async def _sitting(self, visit: Visit) -> Sitting | None:
        """Return the visitor's login; None when there is none or it has expired."""
        if not visit.sitting:
            return None
        token = Secret(visit.sitting)
        link = await visit.world.ledger.open_link(token, PURPOSE, visit.now)
        words = self.envelope.open(link.value, self._label(visit, token)) if link else None
        return Sitting(*words) if words else None

    async def _begun(self, visit: Visit, sitting: Sitting) -> web.Response:
        """Start a login and redirect to the bill; a new token each time prevents session fixation."""
        token = self.token()
        await visit.world.ledger.commit(self._kept(visit, Secret(token), sitting))
        response = responses.see_other(visit.here)
        self.cookies.give(response, COOKIE, token, int(SITTING_LIFE.total_seconds()))
        log.info("pages.bill_opened", extra={"operator": visit.operator})
        return response

    def _kept(self, visit: Visit, token: Secret, sitting: Sitting) -> Change:
        """Return the change that stores the login as a link, its content encrypted."""
        value = self.envelope.close((sitting.number, sitting.account, sitting.bill), self._label(visit, token))
        link = Link(token, PURPOSE, visit.operator, "", value, visit.now + SITTING_LIFE)
        return Change(self.forms.mark("sitting", token), visit.operator, "", visit.now, links=(link,))

    def _label(self, visit: Visit, token: Secret) -> str:
        """Return a seal label of one login at one operator: any other link opens no bill."""
        return self.forms.mark(f"sitting {visit.operator}", token)

    async def _left(self, visit: Visit) -> web.Response:
        """End the login and delete its cookie."""
        if visit.sitting:
            await visit.world.ledger.use_link(Secret(visit.sitting), PURPOSE, visit.now)
        response = responses.see_other(visit.here)
        self.cookies.take(response, COOKIE)
        return response

    async def _shown(self, visit: Visit, sitting: Sitting) -> web.Response:
        """Show the bill, or the reason why there is none."""
        try:
            result = await _found(visit, sitting, "web.bill")
        except NotFound:
            return self.again(visit, "page.refused", 200)
        body = _bill(visit, result) if isinstance(result, Statement) else f"<p>{escape(result)}</p>"
        logout = html.form(visit, (), "page.leave", more=html.hidden(LEAVE, "1"))
        hint = html.paragraph(visit, "page.leave_hint")
        return responses.page(visit, "page.bill_title", f"{body}\n{logout}\n{hint}")


async def _first(visit: Visit, sitting: Sitting) -> Sitting:
    """Return the login bound to account and bill; unchanged when billing does not answer in time."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            bound = await _bound(visit, sitting)
    except (Failure, TimeoutError):
        return sitting
    return sitting if isinstance(bound, str) else bound


async def _found(visit: Visit, sitting: Sitting, reading: str) -> Statement | str:
    """Return the login's bill, or the text that says why there is none; NotFound for an unknown number.

    `audit_action` is the action recorded in the audit log.
    """
    bound = sitting if sitting.bill else await _bound(visit, sitting)
    if isinstance(bound, str):
        return bound
    billing = visit.world.billing
    bill = await billing.bill(bound.account, bound.bill)
    lines = await billing.lines(bound.account, bound.bill)
    entry = Deed(visit.operator, bound.number, reading, visit.now, "web", bill.id)
    visit.world.ledger.note(entry)
    return statement(visit, bill, lines, bound.number)


async def _bound(visit: Visit, sitting: Sitting) -> Sitting | str:
    """Return the login with account and latest bill, or a text that says why there is no bill."""
    subscriber = await visit.world.billing.subscriber(sitting.number)
    action_request = ask(visit, subscriber)
    reason = barred(action_request)
    if reason:
        return visit.said(f"house.{reason.name}", reason.facts)
    outcome = await invoice.latest(action_request)
    bill = outcome.facts.get("bill")
    if not isinstance(bill, Text):
        return visit.said(f"invoice.{outcome.name}", outcome.facts)
    return replace(sitting, account=subscriber.account, bill=bill.value)


def _number(visit: Visit) -> str:
    """Return the number typed, national or international; empty, which matches nobody, when it is not one."""
    return visit.menu.msisdn(visit.fields.get("number", "")) or ""


def _bill(visit: Visit, found: Statement) -> str:
    query = f"?lang={visit.language}" if visit.asked else ""
    link = f'<p><a href="/{visit.operator}/bill.pdf{query}">{visit.words("page.pdf")}</a></p>'
    detail = html.table(found.detail_title, found.detail, found.head)
    return f"{html.table(found.title, found.rows)}\n{detail}\n{link}"
