"""Page: latest bill behind a phone number and a one-time code by SMS, as HTML and PDF (R6, R7)."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from flows.domain.failures import Failure, NotFound
from flows.domain.records import AuditEntry, Bill, ChangeSet, LinkPurpose, MagicLink, Secret
from flows.services.file_links import LinkedFile
from gateway.pages import activity_sections, exports, responses
from gateway.pages.bill_login import BillLogin, bind_if_answered, bind_login, find_owner
from gateway.pages.bill_view import Statement, build_statement
from gateway.pages.code_mail import mail_bill_code
from gateway.pages.csrf import FORM_COOKIE, CookieJar, CsrfTokens
from gateway.pages.file_builder import FileBuilder
from gateway.pages.file_jobs import FileJobs
from gateway.pages.form_input import CODE_INPUT, FormInput, read_code
from gateway.pages.form_repeats import FormRepeats
from gateway.pages.page_request import PageRequest
from gateway.pages.payment_section import (
    PROMISE_FIELD,
    PaymentSection,
    build_payment_section,
    promise_payment,
)
from gateway.pages.purchase_settings import (
    PURCHASE_FIELD,
    PURCHASE_INPUTS,
    build_section,
    save_settings,
)
from gateway.pages.sealed_token import TokenSealer

log = logging.getLogger("dialtree.pages")
LOGIN_COOKIE = "bill"
"""Base name of the cookie that holds the login's token."""
LOGIN_LIFETIME = timedelta(minutes=10)
LINK_PURPOSE: LinkPurpose = "bill"
FORM_INPUTS = (
    FormInput("number", 20, {"type": "tel", "inputmode": "tel", "autocomplete": "tel"}),
    CODE_INPUT,
)
LOGOUT_FIELD = "leave"
"""The field of the log-out form."""
EXPORT_FIELDS = (exports.EXPORT_FIELD, *(each.name for each in exports.EXPORT_INPUTS))
MAIL_FIELD = "mail"
"""The field of the button that asks for a code by e-mail."""


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
    form_repeats: FormRepeats = field(repr=False)
    file_builder: FileBuilder = field(default_factory=FileBuilder, repr=False)
    file_jobs: FileJobs = field(default_factory=FileJobs, repr=False)

    async def view(self, request: PageRequest) -> web.Response:
        """Show the bill of the visitor's login; without a login, the form."""
        login = await self._find_login(request)
        if login is None:
            return self.show_form(request, "", 200)
        return await self._show_bill(request, login)

    async def submit(self, request: PageRequest) -> web.Response:
        """Do what the posted form is for; a form without a field of its own has number and code."""
        names = (name for name in FORMS if name in request.form_fields)
        return await FORMS.get(next(names, ""), BillPage._redeem_code)(self, request)

    async def _mail_code(self, request: PageRequest) -> web.Response:
        """Have a code sent to the number's confirmed e-mail address; the answer is the same without one."""
        await mail_bill_code(request, _typed_number(request), f"bill/{self.make_token()}")
        return self._login_form(request, notice="page.code_mailed")

    async def _redeem_code(self, request: PageRequest) -> web.Response:
        """Redeem number and code, and start a login; show the form again for what is wrong."""
        number, code = _typed_number(request), read_code(request.form_fields)
        key = self.form_repeats.press_key(request, "bill code", code, f"{request.operator} {number}")
        if not await self.form_repeats.redeem_code(request, number, LINK_PURPOSE, code, key):
            log.info("pages.code_rejected", extra={"operator": request.operator})
            return self.show_form(request, "page.refused", 200)
        return await self._start_login(request, await bind_if_answered(request, BillLogin(number)))

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
            bound = await bind_login(request, login) if login else ""
        except NotFound:
            bound = ""
        if isinstance(bound, str):
            return responses.see_other(request.self_url)
        file = LinkedFile("pdf", bound.account, bound.number, bound.bill)
        built = await self.file_jobs.await_file(
            f"{request.operator} {request.login_token} {request.language}",
            lambda: self.file_builder.build_file(request, file),
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
        """End the login, and delete its cookie and that of the form: sent again, it is no repeat."""
        if request.login_token:
            await request.ports.ledger.use_link(Secret(request.login_token), LINK_PURPOSE, request.now)
        response = responses.see_other(request.self_url)
        for name in (LOGIN_COOKIE, FORM_COOKIE):
            self.cookies.delete_cookie(response, name)
        return response

    async def _save_purchases(self, request: PageRequest) -> web.Response:
        """Change what the line may buy; without a login, show the form."""
        login = await self._find_login(request)
        if login is None:
            return self.show_form(request, "", 200)
        error = await save_settings(request, login.number, f"{self.make_token()}/web.purchases")
        return await self._show_bill(request, login, error) if error else responses.see_other(request.self_url)

    async def _promise(self, request: PageRequest) -> web.Response:
        """Make the promise to pay whose button was pressed, and show the bill again."""
        login = await self._find_login(request)
        if login is None or not login.bill:
            return self.show_form(request, "", 200)
        await promise_payment(request, login.number, login.bill, f"{self.make_token()}/web.promise")
        return responses.see_other(request.self_url)

    async def _send_export(self, request: PageRequest) -> web.Response:
        """Send the export a form asks for; without a login, show the form."""
        login = await self._find_login(request)
        owner = await find_owner(request, login) if login else None
        if login is None or owner is None:
            return self.show_form(request, "", 200)
        bound = await bind_login(request, login)
        try:
            choice = exports.read_choice(request, owner, "" if isinstance(bound, str) else bound.bill)
        except ValueError:
            return await self._show_bill(request, login, export_error="page.period_wrong")
        built = await self.file_jobs.await_file(
            f"{request.operator} {request.login_token} {request.language} {request.is_raw} {choice}",
            lambda: self.file_builder.build_file(request, choice.file, choice.period),
        )
        if built is None:
            hidden = {name: request.form_fields.get(name, "") for name in EXPORT_FIELDS}
            return responses.file_preparing_page(request, "page.file_title", {"hidden": hidden})
        if not built.has_content:
            return await self._show_bill(request, login, export_error="page.export_empty")
        _record_reading(request, login, f"web.file.{choice.file.kind}")
        return responses.file_attachment(built.data, built.name, built.suffix)

    async def _show_bill(
        self, request: PageRequest, login: BillLogin, error: str = "", export_error: str = ""
    ) -> web.Response:
        """Show the bill, or the reason why there is none; the errors are about what was typed below it."""
        try:
            result = await _read_bill(request, login)
        except NotFound:
            return self.show_form(request, "page.refused", 200)
        has_bill = isinstance(result, Statement)
        owner = await find_owner(request, login)
        values: dict[str, object] = {
            "statement": result if has_bill else None,
            "heading": "" if not isinstance(result, Statement) or result.is_latest else result.title,
            "reason": "" if has_bill else result,
            "pdf_url": _pdf_url(request),
            "logout": {LOGOUT_FIELD: "1"},
            "section": await build_section(request, login.number),
            "paying": await _payment_section(request, login),
            "promise_field": PROMISE_FIELD,
            "error": error,
            "purchase_inputs": PURCHASE_INPUTS,
            "purchase_field": PURCHASE_FIELD,
            "activity": await activity_sections.build_activity(request, owner) if owner else (),
            "export_buttons": tuple(exports.export_buttons(request, has_bill=has_bill)) if owner else (),
            "export_inputs": exports.EXPORT_INPUTS,
            "export_field": exports.EXPORT_FIELD,
            "export_error": export_error,
        }
        return responses.html_page(request, "bill.html", "page.bill_title", values)


FORMS: Mapping[str, Callable[[BillPage, PageRequest], Awaitable[web.Response]]] = {
    LOGOUT_FIELD: BillPage._log_out,
    PURCHASE_FIELD: BillPage._save_purchases,
    exports.EXPORT_FIELD: BillPage._send_export,
    PROMISE_FIELD: BillPage._promise,
    MAIL_FIELD: BillPage._mail_code,
}
"""What answers a posted form, by the field that only this form has."""


async def _payment_section(request: PageRequest, login: BillLogin) -> PaymentSection | None:
    """Return what is shown about paying the login's bill; None for a login without one."""
    bound = await bind_login(request, login)
    if isinstance(bound, str):
        return None
    return await build_payment_section(request, bound.number, bound.bill)


async def _read_bill(request: PageRequest, login: BillLogin) -> Statement | str:
    """Return the login's bill, or the text that says why there is none; NotFound for an unknown number."""
    bound = await bind_login(request, login)
    if isinstance(bound, str):
        return bound
    billing = request.ports.billing
    newest = await _find_newest(request, bound)
    is_latest = newest is not None and newest.id == bound.bill
    bill = newest if newest and is_latest else await billing.get_bill(bound.account, bound.bill)
    lines = await billing.list_bill_lines(bound.account, bound.bill)
    _record_reading(request, bound, "web.bill")
    statement = build_statement(request, bill, lines, bound.number)
    return replace(statement, is_latest=is_latest)


async def _find_newest(request: PageRequest, login: BillLogin) -> Bill | None:
    """Return the account's newest bill, which is the login's as a rule; None while billing does not say.

    A login keeps its bill for ten minutes, in which a newer one may be issued.
    """
    try:
        newest = await request.ports.billing.list_bills(login.account, 1)
    except Failure:
        return None
    return newest[0] if newest else None


def _record_reading(request: PageRequest, login: BillLogin, action: str) -> None:
    """Record in the audit log that the login's bill was read."""
    entry = AuditEntry(request.operator, login.number, action, request.now, "web", login.bill)
    request.ports.ledger.record_audit_entry(entry)


def _typed_number(request: PageRequest) -> str:
    """Return the number typed, national or international; empty, which matches no line, if it is none."""
    return request.menu.parse_msisdn(request.form_fields.get("number", "")) or ""


def _pdf_url(request: PageRequest) -> str:
    query = f"?lang={request.language}" if request.language_requested else ""
    return f"/{request.operator}/bill.pdf{query}"
