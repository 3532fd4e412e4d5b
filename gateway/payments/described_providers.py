"""Described payment providers: PayZen (France) and ClicToPay (Tunisia).

Nothing here was recorded from a live account, and only part was checked against a document: PayZen's payment
link (Charge/CreatePaymentOrder of Lyra's REST interface V4, November 2026). Its Order/Get,
Transaction/CancelOrRefund, kr-answer and kr-hash, and ClicToPay's register.do, getOrderStatusExtended.do and
refund.do are as published clients are known to use them. No signed callback of ClicToPay's is documented, so
none is accepted.
"""

from collections.abc import Mapping

from gateway.payments.described_form import (
    AnswerForm,
    CallForm,
    DescribedProviderForm,
    ReportForm,
    SignedFormCallback,
)

PAYZEN = DescribedProviderForm(
    name="payzen",
    api_url="https://api.payzen.eu/api-payment/V4",
    page_origin="https://secure.payzen.eu",
    encoding="json",
    is_basic_auth=True,
    answers=AnswerForm({"status": frozenset({"SUCCESS"})}, "answer.errorCode", frozenset({"PSP_010"})),
    start=CallForm(
        "Charge/CreatePaymentOrder",
        {
            "amount": "amount",
            "currency": "currency",
            "orderId": "intent",
            "expirationDate": "expires_at",
            "returnUrl": "return_url",
            "ipnTargetUrl": "notify_url",
        },
        {"channelOptions.channelType": "URL", "dataCollectionForm": "false"},
    ),
    reference_path="answer.paymentOrderId",
    page_path="answer.paymentURL",
    ask=CallForm("Order/Get", {"orderId": "intent"}, {}),
    report=ReportForm(
        state_path="answer.orderStatus",
        states={"PAID": "paid"},
        intent_path="answer.orderDetails.orderId",
        amount_path="answer.transactions.0.amount",
        currency_path="answer.transactions.0.currency",
        mode_path="answer.orderDetails.mode",
        live_mode="PRODUCTION",
        payment_path="answer.transactions.0.uuid",
        refunded={
            "answer.transactions.0.operationType": frozenset({"CREDIT"}),
            "answer.transactions.0.detailedStatus": frozenset({"CANCELLED"}),
        },
    ),
    refund=CallForm(
        "Transaction/CancelOrRefund",
        {"uuid": "payment", "amount": "amount", "currency": "currency"},
        {"resolutionMode": "AUTO"},
    ),
    callback=SignedFormCallback(
        "kr-answer", "kr-hash", "orderDetails.orderId", "orderDetails.mode", "PRODUCTION"
    ),
)
CLICTOPAY = DescribedProviderForm(
    name="clictopay",
    api_url="https://ipay.clictopay.com/payment/rest",
    page_origin="https://ipay.clictopay.com",
    encoding="form",
    is_basic_auth=False,
    answers=AnswerForm({"errorCode": frozenset({"", "0"})}, "errorCode", frozenset({"6"})),
    start=CallForm(
        "register.do",
        {
            "userName": "account",
            "password": "key",
            "orderNumber": "intent",
            "amount": "amount",
            "currency": "currency_number",
            "returnUrl": "return_url",
            "language": "language",
        },
        {},
    ),
    reference_path="orderId",
    page_path="formUrl",
    ask=CallForm(
        "getOrderStatusExtended.do", {"userName": "account", "password": "key", "orderNumber": "intent"}, {}
    ),
    report=ReportForm(
        state_path="orderStatus",
        states={"2": "paid", "4": "paid", "3": "failed", "6": "failed"},
        intent_path="orderNumber",
        amount_path="amount",
        currency_path="currency",
        refunded={"orderStatus": frozenset({"3", "4"})},
    ),
    refund=CallForm(
        "refund.do",
        {"userName": "account", "password": "key", "orderId": "reference", "amount": "amount"},
        {},
    ),
)
DESCRIBED_PROVIDERS: Mapping[str, DescribedProviderForm] = {each.name: each for each in (PAYZEN, CLICTOPAY)}
