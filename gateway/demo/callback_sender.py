"""Sender of the stand-ins' callbacks: one try of a few seconds, with no retry."""

from collections.abc import Mapping
from typing import Literal

from aiohttp import ClientError, ClientSession, ClientTimeout

SEND_TIMEOUT = ClientTimeout(total=5)
JSON_HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}


async def send_callback(
    method: Literal["POST", "PUT"], url: str, body: bytes, headers: Mapping[str, str] = JSON_HEADERS
) -> bool:
    """Send a callback's body and return whether it was answered, whatever the status."""
    try:
        async with ClientSession(timeout=SEND_TIMEOUT) as client:
            async with client.request(method, url, data=body, headers=headers):
                return True
    except (ClientError, TimeoutError):
        return False
