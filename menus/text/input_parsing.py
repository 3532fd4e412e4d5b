"""What subscribers type, read generously: any script's digits, any accents, and nothing half valid."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import date
from itertools import accumulate

from menus.model.facts import Month

# Nothing here is cached: what passes through may be a password or a code.

_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
# Letters Unicode does not take apart, each with the form that keywords are compared in.
_ALIKE = str.maketrans(
    {
        **dict(zip("ٱکیىة", "اكييه", strict=True)),
        **dict.fromkeys("ءـ", ""),
        **{"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i"},
    }
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"(?=.{{1,64}}@)({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+[a-z]{{2,63}})")
_EMAIL_LIMIT = 254
_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})|(\d{2})(\d{2})(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{1,2})[./-](\d{4}|\d{2})|(\d{2})(\d{4}|\d{2})", re.ASCII)
_KEYED = re.compile(r"(\d{1,2}) ?[#.)]", re.ASCII)
_DIALLED = re.compile(r"(\+?)(\d+)", re.ASCII)
_LONGEST = 15
_SHORTEST = 8
_DIGIT_RUN = re.compile(r"\d[\d -]*", re.ASCII)
_CARD_DIGITS = range(13, 20)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def digits_of(text: str) -> str:
    """The text with the decimal digits of any script in ASCII, bidi marks and outer spaces gone.

    Only what Unicode calls a decimal digit counts: a superscript two stays what it is.
    """
    marked = text.translate(_BIDI).strip()
    return marked if marked.isascii() else "".join(map(_digit, marked))


def key_of(text: str) -> str:
    """The key typed, without the `#`, full stop or bracket people put behind a number they choose."""
    typed = digits_of(text)
    marked = _KEYED.fullmatch(typed)
    return marked[1] if marked else typed


def _digit(letter: str) -> str:
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)


def folded(word: str) -> str:
    """The form keywords are compared in: no case, accents, punctuation or Arabic letter variants."""
    split = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return " ".join("".join(map(_kept, split.translate(_ALIKE))).split())


def _kept(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind[0] == "L":
        return letter
    if kind[0] == "M" or kind == "Cf":
        return ""
    return _digit(letter) if kind == "Nd" else " "


def as_digits(text: str, least: int, most: int) -> str | None:
    """The ASCII digits typed, spaces between and a `#` behind them forgiven; None unless `least` to `most`."""
    typed = "".join(digits_of(text).split()).removesuffix("#")
    fits = typed.isascii() and typed.isdigit() and least <= len(typed) <= most
    return typed if fits else None


def as_email(text: str) -> str | None:
    """The address with its domain in lower case; None when RFC 5321 or a plain reading forbids it.

    ASCII only, at most 254 characters, 64 before the @, no quotes, no comments, a domain with a dot.
    """
    local, _, domain = text.translate(_BIDI).strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    return address if len(address) <= _EMAIL_LIMIT and _EMAIL.fullmatch(address) else None


def as_msisdn(text: str, country_code: str, trunk: str, national: Collection[int] = ()) -> str | None:
    """The number in E.164 with its plus, from any way people write it; None outside 8 to 15 digits.

    `national` says how many digits numbers of the country have behind its code, any when empty; what
    other countries have is not known here.
    """
    dialled = _DIALLED.fullmatch(re.sub(r"[\s().\-/]", "", digits_of(text)))
    if dialled is None:
        return None
    number = _international(dialled[2], country_code, trunk, plus=bool(dialled[1]))
    if not _SHORTEST <= len(number) <= _LONGEST or number[0] == "0":
        return None
    ours = number.startswith(country_code)
    return None if ours and national and len(number) - len(country_code) not in national else f"+{number}"


def _international(digits: str, country_code: str, trunk: str, *, plus: bool) -> str:
    if not plus and digits.startswith("00"):
        return _international(digits[2:], country_code, trunk, plus=True)
    # A bare national number may open like the country code: only a longer one holds it.
    bare = digits.startswith(country_code) and len(digits) >= len(country_code) + _SHORTEST
    if not plus and not bare:
        return country_code + digits.removeprefix(trunk)
    if not digits.startswith(country_code):
        return digits
    return country_code + digits.removeprefix(country_code).removeprefix(trunk)


def as_date(text: str) -> date | None:
    """The day typed as dd.mm.yyyy, dd/mm/yyyy, dd-mm-yyyy or ddmmyyyy; None when there is none such."""
    found = _DATE.fullmatch(digits_of(text))
    if found is None:
        return None
    day, month, year = (found[1], found[3], found[4]) if found[1] else (found[5], found[6], found[7])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def as_month(text: str, today: date) -> Month | None:
    """The month typed as mmyy, mm/yy, mmyyyy or mm/yyyy; two digits mean the year nearest to today's."""
    found = _MONTH.fullmatch(digits_of(text))
    if found is None:
        return None
    month, year = (found[1], found[2]) if found[1] else (found[3], found[4])
    whole = int(year) if len(year) == 4 else _nearest(int(year), today.year)
    return Month(whole, int(month)) if 1 <= int(month) <= 12 and whole else None


def number_like(text: str) -> str | None:
    """What was typed, when it can be a phone number; `as_msisdn` says which, for whoever knows the country."""
    return digits_of(text) if as_msisdn(text, "1", "0") else None


def month_like(text: str) -> str | None:
    """What was typed, when it can be a month; `as_month` says which, for whoever knows the day."""
    typed = "".join(digits_of(text).split())
    return typed if as_month(typed, date(2000, 1, 1)) else None


def _nearest(short: int, year: int) -> int:
    return year - 50 + (short - year + 50) % 100


def is_card_like(text: str) -> bool:
    """Do 13 to 19 digits, spaces and dashes aside, pass Luhn's check (ISO/IEC 7812-1)?

    Digits that stand before or after them, set off by a space or a dash, hide nothing. One other
    number of that length in ten passes too: this may refuse a text, never prove a card.
    """
    runs = [re.split("[ -]+", run.strip(" -")) for run in _DIGIT_RUN.findall(digits_of(text))]
    return any(_luhn(digits) for groups in runs for digits in _card_sized(groups))


def _card_sized(groups: list[str]) -> Iterator[str]:
    """Neighbouring groups of digits, joined, where they come to a card's length."""
    for start in range(len(groups)):
        for digits in accumulate(groups[start : start + _CARD_DIGITS.stop]):
            if len(digits) in _CARD_DIGITS:
                yield digits


def _luhn(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
