"""A port in use stops the start with the setting's name."""

import pytest
from aiohttp import web

from gateway.http.listening import PortTakenError, serve_app


@pytest.mark.parametrize("setting", ["PORT", "internal_port"])
async def test_a_taken_port_names_its_setting(setting: str) -> None:
    async with serve_app(web.Application(), "127.0.0.1", 0) as port:
        with pytest.raises(PortTakenError, match=f"^{setting}: port {port} of 127.0.0.1 is in use; "):
            async with serve_app(web.Application(), "127.0.0.1", port, port_setting=setting):
                pass
