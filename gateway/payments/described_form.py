"""Description of a payment provider's interface as data: calls, answers, callbacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flows.domain.payment_records import ReportedState

FieldSource = Literal[
    "intent",
    "reference",
    "amount",
    "currency",
    "currency_number",
    "label",
    "language",
    "return_url",
    "notify_url",
    "expires_at",
    "account",
    "key",
    "payment",
]
"""What a field of a request holds; `payment` is the provider's id of the payment to give back."""


@dataclass(frozen=True, slots=True)
class CallForm:
    """One call: its path below the interface's address and its fields, nested ones with dots."""

    path: str
    fields: Mapping[str, FieldSource]
    fixed: Mapping[str, str]
    """Fields that are always the same."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """Where an answer holds what; paths are names and list positions with dots between."""

    succeeded: Mapping[str, frozenset[str]]
    """Path -> values of a call that has worked, all of them; a path that is missing is as its empty text."""
    error_path: str
    """Where the error code is, when it has not."""
    missing_codes: frozenset[str]
    """Error codes that say: no such payment."""


@dataclass(frozen=True, slots=True)
class ReportForm:
    """Where the answer about a payment holds what."""

    state_path: str
    states: Mapping[str, ReportedState]
    """What each status means; any other is open."""
    intent_path: str
    amount_path: str
    """Amount in the currency's smallest unit."""
    currency_path: str
    mode_path: str = ""
    """Whether it is a test; empty where the interface does not say."""
    live_mode: str = ""
    payment_path: str = ""
    """Id of the payment to give back; empty where it is our reference."""
    refunded: Mapping[str, frozenset[str]] | None = None
    """Path -> values of a payment that was given back already, any of them."""


@dataclass(frozen=True, slots=True)
class SignedFormCallback:
    """A callback as a form with one signed field: hexadecimal HMAC-SHA-256 with the account's key."""

    answer_field: str
    hash_field: str
    intent_path: str
    mode_path: str
    live_mode: str


@dataclass(frozen=True, slots=True)
class DescribedProviderForm:
    """Everything an interface of this kind differs in."""

    name: str
    api_url: str
    page_origin: str
    encoding: Literal["json", "form"]
    is_basic_auth: bool
    """Whether account and key go in the Authorization header; if not, they are fields."""
    answers: AnswerForm
    start: CallForm
    reference_path: str
    page_path: str
    ask: CallForm
    report: ReportForm
    refund: CallForm
    callback: SignedFormCallback | None = None
    """None where callbacks are not signed: the provider is asked instead."""
