"""Sign-in in Chromium at an identity provider that is not ours: node-oidc-provider, in its own process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from yarl import URL

from gateway.console.openid.identity_provider import KEYS_INTERVAL
from gateway.console.openid.openid_errors import OpenIdRefused
from tests.browser.console_page import PHONE_SCREEN
from tests.support.console_site import ConsoleServer, serve_console
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.installed_programs import run_installed
from tests.support.login_provider import CLIENT_ID, CLIENT_SECRET
from tests.support.node_identity_provider import NodeIdentityProvider
from tests.support.openid_console import BEGIN, CALLBACK, GROUPS

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class StaffBrowser:
    """A browser in front of a console whose staff sign in at a provider in another process."""

    provider: NodeIdentityProvider
    console: ConsoleServer
    page: Page

    async def sign_in(self, name: str) -> None:
        """Sign in at the provider under a name."""
        await self.page.goto(f"{self.console.url}/console/sign-in")
        await self.page.get_by_role("link", name="company account").click()
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Sign in").click()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(
    sandboxes: SandboxFactory, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[NodeIdentityProvider, ConsoleServer]]:
    """Provide the provider and a console for all tests here."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with run_installed(NodeIdentityProvider, url) as provider:
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        given = {"public_url": url, "openid": {"issuer": provider.url, **client, "groups": GROUPS}}
        folder = tmp_path_factory.mktemp("console")
        async with sandboxes.open() as sandbox, serve_console(sandbox, folder, port=port, **given) as console:
            yield provider, console


@pytest_asyncio.fixture(loop_scope="session")
async def staff(
    served: tuple[NodeIdentityProvider, ConsoleServer], browser: Browser
) -> AsyncIterator[StaffBrowser]:
    """Provide a browser without cookies; the console has the time of the provider, which is the machine's."""
    served[1].sandbox.clock.instant = datetime.now(UTC)
    page = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    yield StaffBrowser(*served, page)
    await page.context.close()


async def test_a_member_signs_in_and_a_sign_out_at_the_provider_ends_the_session_here(
    staff: StaffBrowser,
) -> None:
    await staff.sign_in("elena")
    await expect(staff.page.locator("header")).to_contain_text("elena")
    assert ("", "elena", "openid", "ok") in await staff.console.audit_entries("console.sign_in")
    await staff.page.goto(f"{staff.console.url}/console/openid/sign-out")
    await staff.page.get_by_role("button", name="Sign out").click()
    await expect(staff.page).to_have_url(f"{staff.console.url}/console/sign-in")
    await staff.page.goto(f"{staff.console.url}/console")
    await expect(staff.page.get_by_role("link", name="company account")).to_be_visible()


async def test_who_is_in_no_group_of_ours_is_told_so(staff: StaffBrowser) -> None:
    await staff.sign_in("radu")
    await expect(staff.page.locator("main")).to_contain_text("no group")
    await staff.page.goto(f"{staff.console.url}/console")
    await expect(staff.page.get_by_role("link", name="company account")).to_be_visible()


async def test_a_new_key_of_the_provider_is_found_at_the_next_sign_in(
    staff: StaffBrowser, browser: Browser
) -> None:
    await staff.sign_in("elena")
    await expect(staff.page.locator("header")).to_contain_text("elena")
    staff.provider.rotate_keys()
    staff.console.sandbox.clock.advance(2 * KEYS_INTERVAL)
    other = await browser.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    await StaffBrowser(staff.provider, staff.console, other).sign_in("elena")
    await expect(other.locator("header")).to_contain_text("elena")
    await other.context.close()


async def address_with_code(staff: StaffBrowser) -> URL:
    """Sign in at the provider as elena, and return the address that leads back, which nobody has followed."""
    session = staff.console.new_browser().session
    async with session.get(staff.console.url + BEGIN) as form:
        place = form.url
    async with session.post(place, data={"login": "elena"}, allow_redirects=False) as answer:
        place = URL(answer.headers["Location"])
    async with session.get(place, allow_redirects=False) as answer:
        return URL(answer.headers["Location"])


async def test_a_code_is_worth_nothing_in_another_browser_and_without_its_verifier(staff: StaffBrowser) -> None:
    back = await address_with_code(staff)
    assert back.path == CALLBACK and back.query["iss"] == staff.provider.url
    assert (await staff.console.new_browser().get(back.path_qs)).status == 403
    openid = staff.console.site.openid
    assert openid
    with pytest.raises(OpenIdRefused):
        await openid.provider.redeem_code(back.query["code"], "x" * 43)
