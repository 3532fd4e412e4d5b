"""Account activity on the bill page: payments, spend, meter, services and usage, each where a menu has it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from flows.domain.failures import Down, Failure, NotEligible
from gateway.demo.faulty_billing import FaultyBilling
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import PageResponse, PageServer, build_pages, parse_strictly, serve_pages
from tests.support.page_client import sandboxes as sandboxes

OpenPages = Callable[[str], AbstractAsyncContextManager[PageServer]]


@pytest.fixture
def open_pages(sandboxes: SandboxFactory) -> OpenPages:
    @asynccontextmanager
    async def open_operator(operator: str) -> AsyncIterator[PageServer]:
        async with (
            sandboxes.open("2026-03-10 09:00", operator=operator) as sandbox,
            serve_pages(sandbox, build_pages(sandbox)) as served,
        ):
            yield served

    return open_operator


async def open_bill(
    server: PageServer, line: str, texted: tuple[str, str], language: str = "fr"
) -> PageResponse:
    """Text for a code and open the bill page with it."""
    await server.phone.send_text(line, *texted)
    codes = [each.body for each in await server.sandbox.messages.collect_new() if each.kind == "code"]
    code = next(word for word in codes[-1].replace(",", " ").split() if word.isdecimal() and len(word) == 6)
    operator = server.sandbox.menu.name
    return await server.new_visitor().submit(f"/{operator}/bill?lang={language}", number=line, code=code)


async def test_F14_payments_and_the_spend_so_far_are_on_the_page(open_pages: OpenPages) -> None:
    async with open_pages("orange-fr") as server:
        seen = await open_bill(server, "+33600000101", ("32123", "CODE"))
    assert "Vos paiements" in seen.visible_text and "prélèvement" in seen.visible_text
    assert "Pas encore facturé" in seen.visible_text and "Derniers usages" in seen.visible_text
    parse_strictly(seen)


async def test_R16_the_usage_meter_is_on_the_page(open_pages: OpenPages) -> None:
    async with open_pages("orange-ro") as server:
        seen = await open_bill(server, "+40740000101", ("477", "ThankYou1"), "ro")
    assert "Consumul dvs. din această perioadă Apel Minute 22, rămân 78" in seen.visible_text
    assert "SMS 3, nelimitat" in seen.visible_text
    parse_strictly(seen)


async def test_B22_services_and_usage_are_on_the_page(open_pages: OpenPages) -> None:
    async with open_pages("bouygues") as server:
        seen = await open_bill(server, "+33660000101", ("61064", "CODE"))
    assert "Vos services 1 Mobile 5G 10 GB 2 Voicemail Plus" in seen.visible_text
    assert "09/03 Appel 12 min" in seen.visible_text and "02/03" in seen.visible_text


@pytest.mark.parametrize(
    ("failure", "shown"), [(Down, "Vos services Ces données ne sont pas disponibles"), (NotEligible, "")]
)
async def test_a_section_that_fails_costs_only_itself(
    failure: type[Failure], shown: str, open_pages: OpenPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(FaultyBilling, "list_services", fail)
    async with open_pages("bouygues") as server:
        seen = await open_bill(server, "+33660000101", ("61064", "CODE"))
    assert shown in seen.visible_text and ("Vos services" in seen.visible_text) == bool(shown)
    assert "Total TTC" in seen.visible_text and "09/03 Appel 12 min" in seen.visible_text
