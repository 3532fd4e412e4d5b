"""Starts Payfake on a loopback port and returns settings that use it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from gateway.demo.payfake import Payfake, payment_settings
from gateway.http.listening import serve_app


@asynccontextmanager
async def serve_payfake(
    operators: Iterable[str], payfake: Payfake | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Serve a payment provider for these operators and yield the settings that use it."""
    provider = payfake or Payfake(lambda: datetime.now(UTC))
    async with serve_app(provider.create_app(), "127.0.0.1", 0) as port:
        provider.url = f"http://127.0.0.1:{port}"
        yield {"operators": {name: {"payments": payment_settings(provider.url)} for name in operators}}
