"""The vocabulary: every fact a text may name, with its widest plausible values."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from menus.facts import Code, Email, Fact, Money, Month, Number, Rows, Text, Word

AMOUNT = Money(Decimal("99999.99"))
DAY = date(2028, 12, 28)
STATES = ("due", "part", "overdue", "paid", "credit", "cancelled")
LINK = "https://gateway.example.net/tunisie-telecom/address#" + "A" * 22
COLUMNS = ("short_month", "row_month", "amount", "short_state", "bill")
ROW = (Text("12/28"), Month(2028, 12), AMOUNT, Word("short.overdue"), Text("TT-202812-0101"))

VOCABULARY: Mapping[str, tuple[Fact | Rows, ...]] = {
    "bill": (Text("TT-202812-0101"),),
    "bills": (Rows(COLUMNS, (ROW,) * 6),),
    "month": (Month(2028, 12),),
    "row_month": (Month(2028, 12),),
    "short_month": (Text("12/28"),),
    "line": (Number("+40740000101"),),
    **dict.fromkeys(("total", "tax", "remaining", "amount"), (AMOUNT,)),
    "subscriptions": (AMOUNT,),
    **dict.fromkeys(
        ("options", "communications", "equipment", "one_off", "third_party"), (Money(Decimal("9999.99")),)
    ),
    "due": (DAY,),
    "available": (DAY,),
    "state": tuple(Word(f"state.{state}") for state in STATES),
    "short_state": tuple(Word(f"short.{state}") for state in STATES),
    "way": tuple(Word(f"way.{way}") for way in ("sms", "email", "both")),
    "email": (Email("someone.with.a.long.name@mail.example.net"),),
    "code": (Code("00000000"),),
    "link": (Text(LINK),),
    "agency": (Text("Agence commerciale, 128 avenue Mohammed V"),),
}
