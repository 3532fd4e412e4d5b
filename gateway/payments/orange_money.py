"""Adapter of Orange Money's merchant payment: a request approved on the phone with the wallet's PIN.

Orange gives the documents of this interface to its merchants only. The calls (token, mp/init, mp/pay,
mp/paymentstatus) are as integrators describe them in public; the statuses are from memory. Try it with your
own account before real bills. It has no call that gives money back, and its callbacks are not signed.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flows.domain.failures import BadRequest, NotEligible, NotFound
from flows.domain.payment_records import (
    FailureReason,
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    RefundState,
    ReportedState,
    StartedPayment,
)
from gateway.payments.access_token import TokenBearer, basic_authorization
from gateway.payments.answer_amounts import optional_text, read_decimal, require_text
from gateway.payments.provider_client import ProviderCall
from gateway.payments.provider_context import ProviderContext
from gateway.payments.wallet_adapter import WalletAdapter
from gateway.payments.wallet_settings import WalletSettings

ROOT = "omcoreapis/1.0.2/mp"
ORDER_CHARACTERS = 20
"""Longest order id; ours is the beginning of the intent's id."""
STATES: Mapping[str, ReportedState] = {
    "SUCCESSFULL": "paid",
    "SUCCESSFUL": "paid",
    "SUCCESS": "paid",
    "FAILED": "failed",
    "CANCELLED": "failed",
    "EXPIRED": "failed",
}
"""What each status means; any other is open. Orange writes the first one with two L."""
FAILURES: Mapping[str, FailureReason] = {"CANCELLED": "rejected", "EXPIRED": "unanswered"}
UNSENT_STATUSES = frozenset({"", "INITIATED"})
"""Statuses of a payment that was prepared and never asked for."""


class OrangeMoneyPayments(WalletAdapter):
    """Implements the `WalletPayments` port."""

    name = "orange_money"
    refund_obstacle = "Orange Money gives nothing back by its interface; do it in the merchant's account"

    def __init__(self, settings: WalletSettings, context: ProviderContext) -> None:
        super().__init__(settings, context)
        self._calls = TokenBearer(self._client, _token_call(settings), _merchant_header(settings))

    async def reserve(self, intent: PaymentIntent) -> str:
        """Prepare a payment and return its token."""
        data = _read_data(*await self._calls.call(ProviderCall("POST", f"{ROOT}/init", body={})))
        return require_text(data, "payToken")

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Send the request to the payer's phone; a payment's token takes one."""
        pin = self._settings.pin
        body = {
            "notifUrl": self._context.notify_url,
            "channelUserMsisdn": self._settings.account,
            "amount": str(intent.amount),
            "subscriberMsisdn": intent.payer.removeprefix("+").removeprefix(self._settings.country_code),
            "pin": pin.get_secret_value() if pin else "",
            "orderId": _order_id(intent),
            "description": intent.bill_number,
            "payToken": intent.reference,
        }
        _read_data(*await self._calls.call(ProviderCall("POST", f"{ROOT}/pay", body=body)))
        return StartedPayment(intent.reference)

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the payment by its token; NotFound while it was not asked for."""
        if not intent.reference:
            raise NotFound
        call = ProviderCall("GET", f"{ROOT}/paymentstatus/{intent.reference}")
        data = _read_data(*await self._calls.call(call))
        status = optional_text(data, "status").upper()
        if status in UNSENT_STATUSES:
            raise NotFound
        return PaymentReport(
            state=STATES.get(status, "open"),
            intent_id=intent.id if optional_text(data, "orderId") == _order_id(intent) else "",
            reference=intent.reference,
            amount=read_decimal(data.get("amount")),
            currency=intent.currency,
            failure=FAILURES.get(status, ""),
        )

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Raise NotEligible: the interface gives nothing back; a person does so in the merchant's account."""
        raise NotEligible(self.refund_obstacle)

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Raise BadRequest 401: callbacks are not signed; the provider is asked instead."""
        raise BadRequest("callbacks of this provider are not signed", 401)


def _token_call(settings: WalletSettings) -> ProviderCall:
    basic = basic_authorization(settings.api_user, settings.api_key.get_secret_value())
    form = {"grant_type": "client_credentials"}
    return ProviderCall("POST", "token", form=form, headers={"Authorization": basic})


def _merchant_header(settings: WalletSettings) -> Mapping[str, str]:
    token = settings.merchant_token
    return {"X-AUTH-TOKEN": token.get_secret_value()} if token else {}


def _order_id(intent: PaymentIntent) -> str:
    return intent.id[:ORDER_CHARACTERS]


def _read_data(status: int, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object `data` of an answer; NotFound and NotEligible for a refused call."""
    if status == 404:
        raise NotFound
    data = answer.get("data")
    if not 200 <= status < 300 or not isinstance(data, dict):
        raise NotEligible(f"the payment provider answered {status}")
    return data
