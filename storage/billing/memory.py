"""In-memory billing backend: bills of the demo world or of a YAML file, lost when the process ends."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import fields
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml

from flows.domain.account_activity import (
    Allowance,
    BookedPayment,
    DirectDebit,
    LiveAccount,
    SubscribedService,
    payment_method,
)
from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.payment_records import BillPayment, BookingOutcome
from flows.domain.promise_records import PaymentPromise, PromiseAnswer
from flows.domain.purchase_records import BillCharge
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from storage.billing._client.answer_fields import parse_amount
from storage.billing._client.bill_order import usable_bills
from storage.billing._client.bill_state import bill_state
from storage.billing._client.currency import CurrencyRule, outstanding_amount, round_amount
from storage.billing._client.cycle_pages import CycleReader, parse_records
from storage.billing._client.ownership import (
    OwnershipClaim,
    collect_numbers,
    select_holder,
    select_owner,
)
from storage.billing._sql_activity import entry_rubric
from storage.billing.backend import BackendContext
from storage.demo.world import OperatorRows, build_operator_rows, load_demo_world

T = TypeVar("T")
PAGE_SIZE = 1_000
"""Bills per page of a billing cycle."""
RowMapping = dict[str, Any]


class MemoryBilling:
    """`Billing` port over rows in memory: the reference the contract tests compare others with."""

    capabilities: Collection[Capability] = get_args(Capability)

    def __init__(self, rows: OperatorRows, today: Callable[[], date]) -> None:
        self._rows, self._today = rows, today
        self._booked_keys: set[str] = set()
        self._promises: list[PaymentPromise] = []

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        claims = [_ownership_claim(each) for each in self._rows.people if each["msisdn"] == msisdn]
        return _to_record(Subscriber, select_owner(claims, msisdn, self._today()))

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; bills dated in the future are left out.

        Raises InvalidRecord when the newest cannot be used: the one before must not pass for the latest.
        """
        own = self._issued_rows(account)
        newest_first = usable_bills(own, self._to_bill, lambda row: row["issued"], self._today())
        return newest_first[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        return self._to_bill(_first_row(self._issued_rows(account), id=bill_id))

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        numbered = enumerate(self._rows.lines)
        own = [{**row, "id": str(place)} for place, row in numbered if row["bill"] == bill_id]
        return CurrencyRule(rounding=self._rows.currency).round_bill_lines(
            _to_record(BillLine, {**row, "amount": parse_amount(row["amount"], "amount")}) for row in own
        )

    async def read_live_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill; nothing is cached."""
        return await self.get_bill(account, bill_id)

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return the newest bills and the mandate; nothing is cached."""
        return LiveAccount(await self.list_bills(account, limit), await self.find_debit(account))

    async def find_booking(self, payment: BillPayment) -> bool:
        """Return whether this key was booked."""
        return payment.key in self._booked_keys

    async def book_payment(self, payment: BillPayment) -> BookingOutcome:
        """Lower what remains of the bill, once per key."""
        row = _first_row(self._issued_rows(payment.account), id=payment.bill_id)
        if payment.key in self._booked_keys:
            return "already"
        if row.get("cancelled") or row["remaining"] < payment.amount:
            return "excess"
        row["remaining"] -= payment.amount
        self._booked_keys.add(payment.key)
        self._rows.payments.append(
            {
                "key": payment.key,
                "account": payment.account,
                "bill": payment.bill_id,
                "amount": payment.amount,
                "provider": payment.provider,
                "at": payment.received_at,
            }
        )
        return "booked"

    async def record_promise(self, promise: PaymentPromise) -> PromiseAnswer:
        """Keep a promise, once per id; `one` while another of the account is open."""
        own = [each for each in self._promises if each.account == promise.account]
        if any(each.id == promise.id for each in own):
            return "ok"
        if any(each.is_open(self._today()) for each in own):
            return "one"
        self._promises.append(promise)
        return "ok"

    async def has_promise(self, promise: PaymentPromise) -> bool:
        """Return whether this promise was recorded."""
        return any(each.id == promise.id for each in self._promises)

    async def add_charge(self, charge: BillCharge) -> bool:
        """Add a charge to the purchases that are on no bill yet, once per key."""
        if charge.key in self._booked_keys:
            return False
        self._booked_keys.add(charge.key)
        about = {"account": charge.account, "what": "purchases", "at": charge.charged_on}
        what = {"kind": charge.category, "amount": charge.amount, "label": charge.label, "quantity": 1}
        self._rows.entries.append({**about, **what, "user": "", "centre": ""})
        return True

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; NotFound for an unknown account."""
        person = _first_row(self._rows.people, account=account)
        return BillDestination(person["media"], person["email"])

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Set paper or e-mail, and the address; False when it is already set."""
        if destination.is_met_by(await self.get_media(account)):
            return False
        email = {"email": destination.email, "email_validated": True} if destination.email else {}
        return self._change_people(account, {"media": destination.media, **email})

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Set the postal address; False when it is already set."""
        if _first_row(self._rows.people, account=account)["address"] == address:
            return False
        return self._change_people(account, {"address": address})

    def _change_people(self, account: str, values: RowMapping) -> bool:
        for person in self._rows.people:
            if person["account"] == account:
                person.update(values)
        return True

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases, newest first."""
        own = [row for row in self._rows.entries if row["account"] == account and row["what"] == what]
        newest = sorted(enumerate(own), key=lambda placed: (placed[1]["at"], placed[0]), reverse=True)
        return [_to_record(UsageEntry, row) for _, row in newest[:limit]]

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first."""
        own = [row for row in self._rows.payments if row["account"] == account]
        newest = sorted(own, key=lambda row: row["key"])
        newest.sort(key=lambda row: row["at"], reverse=True)
        return [self._to_payment(row) for row in newest[:limit]]

    def _to_payment(self, row: RowMapping) -> BookedPayment:
        day, method = row["at"].astimezone(self._rows.zone).date(), payment_method(row["provider"])
        return BookedPayment(day, row["amount"], method, row["bill"], row["key"])

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return usage and purchases since the day of the newest bill, that day included."""
        last = max((row["issued"] for row in self._issued_rows(account)), default=date.min)
        own = [row for row in self._rows.entries if row["account"] == account and row["at"] >= last]
        return [
            _to_record(BillLine, {"user": "", **row, "rubric": entry_rubric(row["what"], row["kind"])})
            for row in own
        ]

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used in the current period."""
        own = [row for row in self._rows.allowances if row["account"] == account and row["user"] == msisdn]
        return [
            _to_record(Allowance, {**row, "is_unlimited": row["granted"] is None})
            for row in sorted(own, key=lambda row: row["kind"])
        ]

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return what the account's lines subscribe to."""
        return [_to_record(SubscribedService, row) for row in self._rows.services if row["account"] == account]

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate."""
        own = [row for row in self._rows.debits if row["account"] == account]
        return _to_record(DirectDebit, own[0]) if own else None

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's document unchanged; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        return _to_record(BillDocument, _first_row(self._rows.documents, bill=bill_id))

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, a page at a time."""
        end = min(last, self._today())
        rows = [row for row in self._rows.bills if first <= row["issued"] <= end]
        for start in range(0, len(rows), PAGE_SIZE):
            bills, rejected = parse_records(
                rows[start : start + PAGE_SIZE], self._to_bill, lambda row: row["id"]
            )
            page = await CycleReader().pair_with_holders(bills, self.get_account_holder)
            yield CyclePage(page, (*rejected, *page.rejected), page.without_holder)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first line; else NotFound."""
        claims = [_ownership_claim(each) for each in self._rows.people if each["account"] == account]
        return _to_record(Subscriber, select_holder(claims, account, self._today()))

    def _issued_rows(self, account: str) -> list[RowMapping]:
        today = self._today()
        return [row for row in self._rows.bills if row["account"] == account and row["issued"] <= today]

    def _to_bill(self, row: RowMapping) -> Bill:
        cancelled, currency = bool(row.get("cancelled")), self._rows.currency
        amounts = {
            each: round_amount(parse_amount(row[each], each), currency)
            for each in ("total", "tax", "remaining")
        }
        amounts["remaining"] = outstanding_amount(amounts["total"], amounts["remaining"])
        state = bill_state(
            amounts["total"], amounts["remaining"], row["due"], self._today(), cancelled=cancelled
        )
        return _to_record(Bill, {**row, **amounts, "state": state})


def _ownership_claim(person: RowMapping) -> OwnershipClaim[RowMapping]:
    return OwnershipClaim(
        person, frozenset([person["account"]]), collect_numbers(person["msisdn"]), starts=person["since"]
    )


def _first_row(rows: Iterable[RowMapping], **wanted: str) -> RowMapping:
    """Return the first row with these values; NotFound when there is none."""
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            return row
    raise NotFound


def _to_record(cls: type[T], row: RowMapping) -> T:
    """Build a record from those keys of the row that are its fields."""
    return cls(**{each.name: row[each.name] for each in fields(cls) if each.name in row})  # type: ignore[arg-type]


def connect(path: str, context: BackendContext) -> MemoryBilling:
    """Return the backend for this operator's people in the demo world, or in a YAML file of the same form.

    Bills are computed as of the day the process starts. ValueError when the operator is not in it.
    """
    now = datetime.combine(context.today(), time(12), context.zone)
    try:
        world = yaml.safe_load(Path(path).read_text(encoding="utf-8")) if path else load_demo_world()
        return MemoryBilling(build_operator_rows(context.operator, now, world), context.today)
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        source = path or "the demo world"
        raise ValueError(
            f"billing: {source} does not tell of {context.operator}, or not in its form"
        ) from error
