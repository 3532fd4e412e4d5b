"""Guessing and locking out (T10, T11): strangers' tries and requests never use up the owner's own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from flows.domain.failures import Overloaded
from flows.domain.records import CodeRequest, Secret
from storage.credentials.attempt_budgets import AttemptLimit
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.credentials.passwords import (
    MAX_CHECKS_PER_TARGET,
    PIN_OPERATOR_LIMIT,
    PIN_SOURCE_LIMIT,
    UPSERT_HASH,
    SqlPasswords,
)
from storage.sql.engine import Database, connect
from tests.support.databases import CHEAP_HASHER, SECRET
from tests.support.databases import database as database

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OWNER, STRANGER = "+40740000101", "+40740000999"


@pytest.fixture
def codes(database: Database) -> SqlOneTimeCodes:
    return SqlOneTimeCodes(database, SECRET)


@pytest.fixture
async def pins(database: Database) -> AsyncIterator[SqlPasswords]:
    opened = SqlPasswords(database, SECRET, workers=1, hasher=CHEAP_HASHER)
    await opened.set_password("maroc-telecom", OWNER, Secret("2847"), "pin", NOW)
    yield opened
    opened.close()


async def request_code(
    codes: SqlOneTimeCodes, code: str, requester: str = "", minutes: int = 0, purpose: str = "proof"
) -> str:
    at = NOW + timedelta(minutes=minutes)
    key = f"{code}/{requester}/{minutes}"
    life = at + timedelta(hours=2)
    request = CodeRequest(key, "orange-ro", OWNER, purpose, Secret(code), at, life, None, requester)
    return await codes.issue_code(request)


async def redeem(codes: SqlOneTimeCodes, code: str, source: str = "", purpose: str = "proof") -> str:
    at = NOW + timedelta(minutes=90)
    return await codes.redeem_code("orange-ro", OWNER, purpose, Secret(code), at, source)


async def try_pin(pins: SqlPasswords, pin: str, source: str = "", number: str = OWNER) -> str:
    return await pins.verify_password("maroc-telecom", number, Secret(pin), "pin", NOW, source)


async def test_T11_a_strangers_requests_do_not_use_up_the_owners(codes: SqlOneTimeCodes) -> None:
    asked = [await request_code(codes, f"11111{n}", STRANGER, n) for n in range(4)]
    assert asked == ["ok", "ok", "ok", "many"]
    assert await request_code(codes, "222222", "", 4) == "ok"
    assert [await redeem(codes, "222222"), await redeem(codes, "111112", STRANGER)] == ["ok", "ok"]


async def test_T11_a_strangers_request_leaves_the_owners_code_valid(codes: SqlOneTimeCodes) -> None:
    await request_code(codes, "222222", purpose="bill")
    await request_code(codes, "111111", STRANGER, 1, "bill")
    assert await redeem(codes, "222222", "web page", "bill") == "ok"
    assert await redeem(codes, "222222", purpose="bill") == "wrong"


async def test_T11_a_strangers_wrong_tries_do_not_end_the_owners_code(codes: SqlOneTimeCodes) -> None:
    await request_code(codes, "222222")
    assert [await redeem(codes, "000000", STRANGER) for _ in range(10)] == ["wrong"] * 9 + ["locked"]
    assert await redeem(codes, "222222") == "ok"


async def test_T9_a_code_takes_five_wrong_tries_from_others_and_five_of_the_owner(
    codes: SqlOneTimeCodes,
) -> None:
    await request_code(codes, "222222")
    for source in (STRANGER, ""):
        assert [await redeem(codes, "000000", source) for _ in range(5)] == ["wrong"] * 5
        assert await redeem(codes, "222222", source) == "wrong"


async def test_T10_tries_that_cannot_succeed_do_not_close_the_operator(database: Database) -> None:
    codes = SqlOneTimeCodes(database, SECRET, operator_limit=AttemptLimit(3, timedelta(hours=1)))
    for n in range(5):
        await codes.redeem_code("orange-ro", f"+4074{n:07}", "bill", Secret("000000"), NOW, f"visitor {n}")
    await request_code(codes, "222222", purpose="bill")
    assert await redeem(codes, "222222", "visitor 9", "bill") == "ok"


async def test_T11_a_strangers_wrong_pins_do_not_lock_the_owners_handset(pins: SqlPasswords) -> None:
    assert [await try_pin(pins, "0000", STRANGER) for _ in range(10)] == ["wrong"] * 9 + ["locked"]
    assert await try_pin(pins, "2847") == "ok"


async def test_T10_a_phone_that_sprays_pins_over_many_lines_is_stopped(pins: SqlPasswords) -> None:
    told = [
        await try_pin(pins, "0000", STRANGER, f"+2126{n:08}") for n in range(PIN_SOURCE_LIMIT.max_wrong + 2)
    ]
    assert told == ["wrong"] * PIN_SOURCE_LIMIT.max_wrong + ["locked"] * 2
    assert await try_pin(pins, "2847", STRANGER) == "locked"
    assert await try_pin(pins, "2847") == "ok"


async def test_T10_spraying_from_many_phones_is_stopped_with_one_alarm(
    pins: SqlPasswords, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"+2126{n:08}" for n in range(PIN_OPERATOR_LIMIT.max_wrong + 20)]
    for line in lines:
        await pins.set_password("maroc-telecom", line, Secret("2847"), "pin", NOW)
    other = SqlPasswords(database, SECRET, workers=1, hasher=CHEAP_HASHER)  # another process
    told = [
        await try_pin((pins, other)[n % 2], "0000", f"+21270000{n // 10:04}", line)
        for n, line in enumerate(lines)
    ]
    assert told.count("locked") == 20
    alarms = [record.state for record in caplog.records if record.message == "codes.budget_exhausted"]  # type: ignore[attr-defined]
    assert alarms == ["operator"]
    assert await try_pin(pins, "2847") == "ok"
    other.close()


async def test_right_pins_from_another_phone_use_up_nothing(pins: SqlPasswords) -> None:
    assert {await try_pin(pins, "2847", STRANGER) for _ in range(PIN_SOURCE_LIMIT.max_wrong * 2)} == {"ok"}


async def test_T11_strangers_checks_never_shed_the_owners(pins: SqlPasswords) -> None:
    phones = [f"+4074099{number:04}" for number in range(60)]
    tries = [asyncio.create_task(try_pin(pins, "0000", phone)) for phone in phones]
    await asyncio.sleep(0)
    owners = [await try_pin(pins, "2847") for _ in range(3)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    assert owners == ["ok", "ok", "ok"]
    assert sum(isinstance(each, Overloaded) for each in told) == len(phones) - MAX_CHECKS_PER_TARGET


async def test_T11_tries_at_one_line_leave_room_for_those_at_others(pins: SqlPasswords) -> None:
    tries = [asyncio.create_task(try_pin(pins, "0000", f"phone {number}")) for number in range(60)]
    await asyncio.sleep(0)
    assert await try_pin(pins, "0000", "another phone", STRANGER) == "wrong"
    await asyncio.gather(*tries, return_exceptions=True)


SPRAYED_LINES, SPRAYING_PHONES = 2_000, 20


async def store_pins(database: Database, lines: list[str], pin_hash: str) -> None:
    """Give every line the same PIN, in one statement."""
    row = {"operator": "maroc-telecom", "kind": "pin", "hash": pin_hash, "at": NOW}
    rows = [{**row, "number": line} for line in lines]
    await database.write(lambda connection: connection.execute(UPSERT_HASH, rows).close())


@pytest.mark.postgres
async def test_T10_two_thousand_lines_from_twenty_numbers_over_two_stores_raise_one_alarm_in_a_minute(
    postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    databases = [connect(postgres_database) for _ in range(2)]
    stores = [SqlPasswords(each, SECRET, workers=1, hasher=CHEAP_HASHER) for each in databases]
    lines = [f"+2126{number:08}" for number in range(SPRAYED_LINES)]
    await store_pins(databases[0], [OWNER, *lines], CHEAP_HASHER.hash("2847"))
    told, owners = [], []
    for number, line in enumerate(lines):
        at, phone = NOW + timedelta(milliseconds=30 * number), f"+21270000{number % SPRAYING_PHONES:04}"
        guess = (line, Secret("0000"), "pin", at, phone)
        told.append(await stores[number % 2].verify_password("maroc-telecom", *guess))
        if number % 500 == 0:
            own = await stores[1].verify_password("maroc-telecom", OWNER, Secret("2847"), "pin", at)
            owners.append(own)
    alarms = [record.state for record in caplog.records if record.message == "codes.budget_exhausted"]  # type: ignore[attr-defined]
    assert alarms.count("operator") == 1
    assert told.count("wrong") <= PIN_OPERATOR_LIMIT.max_wrong and told[-1] == "locked"
    assert owners == ["ok"] * 4
    for store, opened in zip(stores, databases, strict=True):
        store.close()
        await opened.close()
