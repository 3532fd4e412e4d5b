"""Threats to codes and SMS spend: guessing, spraying, lock-out, SIM swap, pumping, loops, STOP."""

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from itertools import count

import pytest

from flows.domain.records import CodeRequest, Secret
from storage.credentials.attempt_budgets import AttemptLimit
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.outbox.sms_spend import SqlSpendCounter
from storage.sql.engine import Database, connect
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, connect_webhooks

ANA, NOBODY = "+40740000101", "+40740000999"
DAN, ELENA = "+40740000105", "+40740000106"
CODE_LIFETIME = timedelta(minutes=15)
CARD = "4111 1111 1111 1111"


def code_request(
    code: str = "482913", number: str = ANA, purpose: str = "bill", minutes: int = 0
) -> CodeRequest:
    at = NOW + timedelta(minutes=minutes)
    return CodeRequest(
        f"{number}/{purpose}/{at}", "orange-ro", number, purpose, Secret(code), at, at + CODE_LIFETIME, None
    )


async def redeem_code(
    codes: SqlOneTimeCodes, code: str, number: str = ANA, purpose: str = "bill", source: str = "s"
) -> str:
    return await codes.redeem_code("orange-ro", number, purpose, Secret(code), NOW, source)


async def test_T9_guesses_never_pass_the_limit_not_even_across_restarts(
    database_url: str, database: Database
) -> None:
    await SqlOneTimeCodes(database, SECRET).issue_code(code_request())
    told: Counter[str] = Counter()
    for start in range(3):
        again = connect(database_url)
        codes = SqlOneTimeCodes(again, SECRET)
        told.update([await redeem_code(codes, f"{guess:06}") for guess in range(start * 10, start * 10 + 10)])
        await again.close()
    assert told == {"wrong": 9, "locked": 21}


async def test_T10_spraying_many_numbers_is_throttled_and_reported(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    codes = SqlOneTimeCodes(
        database,
        SECRET,
        source_limit=AttemptLimit(5, CODE_LIFETIME),
        operator_limit=AttemptLimit(12, CODE_LIFETIME),
    )
    numbers = [f"+4074{n:07}" for n in range(30)]
    for number in numbers:  # only tries that could succeed count against the operator
        await codes.issue_code(code_request(number=number))
    told = [await redeem_code(codes, "000000", each, source=f"s{n // 10}") for n, each in enumerate(numbers)]
    assert Counter(told) == {"wrong": 12, "locked": 18}
    alarms = [record for record in caplog.records if record.message == "codes.budget_exhausted"]
    assert [getattr(alarm, "state") for alarm in alarms] == ["source", "source", "operator"]  # noqa: B009


async def test_T10_the_throttle_outlives_the_process(database: Database, database_url: str) -> None:
    budget = AttemptLimit(3, CODE_LIFETIME)
    codes = SqlOneTimeCodes(database, SECRET, operator_limit=budget)
    for number in range(3):
        await codes.issue_code(code_request(number=f"+4074{number:07}"))
        await redeem_code(codes, "000000", f"+4074{number:07}")
    again = connect(database_url)
    await codes.issue_code(code_request())
    assert (
        await redeem_code(SqlOneTimeCodes(again, SECRET, operator_limit=budget), "482913", source="other")
        == "locked"
    )
    await again.close()


async def test_T11_the_victim_gets_in_from_the_own_handset(database: Database) -> None:
    codes = SqlOneTimeCodes(database, SECRET, operator_limit=AttemptLimit(9, CODE_LIFETIME))
    for _ in range(12):
        await redeem_code(codes, "000000")
    await codes.issue_code(code_request(purpose="proof"))
    assert await redeem_code(codes, "482913", purpose="proof", source="") == "ok"


async def test_T12_strangers_and_foreign_prefixes_cost_nothing(sandbox: GatewaySandbox) -> None:
    for caller in (NOBODY, "+882139999999", "+5355512345"):
        await sandbox.direct_line().send_text(caller, "477", "ThankYou1")
    assert not [notice for notice in await sandbox.messages.collect_new() if notice.kind == "code"]


async def test_T12_spending_never_passes_the_cap_however_many_processes(database: Database) -> None:
    workers = [SqlSpendCounter(database, "orange-ro", "sms", 250) for _ in range(3)]
    told = [await workers[n % 3].reserve_parts(1 + n % 2, NOW) for n in range(600)]
    spent = sum(1 + n % 2 for n, taken in enumerate(told) if taken)
    assert 150 <= spent <= 250
    assert await workers[0].reserve_parts(1, NOW + timedelta(days=1))


async def test_T12_the_cap_is_spent_whole_and_no_further_by_all_who_send_at_once(database: Database) -> None:
    spending = SqlSpendCounter(database, "orange-ro", "sms", 250)
    told = await asyncio.gather(*(spending.reserve_parts(1, NOW) for _ in range(10)))
    told += [await spending.reserve_parts(1, NOW) for _ in range(300)]
    assert sum(told) == 250


async def replies_to_texts(
    sandbox: GatewaySandbox, caller: str, bodies: list[str], first: int = 1
) -> list[str]:
    """Return the replies to each text."""
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages, count(first))
        return ["\n".join((await phone.send_text(caller, "477", body)).lines) for body in bodies]


@pytest.mark.parametrize(("caller", "most"), [(ANA, 3), (NOBODY, 2)])
async def test_T13_two_gateways_stop_answering_each_other(
    caller: str, most: int, sandbox: GatewaySandbox
) -> None:
    body, messages = "We do not understand you.", 0
    for turn in range(6):
        (answer,) = await replies_to_texts(sandbox, caller, [body], turn + 1)
        messages += bool(answer)
        body = answer or body
    assert messages == most <= 3


async def test_T13_a_flood_of_keywords_is_answered_twenty_times_and_silence_announced(
    sandbox: GatewaySandbox,
) -> None:
    answers = await replies_to_texts(sandbox, ANA, ["FACTURA"] * 25)
    assert answers[20].startswith("Prea multe mesaje.")
    assert [bool(answer) for answer in answers] == [True] * 21 + [False] * 4
    sandbox.clock.advance(timedelta(minutes=10))
    assert await replies_to_texts(sandbox, ANA, ["FACTURA"], 99) != [""]


@pytest.mark.redis
async def test_T13_processes_count_a_flood_together(sandboxes: SandboxFactory, redis_url: str) -> None:
    more, caller = {"redis_url": redis_url}, f"+4079{uuid.uuid4().int % 10**7:07}"
    async with sandboxes.open(more=more) as one, sandboxes.open(more=more) as other:
        answers = await replies_to_texts(one, caller, ["FACTURA"] * 12) + await replies_to_texts(
            other, caller, ["FACTURA"] * 12, 50
        )
    assert sum(map(bool, answers)) == 21


async def test_T14_no_secret_comes_back(sandbox: GatewaySandbox) -> None:
    answers = await replies_to_texts(sandbox, ANA, ["ThankYou1", "WrongOne1", "ThankYou1 again"])
    assert not any("ThankYou1" in answer or "WrongOne1" in answer for answer in answers)


async def test_T28_a_card_is_dropped_with_a_warning_on_every_channel(
    sandbox: GatewaySandbox, caplog: pytest.LogCaptureFixture
) -> None:
    phone, answers = sandbox.direct_line(), []
    answers.append(await phone.send_text(ANA, "477", CARD))
    await phone.dial(ANA, "*100#")
    answers.append(await phone.press(CARD))
    assert all("Nu trimiteti nr. de card" in " ".join(shown.lines) for shown in answers)
    assert "4111" not in caplog.text


@pytest.mark.parametrize("word", ["STOP", "stop!", "Arrêt", "توقف", "إلغاء", "OPREȘTE", "Unsubscribe"])
async def test_T34_stop_in_any_language_is_confirmed_once(word: str, sandbox: GatewaySandbox) -> None:
    told = await replies_to_texts(sandbox, ANA, [word, word, "START", "START"])
    assert [bool(each) for each in told] == [True, False, True, False]
    assert await count_rows(sandbox.container.database, "opt_outs") == 0


async def test_T34_nobody_stops_another(sandbox: GatewaySandbox) -> None:
    await replies_to_texts(sandbox, NOBODY, ["STOP", f"STOP {ANA}"])
    ledger = sandbox.container.operators["orange-ro"].ledger
    assert await ledger.set_opt_out("orange-ro", ANA, out=True, now=sandbox.clock())
