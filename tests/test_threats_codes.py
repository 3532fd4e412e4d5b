"""Threats to codes and SMS spend: guessing, spraying, lock-out, SIM swap, pumping, loops, STOP."""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from flows.domain.ports import Billing
from flows.domain.records import CodeRequest, Secret, Subscriber
from gateway.dialogs.direct_line import Direct
from storage.credentials.attempt_budgets import Budget
from storage.credentials.one_time_codes import SqlCodes
from storage.outbox.sms_spend import SqlSpending
from storage.sql.engine import Database, connect
from tests.lines import OverAfricasTalking, wired
from tests.sql import NOW, SECRET, rows_in
from tests.world import Weather, World, Worlds

ANA, NOBODY = "+40740000101", "+40740000999"
DAN, ELENA = "+40740000105", "+40740000106"
LIFE = timedelta(minutes=15)
CARD = "4111 1111 1111 1111"


def request(code: str = "482913", number: str = ANA, purpose: str = "bill", minutes: int = 0) -> CodeRequest:
    at = NOW + timedelta(minutes=minutes)
    return CodeRequest(
        f"{number}/{purpose}/{at}", "orange-ro", number, purpose, Secret(code), at, at + LIFE, None
    )


async def tried(codes: SqlCodes, code: str, number: str = ANA, purpose: str = "bill", source: str = "s") -> str:
    return await codes.redeem("orange-ro", number, purpose, Secret(code), NOW, source)


async def test_T9_guesses_never_pass_the_limit_not_even_across_restarts(
    database_url: str, database: Database
) -> None:
    await SqlCodes(database, SECRET).issue(request())
    told: Counter[str] = Counter()
    for start in range(3):
        again = connect(database_url)
        codes = SqlCodes(again, SECRET)
        told.update([await tried(codes, f"{guess:06}") for guess in range(start * 10, start * 10 + 10)])
        await again.close()
    assert told == {"wrong": 9, "locked": 21}


async def test_T10_spraying_many_numbers_is_throttled_and_reported(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    codes = SqlCodes(database, SECRET, source=Budget(5, LIFE), operator=Budget(12, LIFE))
    told = [await tried(codes, "000000", f"+4074{n:07}", source=f"s{n // 10}") for n in range(30)]
    assert Counter(told) == {"wrong": 12, "locked": 18}
    alarms = [record for record in caplog.records if record.message == "codes.budget_exhausted"]
    assert [getattr(alarm, "state") for alarm in alarms] == ["source", "source", "operator"]  # noqa: B009


async def test_T10_the_throttle_outlives_the_process(database: Database, database_url: str) -> None:
    budget = Budget(3, LIFE)
    codes = SqlCodes(database, SECRET, operator=budget)
    for number in range(3):
        await tried(codes, "000000", f"+4074{number:07}")
    again = connect(database_url)
    await codes.issue(request())
    assert await tried(SqlCodes(again, SECRET, operator=budget), "482913", source="other") == "locked"
    await again.close()


async def test_T11_the_victim_gets_in_from_the_own_handset(database: Database) -> None:
    codes = SqlCodes(database, SECRET, operator=Budget(9, LIFE))
    for _ in range(12):
        await tried(codes, "000000")
    await codes.issue(request(purpose="proof"))
    assert await tried(codes, "482913", purpose="proof", source="") == "ok"


class Later(Weather):
    """A backend that knows when the SIM was changed."""

    changed: datetime

    async def subscriber(self, msisdn: str) -> Subscriber:
        return replace(await super().subscriber(msisdn), sim_changed_at=self.changed)


def swapped(billing: Billing, changed: datetime) -> Billing:
    later = Later(billing)
    later.changed = changed
    return later


async def test_T7_a_fresh_sim_gets_no_code_in_the_same_words(sandbox: World) -> None:
    people = sandbox.house.conversations.people["orange-ro"]
    answers = []
    for hours in (100, 1):
        changed = sandbox.clock() - timedelta(hours=hours)
        people.world = replace(people.world, billing=swapped(people.world.billing, changed))
        people.known.clear()
        answers.append((await sandbox.direct().text(ANA, "477", "ThankYou1")).lines)
        answers.append(tuple(notice.kind for notice in await sandbox.post.collect()))
        sandbox.clock.wait(timedelta(minutes=5))
    assert answers == [answers[0], ("code",), answers[0], ()]


Shown = list[tuple[str, ...]]


async def asked(sandbox: World, phone: Direct, caller: str, password: str) -> tuple[Shown, list[str]]:
    """Request a code on each channel; return what is shown and the kinds of message sent."""
    shown, came = [], list[str]()
    for channel in ("sms", "ussd", "voice"):
        if channel == "sms":
            shown.append((await phone.text(caller, "477", password)).lines)
        else:
            await (phone.dial(caller, "*100*1*1#") if channel == "ussd" else phone.call(caller, "411"))
            keys = ("5",) if channel == "ussd" else ("1", "4")
            shown += [(await phone.press(key)).lines for key in keys]
        came += [notice.kind for notice in await sandbox.post.collect()]
        sandbox.clock.wait(timedelta(minutes=2))
    return shown, came


async def test_T7_billing_says_swapped_an_hour_ago_and_no_channel_tells(sandbox: World) -> None:
    phone = sandbox.direct()
    elena, sent = await asked(sandbox, phone, ELENA, "ElenaSim6")
    dan, usual = await asked(sandbox, phone, DAN, "DanRest5")
    assert elena == dan and (sent, usual) == ([], ["code", "code", "code"])
    assert await rows_in(sandbox.house.database, "codes") == 2


async def test_T7_after_three_days_the_sim_is_believed(sandbox: World) -> None:
    sandbox.clock.wait(timedelta(hours=71, minutes=1))
    _, sent = await asked(sandbox, sandbox.direct(), ELENA, "ElenaSim6")
    assert sent == ["code", "code", "code"]


async def test_T12_strangers_and_foreign_prefixes_cost_nothing(sandbox: World) -> None:
    for caller in (NOBODY, "+882139999999", "+5355512345"):
        await sandbox.direct().text(caller, "477", "ThankYou1")
    assert not [notice for notice in await sandbox.post.collect() if notice.kind == "code"]


async def test_T12_spending_never_passes_the_cap_however_many_processes(database: Database) -> None:
    workers = [SqlSpending(database, "orange-ro", "sms", 250) for _ in range(3)]
    told = [await workers[n % 3].take(1 + n % 2, NOW) for n in range(600)]
    spent = sum(1 + n % 2 for n, taken in enumerate(told) if taken)
    assert 150 <= spent <= 250
    assert await workers[0].take(1, NOW + timedelta(days=1))


async def test_T12_the_cap_is_spent_whole_and_no_further_by_all_who_send_at_once(database: Database) -> None:
    spending = SqlSpending(database, "orange-ro", "sms", 250)
    told = await asyncio.gather(*(spending.take(1, NOW) for _ in range(10)))
    told += [await spending.take(1, NOW) for _ in range(300)]
    assert sum(told) == 250


async def texts(sandbox: World, caller: str, bodies: list[str], first: int = 1) -> list[str]:
    """Return the replies to each text."""
    async with wired(sandbox) as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post, count(first))
        return ["\n".join((await phone.text(caller, "477", body)).lines) for body in bodies]


@pytest.mark.parametrize(("caller", "most"), [(ANA, 2), (NOBODY, 1)])
async def test_T13_two_gateways_stop_answering_each_other(caller: str, most: int, sandbox: World) -> None:
    body, messages = "We do not understand you.", 0
    for turn in range(6):
        (answer,) = await texts(sandbox, caller, [body], turn + 1)
        messages += bool(answer)
        body = answer or body
    assert messages == most <= 3


async def test_T13_a_flood_of_keywords_is_answered_twenty_times(sandbox: World) -> None:
    answers = await texts(sandbox, ANA, ["FACTURA"] * 25)
    assert sum(map(bool, answers)) == 20
    sandbox.clock.wait(timedelta(minutes=10))
    assert await texts(sandbox, ANA, ["FACTURA"], 99) != [""]


@pytest.mark.redis
async def test_T13_processes_count_a_flood_together(sandboxes: Worlds, redis_url: str) -> None:
    more, caller = {"redis_url": redis_url}, f"+4079{uuid.uuid4().int % 10**7:07}"
    async with sandboxes.open(more=more) as one, sandboxes.open(more=more) as other:
        answers = await texts(one, caller, ["FACTURA"] * 12) + await texts(other, caller, ["FACTURA"] * 12, 50)
    assert sum(map(bool, answers)) == 20


async def test_T14_no_secret_comes_back(sandbox: World) -> None:
    answers = await texts(sandbox, ANA, ["ThankYou1", "WrongOne1", "ThankYou1 again"])
    assert not any("ThankYou1" in answer or "WrongOne1" in answer for answer in answers)


async def test_T28_a_card_is_dropped_with_a_warning_on_every_channel(
    sandbox: World, caplog: pytest.LogCaptureFixture
) -> None:
    phone, answers = sandbox.direct(), []
    answers.append(await phone.text(ANA, "477", CARD))
    await phone.dial(ANA, "*100#")
    answers.append(await phone.press(CARD))
    assert all("Nu trimiteti nr. de card" in " ".join(shown.lines) for shown in answers)
    assert "4111" not in caplog.text


@pytest.mark.parametrize("word", ["STOP", "stop!", "Arrêt", "توقف", "إلغاء", "OPREȘTE", "Unsubscribe"])
async def test_T34_stop_in_any_language_is_confirmed_once(word: str, sandbox: World) -> None:
    told = await texts(sandbox, ANA, [word, word, "START", "START"])
    assert [bool(each) for each in told] == [True, False, True, False]
    assert await rows_in(sandbox.house.database, "opt_outs") == 0


async def test_T34_nobody_stops_another(sandbox: World) -> None:
    await texts(sandbox, NOBODY, ["STOP", f"STOP {ANA}"])
    ledger = sandbox.house.conversations.people["orange-ro"].world.ledger
    assert await ledger.opt_out("orange-ro", ANA, out=True, now=sandbox.clock())
