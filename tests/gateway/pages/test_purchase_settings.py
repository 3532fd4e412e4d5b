"""Purchase settings on the bill page, behind the line's code (B13 to B17)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from flows.domain.purchase_records import SpendPolicy
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import (
    PageResponse,
    PageServer,
    PageVisitor,
    build_pages,
    parse_strictly,
    serve_pages,
)
from tests.support.page_client import sandboxes as sandboxes

LUC, ZOE, PAGE = "+33660000101", "+33660000102", "/bouygues/bill"


@dataclass
class Settings:
    """A visitor with the bill page of a line open."""

    server: PageServer
    visitor: PageVisitor
    page: PageResponse
    line: str

    async def send(self, **fields: str) -> PageResponse:
        token = {"form_token": self.page.hidden_fields["form_token"]}
        self.page = await self.visitor.post(PAGE, token | fields)
        return self.page

    async def policy(self) -> SpendPolicy | None:
        policies = self.server.sandbox.container.operators["bouygues"].policies
        assert policies
        return await policies.find_policy("bouygues", f"bouygues-{self.line[1:]}")

    async def texts(self) -> list[str]:
        return [each.body for each in await self.server.sandbox.messages.collect_new()]


async def open_settings(server: PageServer, line: str) -> Settings:
    await server.phone.send_text(line, "61064", "CODE")
    texts = [each.body for each in await server.sandbox.messages.collect_new() if each.kind == "code"]
    code = next(word for word in texts[-1].replace(",", " ").split() if word.isdecimal() and len(word) == 6)
    visitor = server.new_visitor()
    return Settings(server, visitor, await visitor.submit(PAGE, number=line, code=code), line)


@pytest.fixture
async def server(sandboxes: SandboxFactory) -> AsyncIterator[PageServer]:
    async with (
        sandboxes.open("2026-03-10 09:00", operator="bouygues") as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as served,
    ):
        yield served


async def test_B17_the_page_shows_what_is_allowed_and_what_was_bought(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    seen = settings.page.visible_text
    assert "Achats du mois 1,80 € Plafond par mois 50,00 € Alerte à partir de 20,00 €" in seen
    assert "Contenus bloqué" in seen and "Stationnement zone 2 1,80 €" in seen
    parse_strictly(settings.page)


async def test_B15_a_cap_is_set_on_the_page_and_a_higher_one_is_announced(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    page = await settings.send(purchases="save", purchase_cap="30,50", purchase_alert="")
    assert "Plafond par mois 30,50 €" in page.visible_text and await settings.texts() == []
    await settings.send(purchases="save", purchase_cap="80", purchase_alert="0")
    policy = await settings.policy()
    assert policy and (policy.monthly_cap, policy.alerts) == (Decimal(80), ())
    assert any("plafond 80,00 € par mois" in text for text in await settings.texts())


@pytest.mark.parametrize("cap", ["0", "301", "abc", "", "-3", "1,234"])
async def test_B15_an_amount_that_is_none_changes_nothing(server: PageServer, cap: str) -> None:
    settings = await open_settings(server, LUC)
    page = await settings.send(purchases="save", purchase_cap=cap, purchase_alert="5")
    assert "Ce montant n'est pas possible" in page.visible_text
    policy = await settings.policy()
    assert policy and (policy.monthly_cap, policy.alerts) == (Decimal(50), (Decimal(20),))


async def test_B14_categories_and_everything_are_blocked_and_opened(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    page = await settings.send(purchases="block parking")
    assert "Stationnement bloqué" in page.visible_text
    page = await settings.send(purchases="open content")
    assert "Contenus ouvert" in page.visible_text
    page = await settings.send(purchases="off")
    assert "Transports bloqué" in page.visible_text and "Tout débloquer" in page.visible_text
    page = await settings.send(purchases="on")
    assert "Transports ouvert" in page.visible_text and "Stationnement bloqué" in page.visible_text


async def test_B13_the_first_cap_switches_purchases_on(server: PageServer) -> None:
    settings = await open_settings(server, ZOE)
    await settings.send(purchases="save", purchase_cap="20", purchase_alert="10")
    policy = await settings.policy()
    assert policy and policy.is_enabled and policy.alerts == (Decimal(10),)


async def test_without_a_login_nothing_changes(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    stranger = server.new_visitor()
    await stranger.submit(PAGE, purchases="off")
    policy = await settings.policy()
    assert policy and policy.is_enabled


@pytest.mark.parametrize("change", ["", "block", "block everything", "open 'x'", "nonsense"])
async def test_a_change_that_is_none_is_refused(server: PageServer, change: str) -> None:
    settings = await open_settings(server, LUC)
    before = await settings.policy()
    assert (await settings.send(purchases=change)).status == 200
    assert await settings.policy() == before


async def test_B14_a_seller_is_blocked_and_opened_on_the_page(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    await settings.send(purchases="block seller:demo")
    policy = await settings.policy()
    assert policy and policy.blocked_merchants == {"demo"} and "demo" in settings.page.visible_text
    await settings.send(purchases="open seller:demo")
    policy = await settings.policy()
    assert policy and not policy.blocked_merchants
    assert [each for each in await settings.texts() if "Pas vous" in each], "the line is told of looser limits"


async def test_a_seller_with_an_unusable_name_is_refused(server: PageServer) -> None:
    settings = await open_settings(server, LUC)
    await settings.send(purchases="block seller:../../x y")
    policy = await settings.policy()
    assert policy and not policy.blocked_merchants
