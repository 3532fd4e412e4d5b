"""HTTP client of payment providers: what comes in parts is read whole, what is too large is not believed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from flows.domain.failures import Down
from gateway.http.listening import serve_app
from gateway.payments.provider_client import MAX_ANSWER_BYTES, ProviderCall, ProviderClient


async def answer_padded(request: web.Request) -> web.Response:
    """Answer an object of about as many bytes as the path says."""
    return web.json_response({"padding": "x" * int(request.match_info["size"]), "id": "p-1"})


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    app = web.Application()
    app.add_routes([web.get("/{size}", answer_padded)])
    async with serve_app(app, "127.0.0.1", 0) as port:
        opened = ProviderClient(f"http://127.0.0.1:{port}", "", lambda: datetime(2026, 3, 10, tzinfo=UTC))
        yield opened
        await opened.close()


async def test_an_answer_that_comes_in_parts_is_read_whole(client: ProviderClient) -> None:
    assert (await client.call(ProviderCall("GET", "500000")))["id"] == "p-1"


async def test_an_answer_over_the_size_limit_is_not_believed(client: ProviderClient) -> None:
    with pytest.raises(Down):
        await client.call(ProviderCall("GET", str(MAX_ANSWER_BYTES)))


def test_a_client_shows_no_secret_of_its_headers() -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    shown = repr(ProviderClient("https://pay.example.net", "key-1", lambda: now, {"Authorization": "key-1"}))
    assert "pay.example.net" in shown and "key-1" not in shown
