"""Sign-in by OpenID Connect in a real browser: from another site's provider back to strict cookies of ours."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.console_page import axe_source as axe_source
from tests.browser.console_page import find_faults
from tests.browser.console_page import small_page as small_page
from tests.support.console_site import serve_console
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.login_provider import CLIENT_ID, CLIENT_SECRET, LoginProvider
from tests.support.openid_console import CALLBACK, GROUPS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_comes_back_from_another_site_is_signed_in_and_led_on(
    sandboxes: SandboxFactory, tmp_path: Path, small_page: Page, axe_source: str
) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(sandboxes.open())
        provider = LoginProvider(sandbox.clock, f"http://127.0.0.1:{port}{CALLBACK}")
        await provider.serve(stack)
        provider.url = provider.url.replace("127.0.0.1", "localhost")
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        openid = {"issuer": provider.url, **client, "groups": GROUPS}
        given = {"public_url": f"http://127.0.0.1:{port}", "openid": openid}
        await stack.enter_async_context(serve_console(sandbox, tmp_path, port=port, **given))
        await small_page.goto(f"http://127.0.0.1:{port}/console/sign-in")
        assert await find_faults(small_page, axe_source) == []
        await small_page.get_by_role("link", name="company account").click()
        await expect(small_page.locator("header")).to_contain_text("elena")
        assert await find_faults(small_page, axe_source) == []
