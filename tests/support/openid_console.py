"""A served console whose staff sign in at a provider that is served, too."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.console_site import ConsoleServer, StaffMember, serve_console
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.login_provider import CLIENT_ID, CLIENT_SECRET, LoginProvider
from tests.support.page_client import PageResponse

C = TypeVar("C")
GROUPS = {
    "staff": {"roles": ["support"], "operators": ["orange-ro"]},
    "night shift": {"roles": ["operations"], "operators": ["orange-fr"]},
}
BEGIN, CALLBACK, LOGOUT = "/console/openid", "/console/openid/callback", "/console/openid/logout"


@dataclass
class OpenIdConsole:
    """A console and its provider, both served."""

    provider: LoginProvider
    console: ConsoleServer

    async def sign_in(self, browser: StaffMember) -> PageResponse:
        """Go through the whole sign-in, and return the page that the provider leads back to."""
        return await browser.get(BEGIN)

    async def statuses(self, cases: Mapping[str, C], set_case: Callable[[C], None]) -> dict[str, int]:
        """Return the status of a sign-in in each case, 0 where somebody was signed in."""
        found = {}
        for name, case in cases.items():
            set_case(case)
            browser = self.console.new_browser()
            page = await self.sign_in(browser)
            found[name] = 0 if browser.session_token else page.status
        return found

    async def home(self, browser: StaffMember) -> str:
        """Return what the browser sees of the console."""
        return (await browser.get("/console")).visible_text


@pytest.fixture
async def served(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[OpenIdConsole]:
    """Provide a console with a provider and a file of users."""
    provider, port = LoginProvider(sandbox.clock), free_port()
    async with AsyncExitStack() as stack:
        await provider.serve(stack)
        provider.callback = f"http://127.0.0.1:{port}{CALLBACK}"
        openid = {
            "issuer": provider.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "groups": GROUPS,
        }
        console = await stack.enter_async_context(
            serve_console(sandbox, tmp_path, port=port, public_url=f"http://127.0.0.1:{port}", openid=openid)
        )
        yield OpenIdConsole(provider, console)
