"""Input parsing: keys, digits, e-mail addresses, MSISDNs, dates and months as subscribers type them.

Digits of any script, accents and Arabic letter variants are accepted; an invalid value gives None.
"""

import re
import unicodedata
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from itertools import accumulate

from menus.model.facts import Month
from menus.text.masking import NUMBER_SEPARATORS

# Nothing here is cached: an input may be a password or a code.

_BIDI_MARKS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
# Letters that Unicode does not decompose, each with the form that keywords are compared in.
_LETTER_VARIANTS = str.maketrans(
    {
        **dict(zip("ٱکیىة", "اكييه", strict=True)),
        **dict.fromkeys("ءـ", ""),
        **{"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i"},
    }
)
_DOMAIN_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"(?=.{{1,64}}@)({_LOCAL_ATOM}(?:\.{_LOCAL_ATOM})*)@((?:{_DOMAIN_LABEL}\.)+[a-z]{{2,63}})")
_EMAIL_MAX_LENGTH = 254
_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})|(\d{2})(\d{2})(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{1,2})[./-](\d{4}|\d{2})|(\d{2})(\d{4}|\d{2})", re.ASCII)
_MARKED_KEY = re.compile(r"(\d{1,2}) ?[#.)]", re.ASCII)
_DIALLED_NUMBER = re.compile(r"(\+?)(\d+)", re.ASCII)
_MSISDN_MAX_DIGITS = 15
_MSISDN_MIN_DIGITS = 8
_NUMBER_SEPARATOR = re.compile(f"[{NUMBER_SEPARATORS}]")
_NUMBER_SEPARATOR = re.compile(f"[{NUMBER_SEPARATORS}]")
_AMOUNT = re.compile(r"([0-9]{1,7})(?:[.]([0-9]{1,3}))?(?:\s*[^\W\d_]{1,5}[.]?|\s*[\u20ac$])?")
_DECIMAL_MARKS = str.maketrans({",": ".", "\u066b": "."})
_DIGIT_RUN = re.compile(r"\d[\d -]*", re.ASCII)
_CARD_SEPARATORS = str.maketrans(
    {
        **dict.fromkeys(["\u00ad", "\u200b", "\u200c", "\u200d", "\u2060"], ""),
        **dict.fromkeys([*"\t\r\n./_\u00a0\u202f\u205f\u2212\u3000", *map(chr, range(0x2000, 0x200B))], " "),
        **dict.fromkeys(map(chr, range(0x2010, 0x2016)), "-"),
    }
)
"""Marks typed between the groups of a card's number, or put there by phones: as a space, a dash or nothing."""
_GROUP_SEPARATOR = re.compile("[ -]+")
_CARD_LENGTHS = range(13, 20)
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def to_ascii_digits(text: str) -> str:
    """Convert the decimal digits of any script to ASCII; bidi marks and outer spaces are removed.

    Only Unicode decimal digits are converted: a superscript two stays as it is.
    """
    if text.isascii():
        return text.strip()
    return "".join(map(_ascii_digit, text.translate(_BIDI_MARKS).strip()))


def parse_key(text: str) -> str:
    """Return the key typed, without a `#`, full stop or bracket behind its number."""
    text = to_ascii_digits(text)
    match = _MARKED_KEY.fullmatch(text)
    return match[1] if match else text


def _ascii_digit(letter: str) -> str:
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)


def fold_word(word: str) -> str:
    """Fold a text for comparison: no case, accents, punctuation or Arabic letter variants.

    Separate marks are removed first: putting a long run of them in order takes the square of its length.
    """
    unmarked = word if word.isascii() else "".join([each for each in word if not unicodedata.combining(each)])
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", unmarked).casefold())
    folded = [_FOLDED_LETTERS.get(each) for each in decomposed.translate(_LETTER_VARIANTS)]
    if None in folded:  # letters of other scripts
        folded = [_fold_letter(each) for each in decomposed.translate(_LETTER_VARIANTS)]
    return " ".join("".join(map(str, folded)).split())


def _fold_letter(letter: str) -> str:
    """Keep a letter, convert a digit, drop a mark; anything else becomes a space."""
    category = unicodedata.category(letter)
    if category[0] == "L":
        return letter
    if category[0] == "M" or category == "Cf":
        return ""
    return _ascii_digit(letter) if category == "Nd" else " "


_FOLDED_LETTERS = {chr(code): _fold_letter(chr(code)) for code in (*range(0x250), *range(0x600, 0x700))}
"""Of the Latin and Arabic scripts: looking a letter up takes a tenth of the time."""


def _without_hash(text: str) -> str:
    """Return the text in ASCII digits, without the `#` that many type behind a number as behind a code."""
    return to_ascii_digits(text).removesuffix("#").rstrip()


def parse_digits(text: str, least: int, most: int) -> str | None:
    """Parse digits, ignoring spaces and a final `#`; None unless there are `least` to `most` of them."""
    digits = "".join(_without_hash(text).split())
    is_valid = digits.isascii() and digits.isdigit() and least <= len(digits) <= most
    return digits if is_valid else None


def parse_amount(text: str, decimals: int) -> Decimal | None:
    """Parse an amount in any script's digits, with a point or a comma and maybe the currency behind it.

    None for anything else: signs, thousands' separators, more decimals than the currency has.
    """
    match = _AMOUNT.fullmatch(_without_hash(text).translate(_DECIMAL_MARKS))
    if match is None or len(match[2] or "") > decimals:
        return None
    return Decimal(f"{match[1]}.{match[2] or 0}")


def parse_email(text: str) -> str | None:
    """Parse an e-mail address, its domain to lower case; None when it is not valid (RFC 5321).

    ASCII only, at most 254 characters, 64 before the @, no quotes, no comments, a domain with a dot.
    """
    local, _, domain = text.translate(_BIDI_MARKS).strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    return address if len(address) <= _EMAIL_MAX_LENGTH and _EMAIL.fullmatch(address) else None


def parse_msisdn(
    text: str, country_code: str, trunk: str, national_lengths: Collection[int] = ()
) -> str | None:
    """Parse a phone number in national or international notation to E.164; None outside 8 to 15 digits.

    `national_lengths`: allowed numbers of digits after the own country's code; empty allows any. Lengths
    in other countries are not checked.
    """
    match = _DIALLED_NUMBER.fullmatch(_NUMBER_SEPARATOR.sub("", _without_hash(text)))
    if match is None:
        return None
    number = _international_digits(match[2], country_code, trunk, plus=bool(match[1]))
    if not _MSISDN_MIN_DIGITS <= len(number) <= _MSISDN_MAX_DIGITS or number[0] == "0":
        return None
    if (
        number.startswith(country_code)
        and national_lengths
        and len(number) - len(country_code) not in national_lengths
    ):
        return None
    return f"+{number}"


def _international_digits(digits: str, country_code: str, trunk: str, *, plus: bool) -> str:
    """Return the digits with the country code, without international or trunk prefix."""
    if not plus and digits.startswith("00"):
        return _international_digits(digits[2:], country_code, trunk, plus=True)
    # A national number may begin with the digits of the country code: only a longer one contains the code.
    has_code = digits.startswith(country_code) and len(digits) >= len(country_code) + _MSISDN_MIN_DIGITS
    if not plus and not has_code:
        return country_code + digits.removeprefix(trunk)
    if not digits.startswith(country_code):
        return digits
    return country_code + digits.removeprefix(country_code).removeprefix(trunk)


def parse_date(text: str) -> date | None:
    """Parse dd.mm.yyyy, dd/mm/yyyy, dd-mm-yyyy or ddmmyyyy; None when there is no such date."""
    match = _DATE.fullmatch(_without_hash(text))
    if match is None:
        return None
    day, month, year = (match[1], match[3], match[4]) if match[1] else (match[5], match[6], match[7])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def parse_month(text: str, today: date) -> Month | None:
    """Parse mmyy, mm/yy, mmyyyy or mm/yyyy; a two-digit year is the one nearest to today's."""
    match = _MONTH.fullmatch(_without_hash(text))
    if match is None:
        return None
    month, year = (match[1], match[2]) if match[1] else (match[3], match[4])
    full_year = int(year) if len(year) == 4 else _nearest_year(int(year), today.year)
    return Month(full_year, int(month)) if 1 <= int(month) <= 12 and full_year else None


def possible_number(text: str) -> str | None:
    """Return the text in ASCII digits if it can be a phone number; `parse_msisdn` needs the country."""
    return _without_hash(text) if parse_msisdn(text, "1", "0") else None


def possible_month(text: str) -> str | None:
    """Return the text in ASCII digits if it can be a month; `parse_month` needs today's date."""
    digits = "".join(_without_hash(text).split())
    return digits if parse_month(digits, date(2000, 1, 1)) else None


def _nearest_year(short: int, year: int) -> int:
    """Return the year nearest to `year` that ends in the two digits `short`."""
    return year - 50 + (short - year + 50) % 100


def is_card_like(text: str) -> bool:
    """Return whether the text contains 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1).

    Spaces, line breaks, dashes, full stops, slashes and invisible marks between the digits are ignored;
    further digits set off by one do not hide them. One in ten other numbers of that length passes, too: use
    it to reject a text, not as proof of a card. Takes time in proportion to the text.
    """
    plain = to_ascii_digits(text).translate(_CARD_SEPARATORS)
    return any(map(_holds_card_number, _DIGIT_RUN.findall(plain)))


def _holds_card_number(run: str) -> bool:
    """Return whether neighbouring groups of the run's digits have a card number's length and check digit.

    Seven lengths are tried from the beginning of each group, each in constant time by sums up to a digit.
    """
    groups = _GROUP_SEPARATOR.split(run.strip(" -"))
    digits, ends = "".join(groups), list(accumulate(map(len, groups)))
    if len(digits) < _CARD_LENGTHS.start:
        return False
    sums, group_ends = _luhn_sums(digits), set(ends)
    return any(
        end in group_ends and (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0
        for start in (0, *ends[:-1])
        for end in range(start + _CARD_LENGTHS.start, start + _CARD_LENGTHS.stop)
    )


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Return the sums of the first 0, 1, 2... digits with those at even indexes doubled, and with the odd ones.

    A number whose last digit has an odd index doubles the digits with even ones, and the other way round.
    """
    values = [int(digit) for digit in digits]
    doubled = [_LUHN_DOUBLED[value] for value in values]
    even, odd = values[:], values[:]
    even[::2], odd[1::2] = doubled[::2], doubled[1::2]
    return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))
