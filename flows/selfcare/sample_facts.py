"""Sample facts: the widest plausible value of every fact a text may name, for the overflow check."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import get_args

from flows.domain.account_activity import ALLOWANCE_KINDS, PAYMENT_METHODS
from flows.domain.actions import AS_OF
from flows.domain.purchase_records import PURCHASE_CATEGORIES, DenialReason
from flows.domain.rubrics import LINE_RUBRICS
from flows.selfcare import (
    contest,
    detail,
    invoice,
    meter,
    payment_history,
    promise,
    purchases,
    registration,
    sellers,
    services,
    usage,
)
from flows.selfcare.email_fault import FAULT_PATTERNS
from menus.model.facts import Count, Email, Fact, Money, Month, OneTimeCode, PhoneNumber, Rows, Text, TextRef

WIDEST_AMOUNT = Money(Decimal("99999.99"))
SAMPLE_SELLER = Text("parkplus-paris")
SAMPLE_DATE = date(2028, 12, 28)
BILL_STATES = ("due", "part", "overdue", "paid", "credit", "cancelled")
SAMPLE_LINK = "https://gateway.example.net/tunisie-telecom/address#" + "A" * 22
RUBRIC_WORDS = tuple(map(invoice.rubric_word, (*LINE_RUBRICS, invoice.OTHER_RUBRIC)))
CATEGORY_WORDS = tuple(TextRef(f"purchase.{name}") for name in PURCHASE_CATEGORIES)
PAYMENT_WORDS = tuple(TextRef(f"payment.{name}") for name in (*PAYMENT_METHODS, "waiting"))
METER_TEXTS = tuple(
    TextRef(f"meter.{name}{end}") for end in ("", "_unlimited", "_used") for name in ALLOWANCE_KINDS
)
BILL_ROW = (
    Text("12/28"),
    Month(2028, 12),
    WIDEST_AMOUNT,
    TextRef("short.overdue"),
    *(Text("TT-202812-0101"),) * 2,
)
USAGE_ROW = (Text("28/12"), TextRef("usage.data"), Count(99999), TextRef("usage.data_unit"))
COVERED_STATES = tuple(
    TextRef(f"registration.{state}") for state in ("open", "pending", "done", "bounced", "delayed")
)

SAMPLE_FACTS: Mapping[str, tuple[Fact | Rows, ...]] = {
    **dict.fromkeys(("bill", "bill_number"), (Text("TT-202812-0101"),)),
    "bills": (Rows(invoice.LIST_COLUMNS, (BILL_ROW,) * 6),),
    "month": (Month(2028, 12),),
    "row_month": (Month(2028, 12),),
    "short_month": (Text("12/28"),),
    **dict.fromkeys(("line", "caller", "notify_number"), (PhoneNumber("+40740000101"),)),
    "said": (PhoneNumber("+40740000101"),),
    **dict.fromkeys(("total", "tax", "paid", "remaining", "amount"), (WIDEST_AMOUNT,)),
    "subscriptions": (WIDEST_AMOUNT,),
    **dict.fromkeys(("paying", "spent", "cap", "alert", "most"), (WIDEST_AMOUNT,)),
    "category_state": tuple(TextRef(f"purchase_state.{state}") for state in ("open", "blocked")),
    "categories": (
        Rows(
            purchases.CATEGORY_COLUMNS,
            tuple((each, TextRef("purchase_state.blocked")) for each in CATEGORY_WORDS),
        ),
    ),
    "sellers": (Rows(sellers.SELLER_COLUMNS, ((SAMPLE_SELLER, TextRef("purchase_state.blocked")),) * 6),),
    "seller": (SAMPLE_SELLER,),
    "bought_what": (Text("Stationnement zone 2 Paris"),),
    "denial": tuple(TextRef(f"denial.{reason}") for reason in get_args(DenialReason)),
    "receipt": (Text("7QK42M9T"),),
    "delay": tuple(TextRef(f"delay.{kind}") for kind in ("days", "parts")),
    "delay_parts": (Count(4),),
    **dict.fromkeys(("promised_on", "part_on"), (SAMPLE_DATE,)),
    **dict.fromkeys(("part_amount", "least"), (WIDEST_AMOUNT,)),
    "delays": tuple(
        Rows(
            promise.DELAY_COLUMNS,
            ((TextRef(f"delay.{kind}"), SAMPLE_DATE, Count(4), SAMPLE_DATE),) * 7,
        )
        for kind in ("days", "parts")
    ),
    "instalments": (Rows(promise.PART_COLUMNS, ((Count(4), WIDEST_AMOUNT, SAMPLE_DATE),) * 4),),
    "part_number": (Count(4),),
    "all_parts": (Text("99999.99 28/12/2028"),),
    "mandate": (Text("..." + "W" * 17),),
    "mandate_letters": (Text(" ".join("A" * 35)),),
    "debit_account": (Text("****4821"),),
    "collected": tuple(TextRef(f"collected.{known}") for known in ("dated", "undated")),
    "collected_on": (SAMPLE_DATE,),
    "host": (Text("checkout.payments.example.net"),),
    **dict.fromkeys(
        ("options", "communications", "equipment", "one_off", "third_party", "other"),
        (Money(Decimal("9999.99")),),
    ),
    "rest": (TextRef("rest.some"), TextRef("rest.none")),
    "calls": (Rows(invoice.CHARGE_COLUMNS, tuple((rubric, WIDEST_AMOUNT) for rubric in RUBRIC_WORDS[2:7])),),
    "due": (SAMPLE_DATE,),
    AS_OF: (SAMPLE_DATE,),
    "available": (SAMPLE_DATE,),
    "state": tuple(TextRef(f"state.{state}") for state in BILL_STATES),
    "short_state": tuple(TextRef(f"short.{state}") for state in BILL_STATES),
    "way": tuple(TextRef(f"way.{way}") for way in ("sms", "email", "both")),
    "sender": tuple(TextRef(f"sender.{sender}") for sender in ("billing", "gateway", "online")),
    "email_fault": tuple(TextRef(f"email_fault.{fault}") for fault in (*FAULT_PATTERNS, "letter")),
    "email": (Email("someone.with.a.long.name@mail.example.net"),),
    "code": (OneTimeCode("00000000"),),
    "spoken_code": (Text("482913"),),
    "link": (Text(SAMPLE_LINK),),
    "asked": (Month(2028, 12),),
    "next": (SAMPLE_DATE,),
    "prorata": (WIDEST_AMOUNT,),
    "share": (WIDEST_AMOUNT,),
    "charge": (WIDEST_AMOUNT,),
    "days": (Count(28),),
    "of_days": (Count(31),),
    "minutes": (Count(1440),),
    "user": (PhoneNumber("+40740000101"),),
    "users": (Rows(detail.USER_COLUMNS, ((PhoneNumber("+40740000101"), WIDEST_AMOUNT),) * 6),),
    "rubric": RUBRIC_WORDS,
    "charged": (Rows(invoice.CHARGE_COLUMNS, tuple((rubric, WIDEST_AMOUNT) for rubric in RUBRIC_WORDS)),),
    "billed": (
        Rows(contest.LINE_COLUMNS, tuple((rubric, WIDEST_AMOUNT, Text("L-1")) for rubric in RUBRIC_WORDS)),
    ),
    "when": (Text("28/12"),),
    "what": (TextRef("usage.data"), TextRef("usage.call"), TextRef("usage.text")),
    "quantity": (Count(99999),),
    "unit": (TextRef("usage.data_unit"), TextRef("usage.call_unit")),
    "usage": (Rows(usage.USAGE_COLUMNS, (USAGE_ROW,) * 5),),
    "category": CATEGORY_WORDS,
    "bought": (Rows(usage.PURCHASE_COLUMNS, tuple((category, WIDEST_AMOUNT) for category in CATEGORY_WORDS)),),
    "payments": (Rows(payment_history.PAYMENT_COLUMNS, ((SAMPLE_DATE, WIDEST_AMOUNT, PAYMENT_WORDS[2]),) * 6),),
    "paid_on": (SAMPLE_DATE,),
    "paid_amount": (WIDEST_AMOUNT,),
    "paid_how": PAYMENT_WORDS,
    "allowances": (
        Rows(meter.METER_COLUMNS, tuple((text, Count(99999), Count(99999)) for text in METER_TEXTS[:3])),
    ),
    "meter": METER_TEXTS,
    "used": (Count(99999),),
    "left": (Count(99999),),
    "service": (Text("A" * services.MAX_NAME_CHARS),),
    "services": (Rows(("service",), ((Text("A" * services.MAX_NAME_CHARS),),) * 6),),
    "root": (Text("CF-100-ILE-DE-FRANCE"),),
    "roots": (Rows(("root",), ((Text("CF-100-ILE-DE-FRANCE"),),) * 9),),
    "lines": (Count(99999),),
    "reference": (Text("A" * 8),),
    "answer": (Text("A"),),
    "format": (Text("Factur-X"),),
    "platform": (Text("PA-0042 Exemple"),),
    "covered": (PhoneNumber("+40740000101"),),
    "covered_state": COVERED_STATES,
    "covered_lines": tuple(
        Rows(registration.COVERED_COLUMNS, ((PhoneNumber("+40740000101"), state),) * 4)
        for state in COVERED_STATES
    ),
    "emails": (Rows(("email",), ((Email("someone.with.a.long.name@mail.example.net"),),) * 2),),
    "challenge": (Text("4, 7, 2"),),
    "net": (WIDEST_AMOUNT,),
    "issued": (SAMPLE_DATE,),
    "customer": (Text("***101"),),
    "agency": (Text("Agence commerciale, 128 avenue Mohammed V"),),
}
