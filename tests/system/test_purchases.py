"""Purchases on the bill from a merchant's order to the SMS and the bill, in a whole gateway (B12 to B20)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from flows.domain.failures import NotFound
from flows.domain.purchase_records import Charge, ChargeDecision, PurchaseCategory, Refund
from flows.purchases.charging import PurchaseCharging, PurchaseOrder
from flows.purchases.refunding import RefundOrder
from gateway.demo.faulty_billing import FaultyBilling
from gateway.dialogs.direct_line import DirectLine
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

LUC, ZOE, FIRM = "+33660000101", "+33660000102", "+33660000103"
ORDER = PurchaseOrder("parkplus", "parking", LUC, Decimal("1.80"), "Zone 2", "ref-1", "")


@dataclass
class Shop:
    """A merchant of Bouygues' and the phones of its customers."""

    sandbox: GatewaySandbox
    phone: DirectLine = field(init=False)

    def __post_init__(self) -> None:
        self.phone = self.sandbox.direct_line()

    @property
    def charging(self) -> PurchaseCharging:
        container = self.sandbox.container
        return PurchaseCharging(self.sandbox.menu, container.operators["bouygues"], container.pseudonyms)

    async def buy(
        self, amount: str, category: PurchaseCategory = "parking", *, line: str = LUC, two_step: bool = False
    ) -> Charge:
        order = replace(ORDER, amount=Decimal(amount), category=category, line=line)
        return (await self.charging.charge(order, is_two_step=two_step)).charge

    async def texts(self) -> list[str]:
        """Return the messages that have come since the last call."""
        return [each.body for each in await self.sandbox.messages.collect_new()]

    async def say(self, words: str, line: str = LUC) -> str:
        return "\n".join((await self.phone.send_text(line, "61064", words)).lines)

    async def find(self, charge: Charge) -> Charge:
        charges = self.sandbox.container.operators["bouygues"].charges
        found = await charges.find_charge("bouygues", charge.id) if charges else None
        assert found
        return found

    async def find_refund(self, refund: Refund) -> Refund:
        charges = self.sandbox.container.operators["bouygues"].charges
        found = await charges.find_refund("bouygues", refund.id) if charges else None
        assert found
        return found


@asynccontextmanager
async def open_shop(sandboxes: SandboxFactory, at: str = "2026-03-10 09:00") -> AsyncIterator[Shop]:
    async with sandboxes.open(at, operator="bouygues") as sandbox:
        yield Shop(sandbox)


@pytest.fixture
async def shop(sandboxes: SandboxFactory) -> AsyncIterator[Shop]:
    async with open_shop(sandboxes) as opened:
        yield opened


async def test_B20_each_purchase_is_confirmed_by_one_sms(shop: Shop) -> None:
    await shop.buy("2.50", "transport")
    (text,) = await shop.texts()
    assert text == (
        "Bouygues Telecom: achat de 2,50 €, Zone 2, le 10/03 09:00. Mois: 4,30 € sur 50,00 €."
        " Pas vous? BLOQ parkplus au 61064"
    )
    assert await shop.texts() == []


async def test_B13_the_first_charge_is_refused_and_invites(shop: Shop) -> None:
    assert (await shop.buy("1", line=ZOE)).reason == "unconfigured"
    (text,) = await shop.texts()
    assert "refusé: les achats sur facture ne sont pas activés" in text and "*614#" in text
    await shop.buy("1", line=ZOE)
    assert await shop.texts() == []  # one a day, however often a merchant tries


async def test_B14_what_is_blocked_by_text_is_refused_at_the_next_charge(shop: Shop) -> None:
    await shop.say("BLOQ PARKING")
    assert (await shop.buy("1")).reason == "category"
    assert any("refusé, catégorie bloquée" in text for text in await shop.texts())
    assert (await shop.buy("1", "transport")).state == "succeeded"
    await shop.say("BLOQ TOUT")
    assert (await shop.buy("1", "transport")).reason == "blocked"


async def test_B15_a_cap_set_by_text_holds_for_parallel_charges(shop: Shop) -> None:
    await shop.say("PLAFOND 10")
    charges = await asyncio.gather(*(shop.buy("1.50") for _ in range(20)))
    assert [each.state for each in charges].count("succeeded") == 5  # 1.80 was spent before
    assert {each.reason for each in charges if each.state == "denied"} == {"cap"}


async def test_B16_an_alert_comes_once_a_month(shop: Shop) -> None:
    await shop.say("ALERTE 5")
    for amount in ("3", "0.20", "4"):
        await shop.buy(amount)
    alerts = [text for text in await shop.texts() if "atteignent" in text]
    assert len(alerts) == 1 and "5,00 € (alerte 5,00 €, plafond 50,00 €)" in alerts[0]
    shop.sandbox.clock.advance(timedelta(days=30))
    await shop.buy("6")
    assert any("atteignent 6,00 €" in text for text in await shop.texts())


async def test_B16_the_month_ends_at_midnight_of_paris(sandboxes: SandboxFactory) -> None:
    async with open_shop(sandboxes, "2026-03-31 23:59") as shop:
        first = await shop.buy("2")
        shop.sandbox.clock.advance(timedelta(minutes=1))
        second = await shop.buy("2")
    assert (first.period, second.period) == ("2026-03", "2026-04")


async def test_B19_a_purchase_reaches_billing_once_and_a_refund_too(shop: Shop) -> None:
    charge = await shop.buy("2.50", "transport")
    await shop.texts()
    assert (await shop.find(charge)).is_billed
    assert "Transports 2,50" in await shop.say("ACHATS")
    order = RefundOrder("partial", Decimal(1), "ref-1", "r1")
    refunds = [await shop.charging.refunds.refund_charge(charge, order) for _ in range(2)]
    assert [each.is_new for each in refunds] == [True, False]
    assert len([text for text in await shop.texts() if "vous sont rendus" in text]) == 1
    assert "Transports 1,50" in await shop.say("ACHATS")
    assert (await shop.find_refund(refunds[0].refund)).is_billed


async def test_a_refund_of_a_purchase_of_the_number_s_former_owner_tells_nobody(shop: Shop) -> None:
    charge = await shop.buy("2.50", "transport")
    await shop.texts()
    others = replace(charge, subscription="of-somebody-before")
    made = await shop.charging.refunds.refund_charge(others, RefundOrder("total", Decimal(0), "ref-1", "r1"))
    assert made.refusal is None and await shop.texts() == []
    assert (await shop.find_refund(made.refund)).is_billed


async def test_B17_a_purchase_is_in_the_history_before_billing_has_it(shop: Shop) -> None:
    await shop.buy("2.50", "transport")
    assert "Transports 2,50" in await shop.say("ACHATS")


async def test_B17_behind_billing_that_lists_no_purchases_our_own_records_are_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = frozenset(shop.sandbox.faulty_billing.capabilities) - {"purchases"}
    monkeypatch.setattr(FaultyBilling, "capabilities", property(lambda _: known))
    await shop.buy("2.50", "transport")
    seen = await shop.say("ACHATS")
    assert "Transports 2,50" in seen and "Stationnement 1,80" in seen
    assert "Aucun achat" in await shop.say("ACHATS", ZOE)


async def test_a_reservation_is_confirmed_or_given_up(shop: Shop) -> None:
    kept, dropped = await shop.buy("3", two_step=True), await shop.buy("4", two_step=True)
    assert await shop.texts() == []
    assert await shop.charging.confirm(kept) and await shop.charging.cancel(dropped)
    assert await shop.charging.confirm(dropped) is None
    assert [text for text in await shop.texts() if "achat de 3,00 €" in text]


async def test_a_larger_amount_needs_the_code_sent_to_the_line(shop: Shop) -> None:
    assert (await shop.buy("10")).reason == "code"
    await shop.texts()
    waiting = await shop.buy("10", two_step=True)
    code = next(word for text in await shop.texts() for word in text.split() if word.isdecimal())
    assert await shop.charging.confirm(waiting) is None
    assert await shop.charging.validate(waiting, "000000") == "wrong"
    assert await shop.charging.validate(waiting, code) == "ok"
    assert await shop.charging.confirm(waiting)


async def test_a_reservation_lapses(shop: Shop) -> None:
    reserved = await shop.buy("3", two_step=True)
    shop.sandbox.clock.advance(timedelta(minutes=5))
    assert await shop.charging.confirm(reserved) is None


async def test_who_may_not_buy(shop: Shop) -> None:
    assert (await shop.buy("1", line=FIRM)).reason == "ineligible"
    with pytest.raises(NotFound):
        await shop.buy("1", line="+33660000999")


async def test_more_than_the_law_allows_is_refused_whatever_the_cap(shop: Shop) -> None:
    await shop.say("PLAFOND 300")
    await shop.say("4826")
    assert (await shop.buy("50.01", two_step=True)).reason == "amount"


async def test_a_business_line_is_told_that_it_cannot_buy(shop: Shop) -> None:
    assert "ne sont pas disponibles pour cette ligne" in await shop.say("PLAFOND", FIRM)
    assert "ne sont pas disponibles pour cette ligne" in await shop.say("BLOQ JEUX", FIRM)


async def test_a_merchant_repeats_its_request(shop: Shop) -> None:
    order = replace(ORDER, correlator="c-1")
    decisions = [await shop.charging.charge(order, is_two_step=False) for _ in range(2)]
    first, again = decisions
    assert isinstance(first, ChargeDecision) and first.is_new and not again.is_new
    assert len(await shop.texts()) == 1


async def test_B20_a_recap_comes_by_mail_when_the_month_is_over(shop: Shop) -> None:
    await shop.buy("2.50", "transport")
    await shop.buy("3", two_step=True)  # never confirmed
    await shop.texts()
    shop.sandbox.clock.advance(timedelta(days=21, hours=22))  # the clocks went forward meanwhile
    assert await shop.texts() == []
    shop.sandbox.clock.advance(timedelta(hours=1))
    (mail,) = await shop.sandbox.messages.collect_new()
    assert (mail.route, mail.to, mail.subject) == (
        *("email", "luc@example.test"),
        "Bouygues Telecom: vos achats sur facture, 03/2026",
    )
    assert "4,30 € en tout" in mail.body
    assert "07/03 Stationnement zone 2: 1,80 €\n10/03 Zone 2: 2,50 €" in mail.body
    shop.sandbox.clock.advance(timedelta(days=2))
    assert await shop.texts() == []


async def test_B20_no_recap_goes_to_an_address_that_was_not_validated(shop: Shop) -> None:
    await shop.say("NOTIF EMAIL new@mail.example.net")
    await shop.buy("2.50", "transport")
    await shop.texts()
    shop.sandbox.clock.advance(timedelta(days=30))
    assert [each for each in await shop.sandbox.messages.collect_new() if "achats" in each.subject] == []


async def test_B14_a_seller_is_blocked_by_the_word_its_sms_names(shop: Shop) -> None:
    await shop.buy("1.80")
    assert "parkplus: bloqué" in await shop.say("BLOQ ParkPlus")
    denied = await shop.buy("1.80")
    assert (denied.state, denied.reason) == ("denied", "merchant")
    assert "PIN" in await shop.say("DEBLOQ parkplus")
    assert "parkplus: débloqué" in await shop.say("4826")
    assert (await shop.buy("1.80")).state == "succeeded"


async def test_B14_only_sellers_of_the_line_are_named(shop: Shop) -> None:
    await shop.buy("1.80", line=ZOE)
    assert "catégorie" in await shop.say("BLOQ parkplus")
