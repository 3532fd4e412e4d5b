"""Sample facts: the widest plausible value of every fact a text may name, for the overflow check."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from flows.domain.actions import AS_OF
from flows.selfcare import contest, detail, invoice, registration, usage
from menus.model.facts import Code, Count, Email, Fact, Money, Month, Number, Rows, Text, Word

AMOUNT = Money(Decimal("99999.99"))
DAY = date(2028, 12, 28)
STATES = ("due", "part", "overdue", "paid", "credit", "cancelled")
LINK = "https://gateway.example.net/tunisie-telecom/address#" + "A" * 22
RUBRICS = tuple(map(invoice.rubric_word, invoice.RUBRICS))
CATEGORIES = tuple(Word(f"purchase.{name}") for name in usage.CATEGORIES)
ROW = (Text("12/28"), Month(2028, 12), AMOUNT, Word("short.overdue"), *(Text("TT-202812-0101"),) * 2)
LAST = (Text("28/12"), Word("usage.data"), Count(99999), Word("usage.data_unit"))
COVERED = (Number("+40740000101"), Word("registration.pending"))

VOCABULARY: Mapping[str, tuple[Fact | Rows, ...]] = {
    **dict.fromkeys(("bill", "bill_number"), (Text("TT-202812-0101"),)),
    "bills": (Rows(invoice.COLUMNS, (ROW,) * 6),),
    "month": (Month(2028, 12),),
    "row_month": (Month(2028, 12),),
    "short_month": (Text("12/28"),),
    "line": (Number("+40740000101"),),
    "said": (Number("+40740000101"),),
    **dict.fromkeys(("total", "tax", "paid", "remaining", "amount"), (AMOUNT,)),
    "subscriptions": (AMOUNT,),
    **dict.fromkeys(
        ("options", "communications", "equipment", "one_off", "third_party"), (Money(Decimal("9999.99")),)
    ),
    "due": (DAY,),
    AS_OF: (DAY,),
    "available": (DAY,),
    "state": tuple(Word(f"state.{state}") for state in STATES),
    "short_state": tuple(Word(f"short.{state}") for state in STATES),
    "way": tuple(Word(f"way.{way}") for way in ("sms", "email", "both")),
    "email": (Email("someone.with.a.long.name@mail.example.net"),),
    "code": (Code("00000000"),),
    "link": (Text(LINK),),
    "asked": (Month(2028, 12),),
    "next": (DAY,),
    "prorata": (AMOUNT,),
    "share": (AMOUNT,),
    "charge": (AMOUNT,),
    "days": (Count(28),),
    "of_days": (Count(31),),
    "user": (Number("+40740000101"),),
    "users": (Rows(detail.USERS, ((Number("+40740000101"), AMOUNT),) * 6),),
    "rubric": RUBRICS,
    "charged": (Rows(invoice.CHARGED, tuple((rubric, AMOUNT) for rubric in RUBRICS)),),
    "billed": (Rows(contest.COLUMNS, tuple((rubric, AMOUNT, Text("L-1")) for rubric in RUBRICS)),),
    "when": (Text("28/12"),),
    "what": (Word("usage.data"), Word("usage.call"), Word("usage.text")),
    "quantity": (Count(99999),),
    "unit": (Word("usage.data_unit"), Word("usage.call_unit")),
    "usage": (Rows(usage.COLUMNS, (LAST,) * 5),),
    "category": CATEGORIES,
    "bought": (Rows(usage.BOUGHT, tuple((category, AMOUNT) for category in CATEGORIES)),),
    "root": (Text("CF-100-ILE-DE-FRANCE"),),
    "roots": (Rows(("root",), ((Text("CF-100-ILE-DE-FRANCE"),),) * 9),),
    "lines": (Count(99999),),
    "reference": (Text("A" * 8),),
    "format": (Text("Factur-X"),),
    "platform": (Text("PA-0042 Exemple"),),
    "covered": (Number("+40740000101"),),
    "covered_state": tuple(Word(f"registration.{state}") for state in ("open", "pending", "done")),
    "covered_lines": (Rows(registration.COLUMNS, (COVERED,) * 4),),
    "emails": (Rows(("email",), ((Email("someone.with.a.long.name@mail.example.net"),),) * 2),),
    "challenge": (Text("4, 7, 2"),),
    "net": (AMOUNT,),
    "issued": (DAY,),
    "customer": (Text("***101"),),
    "agency": (Text("Agence commerciale, 128 avenue Mohammed V"),),
}
