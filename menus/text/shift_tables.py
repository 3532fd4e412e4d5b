"""National language shift tables of GSM-7 (3GPP TS 23.038, annex A), for reading what phones send.

Turkish, Spanish and Portuguese phones use them to keep a text in 160 characters. We send none.
"""

from collections.abc import Mapping

from menus.text.gsm import BASIC_TABLE

ESCAPE_CODE = 0x1B
EXTENSION_TABLE: dict[int, str] = {
    **{0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\"},
    **{0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"},
}
"""The extension table by code (6.2.1.1)."""

_TURKISH_SINGLE = EXTENSION_TABLE | dict(
    zip((0x47, 0x49, 0x53, 0x63, 0x67, 0x69, 0x73), "ĞİŞçğış", strict=True)
)
_SPANISH_SINGLE = EXTENSION_TABLE | dict(
    zip((0x09, 0x41, 0x49, 0x4F, 0x55, 0x61, 0x69, 0x6F, 0x75), "çÁÍÓÚáíóú", strict=True)
)
_PORTUGUESE_SINGLE = EXTENSION_TABLE | dict(
    zip(
        (
            *(0x05, 0x09, 0x0B, 0x0C, 0x0E, 0x0F, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1F),
            *(0x41, 0x49, 0x4F, 0x55, 0x5B, 0x5C, 0x61, 0x69, 0x6F, 0x75, 0x7B, 0x7C, 0x7F),
        ),
        "êçÔôÁáΦΓΩΠΨΣΘÊÀÍÓÚÃÕÂíóúãõâ",
        strict=True,
    )
)
SINGLE_SHIFT_TABLES: Mapping[int, Mapping[int, str]] = {
    1: _TURKISH_SINGLE,
    2: _SPANISH_SINGLE,
    3: _PORTUGUESE_SINGLE,
}
"""By the national language identifier of a UDH (6.2.1.2.4): letters behind an escape."""


def _table_with(replaced: Mapping[int, str]) -> str:
    return "".join(replaced.get(code, letter) for code, letter in enumerate(BASIC_TABLE))


LOCKING_SHIFT_TABLES: Mapping[int, str] = {
    1: _table_with(dict(zip((0x04, 0x07, 0x0B, 0x0C, 0x1C, 0x1D, 0x40, 0x60), "€ıĞğŞşİç", strict=True))),
    3: _table_with(
        dict(
            zip(
                (
                    *(0x04, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0C, 0x0E, 0x0F, 0x12, 0x13, 0x14, 0x15, 0x16),
                    *(0x17, 0x18, 0x19, 0x1A, 0x1C, 0x1D, 0x1E, 0x24, 0x40, 0x5B, 0x5C, 0x5D, 0x5E),
                    *(0x60, 0x7B, 0x7C, 0x7D, 0x7E),
                ),
                "êúíóçÔôÁáªÇÀ∞^\\€Ó|ÂâÊºÍÃÕÚÜ~ãõ`ü",
                strict=True,
            )
        )
    ),
}
"""By the national language identifier of a UDH: replaces the default alphabet."""
