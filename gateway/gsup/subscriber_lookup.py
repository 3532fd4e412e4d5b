"""Number of a subscriber by IMSI, asked over osmo-hlr's control interface (Osmocom CTRL)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.gsup.hlr_settings import HlrSettings
from gateway.gsup.ipa_frames import CONTROL_EXTENSION, OSMO_STREAM, encode_frame, read_frame

NumberLookup = Callable[[str], Awaitable[str]]
"""Returns the number of an IMSI; see `find_number`."""
_REQUEST_ID = b"1"
_NUMBER_KEY = "msisdn"


class LookupFailed(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """Raised when the HLR does not say whose an IMSI is: it is gone, silent, or answers something else."""


async def find_number(settings: HlrSettings, imsi: str) -> str:
    """Return the international digits of a subscriber's number; empty when the HLR knows none.

    Raises LookupFailed when it does not answer within `answer_seconds`.
    """
    try:
        async with asyncio.timeout(settings.answer_seconds):
            reader, writer = await asyncio.open_connection(settings.host, settings.control_port)
            try:
                return await _ask_number(reader, writer, imsi)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        raise LookupFailed(type(failure).__name__) from failure


async def _ask_number(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, imsi: str) -> str:
    request = b"GET %b subscriber.by-imsi-%b.info" % (_REQUEST_ID, imsi.encode())
    writer.write(encode_frame(OSMO_STREAM, bytes([CONTROL_EXTENSION]) + request))
    while True:
        frame = await read_frame(reader)
        if frame.stream == OSMO_STREAM and frame.payload[:1] == bytes([CONTROL_EXTENSION]):
            kind, _, rest = frame.payload[1:].decode("utf-8", "replace").partition(" ")
            if kind in ("GET_REPLY", "ERROR") and rest.partition(" ")[0] == _REQUEST_ID.decode():
                return read_number(rest) if kind == "GET_REPLY" else ""


def read_number(record: str) -> str:
    """Return the number in a subscriber's record: one line a field, its name and a tab before its value."""
    fields = dict(line.split("\t", 1) for line in record.splitlines() if "\t" in line)
    number = fields.get(_NUMBER_KEY, "").strip()
    return number if number.isascii() and number.isdecimal() else ""
