"""Adapter of payment providers that are described as data: fills their requests, reads their answers."""

import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from flows.domain.failures import BadRequest, InvalidRecord, NotEligible, NotFound
from flows.domain.payment_records import PaymentHint, PaymentIntent, PaymentReport, RefundState, StartedPayment
from gateway.payments.answer_amounts import from_minor_units, to_minor_units
from gateway.payments.described_form import CallForm, DescribedProviderForm, SignedFormCallback
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings

CURRENCY_NUMBERS = {"EUR": "978", "MAD": "504", "RON": "946", "TND": "788"}
"""ISO 4217 numbers of the currencies."""
MAX_TEXT = 2_000
"""Characters of a text in an answer; a page's URL is the longest."""


class DescribedPayments:
    """Implements the `Payments` port for one description."""

    refund_obstacle = ""

    def __init__(
        self, form: DescribedProviderForm, settings: PaymentSettings, context: ProviderContext
    ) -> None:
        self.name, self._form, self._settings, self._context = form.name, form, settings, context
        self._key = settings.api_key.get_secret_value()
        pair = f"{settings.account}:{self._key}".encode()
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}"} if form.is_basic_auth else {}
        self._client = ProviderClient(settings.base_url, self._key, context.now, headers)

    @property
    def page_origin(self) -> str:
        """Origin of the hosted page."""
        return self._settings.pages

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Open the page; our id is the order's."""
        expires_at = intent.created_at + timedelta(minutes=self._settings.page_minutes)
        more = {"return_url": return_url, "expires_at": expires_at.isoformat(timespec="seconds")}
        answer = await self._call(self._form.start, intent, intent.amount, more)
        reference, page = read_path(answer, self._form.reference_path), read_path(answer, self._form.page_path)
        if not reference or not page:
            raise InvalidRecord("the payment provider answered no page")
        return StartedPayment(reference, page, expires_at)

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the order by our id; so an answer that was lost loses nothing."""
        return self._report(intent, await self._call(self._form.ask, intent, intent.amount, {}))

    async def close(self, intent: PaymentIntent) -> None:
        """Do nothing: the page closes at its time, and a payment until then is followed like any other."""

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Give an amount back, unless that was done before."""
        form = self._form.report
        answer = await self._call(self._form.ask, intent, amount, {})
        if any(read_path(answer, path) in values for path, values in (form.refunded or {}).items()):
            return "made"
        payment = read_path(answer, form.payment_path) if form.payment_path else ""
        await self._call(self._form.refund, intent, amount, {"payment": payment})
        return "made"

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Verify the signed field and return which payment to ask about; 401 where none is signed."""
        form = self._form.callback
        if form is None:
            raise BadRequest("callbacks of this provider are not signed", 401)
        fields = {name: values[0] for name, values in _parse_form(body).items()}
        answer, given = fields.get(form.answer_field, ""), fields.get(form.hash_field, "")
        self._verify(answer, given)
        return self._hint(form, answer, given)

    async def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Raise NotEligible: these interfaces list nothing; each payment is asked about instead."""
        raise NotEligible("this provider lists no payments")
        yield

    async def close_connections(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(
        self, form: CallForm, intent: PaymentIntent, amount: Decimal, more: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Make a call and return its answer; NotFound and NotEligible for what its error code says."""
        values = {**self._values(intent, amount), **more}
        fields: dict[str, Any] = {name: values[source] for name, source in form.fields.items()} | {**form.fixed}
        is_json = self._form.encoding == "json"
        call = ProviderCall(
            "POST",
            form.path,
            form=None if is_json else {name: str(value) for name, value in fields.items()},
            body=_nest(fields) if is_json else None,
        )
        return self._require_success(await self._client.call(call))

    def _values(self, intent: PaymentIntent, amount: Decimal) -> dict[str, Any]:
        return {
            "intent": intent.id,
            "reference": intent.reference,
            "amount": to_minor_units(amount, self._context.decimals),
            "currency": intent.currency,
            "currency_number": CURRENCY_NUMBERS[intent.currency],
            "label": intent.bill_number,
            "language": intent.language.partition("-")[0],
            "notify_url": self._context.notify_url,
            "account": self._settings.account,
            "key": self._key,
        }

    def _require_success(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        form = self._form.answers
        if all(read_path(answer, path) in values for path, values in form.succeeded.items()):
            return answer
        if read_path(answer, form.error_path) in form.missing_codes:
            raise NotFound
        raise NotEligible("the payment provider refused the call")

    def _report(self, intent: PaymentIntent, answer: Mapping[str, Any]) -> PaymentReport:
        form = self._form.report
        state = form.states.get(read_path(answer, form.state_path), "open")
        if state == "open":
            return PaymentReport("open", intent.id, intent.reference, intent.amount, intent.currency)
        return PaymentReport(
            state=state,
            intent_id=read_path(answer, form.intent_path),
            reference=intent.reference or intent.id,
            amount=self._read_amount(answer),
            currency=_currency_name(read_path(answer, form.currency_path)),
            is_test=self._is_refused_test(read_path(answer, form.mode_path), form.live_mode),
        )

    def _read_amount(self, answer: Mapping[str, Any]) -> Decimal:
        text = read_path(answer, self._form.report.amount_path)
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise InvalidRecord("the payment provider answered an unusable amount")
        return from_minor_units(int(text), self._context.decimals)

    def _verify(self, answer: str, given: str) -> None:
        """Check the signature over the field as it came, and with its slashes unescaped, as documented."""
        key = self._key.encode()
        expected = [hmac.digest(key, each.encode(), "sha256").hex() for each in _slash_forms(answer)]
        matches = [hmac.compare_digest(given.encode("utf-8", "replace"), each.encode()) for each in expected]
        if not answer or not any(matches):
            raise BadRequest("the signature does not match", 401)

    def _hint(self, form: SignedFormCallback, text: str, event: str) -> PaymentHint:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            raise BadRequest("the callback cannot be read") from None
        mode = read_path(answer, form.mode_path)
        return PaymentHint(
            event, read_path(answer, form.intent_path), "", self._is_refused_test(mode, form.live_mode)
        )

    def _is_refused_test(self, mode: str, live_mode: str) -> bool:
        return bool(live_mode) and mode != live_mode and not self._settings.test_mode


def read_path(answer: Any, path: str) -> str:
    """Return the value at a path as text; empty when there is none, or it is no text and no whole number."""
    for name in path.split(".") if path else ():
        if isinstance(answer, list) and name.isdigit() and int(name) < len(answer):
            answer = answer[int(name)]
        else:
            answer = answer.get(name) if isinstance(answer, dict) else None
    is_usable = isinstance(answer, str) or type(answer) is int
    text = str(answer) if path and is_usable else ""
    return text if len(text) <= MAX_TEXT and text.isprintable() else ""


def _currency_name(given: str) -> str:
    """Return the letters of a currency that may be given by its number."""
    return next((name for name, number in CURRENCY_NUMBERS.items() if number == given), given)


def _nest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Turn names with a dot into objects of objects."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[outer] = value
    return nested


def _slash_forms(text: str) -> tuple[str, str]:
    return text, text.replace("\\/", "/")


def _parse_form(body: bytes) -> dict[str, list[str]]:
    """Parse a form; BadRequest when it is none."""
    try:
        return parse_qs(body.decode(), max_num_fields=50)
    except ValueError:
        raise BadRequest("the callback cannot be read") from None
