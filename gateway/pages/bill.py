"""Page: latest bill behind a phone number and a one-time code by SMS, as HTML and PDF (R6, R7)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from flows.domain.failures import Failure, NotFound
from flows.domain.records import AuditEntry, ChangeSet, LinkPurpose, MagicLink, Secret
from flows.selfcare import invoice
from flows.services.eligibility import ineligibility_outcome
from flows.services.file_links import LinkedFile
from gateway.pages import responses
from gateway.pages.action_request import build_action_request
from gateway.pages.bill_view import Statement, build_statement
from gateway.pages.code_mail import mail_bill_code
from gateway.pages.csrf import CookieJar, CsrfTokens
from gateway.pages.file_builder import FileBuilder
from gateway.pages.file_jobs import FileJobs
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest
from gateway.pages.purchase_settings import (
    PURCHASE_FIELD,
    PURCHASE_INPUTS,
    build_section,
    save_settings,
)
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Text
from menus.text.input_parsing import to_ascii_digits

log = logging.getLogger("dialtree.pages")
LOGIN_COOKIE = "bill"
"""Base name of the cookie that holds the login's token."""
LOGIN_LIFETIME = timedelta(minutes=10)
BILLING_TIMEOUT_SECONDS = 2.5
"""Time billing has while a code is redeemed; the page after it asks again."""
LINK_PURPOSE: LinkPurpose = "bill"
FORM_INPUTS = (
    FormInput("number", 20, {"type": "tel", "inputmode": "tel", "autocomplete": "tel"}),
    FormInput("code", 12, {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code"}),
)
LOGOUT_FIELD = "leave"
"""The field of the log-out form."""
MAIL_FIELD = "mail"
"""The field of the button that asks for a code by e-mail."""


@dataclass(frozen=True, slots=True)
class BillLogin:
    """A login at one bill, valid for ten minutes.

    Account and bill are empty when billing was unavailable as the code was redeemed: each page then looks the
    bill up again, so that an outage does not cost a second code.
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

    cookies: CookieJar
    csrf_tokens: CsrfTokens
    token_sealer: TokenSealer = field(repr=False)
    make_token: Callable[[], str] = field(repr=False)
    file_builder: FileBuilder = field(default_factory=FileBuilder, repr=False)
    file_jobs: FileJobs = field(default_factory=FileJobs, repr=False)

    async def view(self, request: PageRequest) -> web.Response:
        """Show the bill of the visitor's login; without a login, the form."""
        login = await self._find_login(request)
        if login is None:
            return self.show_form(request, "", 200)
        return await self._show_bill(request, login)

    async def submit(self, request: PageRequest) -> web.Response:
        """Redeem number and code, or log out."""
        if LOGOUT_FIELD in request.form_fields:
            return await self._log_out(request)
        if PURCHASE_FIELD in request.form_fields:
            return await self._save_purchases(request)
        number = _typed_number(request)
        if MAIL_FIELD in request.form_fields:
            await mail_bill_code(request, number, f"bill/{self.make_token()}")
            return self._login_form(request, notice="page.code_mailed")
        code = Secret("".join(to_ascii_digits(request.form_fields.get("code", "")).split()))
        result = await request.ports.codes.redeem_code(
            request.operator, number, "bill", code, request.now, request.rate_limit_key
        )
        if result != "ok":
            log.info("pages.code_rejected", extra={"operator": request.operator})
            return self.show_form(request, "page.refused", 200)
        return await self._start_login(request, await _bind_if_answered(request, BillLogin(number)))

    def show_form(self, request: PageRequest, text: str, status: int) -> web.Response:
        """Show the form with an error text; the input is not repeated, as it may be a subscriber's number."""
        return self._login_form(request, text, status)

    def _login_form(
        self, request: PageRequest, text: str = "", status: int = 200, notice: str = ""
    ) -> web.Response:
        """Show the form with an error text, or with a notice of what was done."""
        values = {
            "error": text,
            "notice": notice,
            "inputs": FORM_INPUTS,
            "has_error": text == "page.refused",
            "mail_button": (MAIL_FIELD, "page.mail_code"),
        }
        return responses.html_page(request, "bill_login.html", "page.bill_title", values, status)

    async def download_pdf(self, request: PageRequest) -> web.Response:
        """Return the issuer's document, or our summary; without a login, redirect to the form."""
        login = await self._find_login(request)
        try:
            bound = await _bind_login(request, login) if login else ""
        except NotFound:
            bound = ""
        if isinstance(bound, str):
            return responses.see_other(request.self_url)
        built = await self.file_jobs.await_file(
            f"{request.operator} {request.login_token} {request.language}",
            lambda: self.file_builder.build_file(request, _bill_file(bound)),
        )
        if built is None:
            return responses.file_preparing_page(request, "page.file_title", {"url": _pdf_url(request)})
        _record_reading(request, bound, "web.document")
        return responses.file_attachment(built.data, built.name, built.suffix)

    async def _find_login(self, request: PageRequest) -> BillLogin | None:
        """Return the visitor's login; None when there is none or it has expired."""
        if not request.login_token:
            return None
        token = Secret(request.login_token)
        link = await request.ports.ledger.find_link(token, LINK_PURPOSE, request.now)
        words = self.token_sealer.unseal_words(link.value, self._seal_label(request, token)) if link else None
        return BillLogin(*words) if words else None

    async def _start_login(self, request: PageRequest, login: BillLogin) -> web.Response:
        """Start a login and redirect to the bill; a new token each time prevents session fixation."""
        token = Secret(self.make_token())
        await request.ports.ledger.commit(self._login_change(request, token, login))
        response = responses.see_other(request.self_url)
        self.cookies.set_cookie(response, LOGIN_COOKIE, token.value, int(LOGIN_LIFETIME.total_seconds()))
        log.info("pages.bill_opened", extra={"operator": request.operator})
        return response

    def _login_change(self, request: PageRequest, token: Secret, login: BillLogin) -> ChangeSet:
        """Return the change that stores the login as a link, its content encrypted."""
        value = self.token_sealer.seal_words(
            (login.number, login.account, login.bill), self._seal_label(request, token)
        )
        link = MagicLink(token, LINK_PURPOSE, request.operator, "", value, request.now + LOGIN_LIFETIME)
        return ChangeSet(
            self.csrf_tokens.keyed_hash("sitting", token), request.operator, "", request.now, links=(link,)
        )

    def _seal_label(self, request: PageRequest, token: Secret) -> str:
        """Return a seal label of one login at one operator: any other link opens no bill."""
        return self.csrf_tokens.keyed_hash(f"sitting {request.operator}", token)

    async def _log_out(self, request: PageRequest) -> web.Response:
        """End the login and delete its cookie."""
        if request.login_token:
            await request.ports.ledger.use_link(Secret(request.login_token), LINK_PURPOSE, request.now)
        response = responses.see_other(request.self_url)
        self.cookies.delete_cookie(response, LOGIN_COOKIE)
        return response

    async def _save_purchases(self, request: PageRequest) -> web.Response:
        """Change what the line may buy; without a login, show the form."""
        login = await self._find_login(request)
        if login is None:
            return self.show_form(request, "", 200)
        error = await save_settings(request, login.number, f"{self.make_token()}/web.purchases")
        return await self._show_bill(request, login, error) if error else responses.see_other(request.self_url)

    async def _show_bill(self, request: PageRequest, login: BillLogin, error: str = "") -> web.Response:
        """Show the bill, or the reason why there is none; `error` is about what was typed below it."""
        try:
            result = await _read_bill(request, login)
        except NotFound:
            return self.show_form(request, "page.refused", 200)
        found = (
            {"statement": result} if isinstance(result, Statement) else {"statement": None, "reason": result}
        )
        values: dict[str, object] = {
            **found,
            "pdf_url": _pdf_url(request),
            "logout": {LOGOUT_FIELD: "1"},
            "section": await build_section(request, login.number),
            "error": error,
            "purchase_inputs": PURCHASE_INPUTS,
            "purchase_field": PURCHASE_FIELD,
        }
        return responses.html_page(request, "bill.html", "page.bill_title", values)


async def _bind_if_answered(request: PageRequest, login: BillLogin) -> BillLogin:
    """Return the login bound to account and bill; unchanged when billing does not answer in time."""
    try:
        async with asyncio.timeout(BILLING_TIMEOUT_SECONDS):
            bound = await _bind_to_bill(request, login)
    except (Failure, TimeoutError):
        return login
    return login if isinstance(bound, str) else bound


async def _read_bill(request: PageRequest, login: BillLogin) -> Statement | str:
    """Return the login's bill, or the text that says why there is none; NotFound for an unknown number."""
    bound = await _bind_login(request, login)
    if isinstance(bound, str):
        return bound
    billing = request.ports.billing
    bill = await billing.get_bill(bound.account, bound.bill)
    lines = await billing.list_bill_lines(bound.account, bound.bill)
    _record_reading(request, bound, "web.bill")
    return build_statement(request, bill, lines, bound.number)


async def _bind_login(request: PageRequest, login: BillLogin) -> BillLogin | str:
    """Return the login with account and bill, looked up where billing did not answer when the login began."""
    return login if login.bill else await _bind_to_bill(request, login)


def _record_reading(request: PageRequest, login: BillLogin, action: str) -> None:
    """Record in the audit log that the login's bill was read."""
    entry = AuditEntry(request.operator, login.number, action, request.now, "web", login.bill)
    request.ports.ledger.record_audit_entry(entry)


def _bill_file(login: BillLogin) -> LinkedFile:
    return LinkedFile("pdf", login.account, login.number, login.bill)


async def _bind_to_bill(request: PageRequest, login: BillLogin) -> BillLogin | str:
    """Return the login with account and latest bill, or a text that says why there is no bill."""
    subscriber = await request.ports.billing.get_subscriber(login.number)
    action_request = build_action_request(request, subscriber)
    reason = ineligibility_outcome(action_request)
    if reason:
        return request.plain_text(f"house.{reason.name}", reason.facts)
    outcome = await invoice.show_latest(action_request)
    bill = outcome.facts.get("bill")
    if not isinstance(bill, Text):
        return request.plain_text(f"invoice.{outcome.name}", outcome.facts)
    return replace(login, account=subscriber.account, bill=bill.value)


def _typed_number(request: PageRequest) -> str:
    """Return the number typed, national or international; empty, which matches no line, if it is none."""
    return request.menu.parse_msisdn(request.form_fields.get("number", "")) or ""


def _pdf_url(request: PageRequest) -> str:
    query = f"?lang={request.language}" if request.language_requested else ""
    return f"/{request.operator}/bill.pdf{query}"
