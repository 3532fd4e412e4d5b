"""TM Forum promises to pay: payment plans of the billing account (TMF666 `paymentPlan`)."""

from collections.abc import Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any

from flows.domain.failures import InvalidRecord, NotEligible, Refused
from flows.domain.promise_records import PaymentPromise, PromiseAnswer
from storage.billing._client.answer_fields import as_object, clean_text, objects_in, parse_amount
from storage.billing._client.ownership import start_day
from storage.billing._client.paging import BssResource
from storage.billing._tmf_debits import ENDED_PLANS
from storage.billing._tmf_options import TmForumOptions
from storage.billing._tmf_reads import TmfResourceReader
from storage.billing.backend import BackendContext

PaymentPlan = Mapping[str, Any]


class AnotherPromise(Refused):
    """The account has another open promise; the BSS was not asked to change anything."""


class TmfPromises:
    """The `PromiseBilling` part of the TM Forum backend."""

    _options: TmForumOptions
    _context: BackendContext
    _reads: TmfResourceReader

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """PATCH the account's `paymentPlan` with a promise; `refused` when the BSS takes none."""
        plan, zone = self._options.promise_plan, self._context.zone
        currency = self._options.currency or self._context.currency

        def build_patch(account: BssResource) -> Mapping[str, Any]:
            if has_open_promise(account, plan, self._context.today(), zone):
                raise AnotherPromise
            return plan_patch(account, promise, plan, currency, zone)

        try:
            await self._reads.patch_account(
                promise.account, lambda account: is_promised(account, promise, plan, zone), build_patch
            )
        except AnotherPromise:
            return "one"
        except NotEligible:
            return "refused"
        return "ok"

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether the account's `paymentPlan` still has the promise, and it has not ended."""
        account = await self._reads.get_account(promise.account)
        return is_promised(account, promise, self._options.promise_plan, self._context.zone)


def is_promised(account: Mapping[str, Any], promise: PaymentPromise, plan_type: str, zone: tzinfo) -> bool:
    """Return whether the account has this promise: a plan of our type with its last day, parts and amount."""
    return any(
        _last_day(each, zone) == promise.last_day
        and each.get("numberOfPayments") == promise.parts
        and _has_amount(each, promise)
        for each in _promise_plans(account, plan_type)
    )


def has_open_promise(account: Mapping[str, Any], plan_type: str, today: date, zone: tzinfo) -> bool:
    """Return whether the account has a promise whose last day is not over."""
    days = (_last_day(each, zone) for each in _promise_plans(account, plan_type))
    return any(day is not None and day >= today for day in days)


def plan_patch(
    account: Mapping[str, Any], promise: PaymentPromise, plan_type: str, currency: str, zone: tzinfo
) -> dict[str, Any]:
    """Return the patch that adds a promise; a patch replaces whole arrays, so the other plans go along."""
    plan = {
        "planType": plan_type,
        "status": "active",
        "numberOfPayments": promise.parts,
        "priority": 1,
        "totalAmount": {"unit": currency, "value": float(promise.amount)},
        "validFor": {
            "startDateTime": promise.promised_at.isoformat(),
            "endDateTime": datetime.combine(promise.last_day, time(12), zone).isoformat(),
        },
    }
    kept = {part: account[part] for part in ("name", "relatedParty") if part in account}
    return {**kept, "paymentPlan": [*objects_in(account.get("paymentPlan")), plan]}


def _promise_plans(account: Mapping[str, Any], plan_type: str) -> list[PaymentPlan]:
    return [
        each
        for each in objects_in(account.get("paymentPlan"))
        if clean_text(each.get("planType")) == plan_type
        and clean_text(each.get("status")).lower() not in ENDED_PLANS
    ]


def _last_day(plan: PaymentPlan, zone: tzinfo) -> date | None:
    return start_day(as_object(plan.get("validFor")).get("endDateTime"), zone)


def _has_amount(plan: PaymentPlan, promise: PaymentPromise) -> bool:
    try:
        return parse_amount(as_object(plan.get("totalAmount")).get("value"), "totalAmount") == promise.amount
    except InvalidRecord:
        return False
