"""Passwords: right, wrong, locked and shed; an unknown number takes the same work."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.failures import Overloaded
from flows.domain.records import Secret
from storage.credentials.passwords import SqlPasswords
from storage.sql.engine import Database
from tests.support.databases import CHEAP_HASHER, NOW

ANA = "+40740000101"
RIGHT_PASSWORD, WRONG_PASSWORD = Secret("ThankYou1"), Secret("thankyou1")


@pytest.fixture
def passwords(database: Database) -> Iterator[SqlPasswords]:
    opened = SqlPasswords(database, workers=2, hasher=CHEAP_HASHER)
    yield opened
    opened.close()


async def set_password(
    passwords: SqlPasswords, secret: Secret = RIGHT_PASSWORD, kind: str = "password"
) -> None:
    await passwords.set_password("orange-ro", ANA, secret, kind, NOW)


async def check_password(passwords: SqlPasswords, secret: Secret, kind: str = "password", days: int = 0) -> str:
    return await passwords.verify_password("orange-ro", ANA, secret, kind, NOW + timedelta(days=days))


async def test_the_right_one_is_ok_as_often_as_it_is_asked(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    assert [await check_password(passwords, RIGHT_PASSWORD) for _ in range(11)] == ["ok"] * 11


async def test_T27_passwords_are_compared_as_they_are(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    for other in ("thankyou1", "ThankYou1 ", "ＴhankYou1", "ThankYou", ""):
        assert await check_password(passwords, Secret(other)) == "wrong"


async def test_kinds_and_operators_are_separate(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    assert await check_password(passwords, RIGHT_PASSWORD, "pin") == "wrong"
    assert await passwords.verify_password("orange-fr", ANA, RIGHT_PASSWORD, "password", NOW) == "wrong"


async def test_a_new_one_replaces_the_old(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    await set_password(passwords, Secret("Another1"))
    assert await check_password(passwords, RIGHT_PASSWORD) == "wrong"
    assert await check_password(passwords, Secret("Another1")) == "ok"


async def test_nine_wrong_a_day_lock_it_even_for_the_right_one(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    assert [await check_password(passwords, WRONG_PASSWORD) for _ in range(9)] == ["wrong"] * 9
    assert await check_password(passwords, RIGHT_PASSWORD) == "locked"
    assert await check_password(passwords, RIGHT_PASSWORD, days=1) == "ok"


async def test_a_number_of_nobody_is_wrong_and_locks_alike(passwords: SqlPasswords) -> None:
    assert [await check_password(passwords, WRONG_PASSWORD) for _ in range(10)] == ["wrong"] * 9 + ["locked"]


async def test_setting_a_new_one_unlocks(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    for _ in range(9):
        await check_password(passwords, WRONG_PASSWORD)
    await set_password(passwords)
    assert await check_password(passwords, RIGHT_PASSWORD) == "ok"


async def test_parallel_guesses_never_pass_the_limit(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    told = await asyncio.gather(
        *(check_password(passwords, WRONG_PASSWORD) for _ in range(24)), return_exceptions=True
    )
    assert told.count("wrong") == 9


async def test_checks_over_the_limit_are_shed_and_count_no_attempt(database: Database) -> None:
    narrow = SqlPasswords(database, workers=1, max_checks=1, hasher=CHEAP_HASHER)
    await set_password(narrow)
    told = await asyncio.gather(
        *(check_password(narrow, RIGHT_PASSWORD) for _ in range(20)), return_exceptions=True
    )
    assert [each for each in told if isinstance(each, str)] == ["ok"]
    assert sum(isinstance(each, Overloaded) for each in told) == 19
    assert await check_password(narrow, RIGHT_PASSWORD) == "ok"
    narrow.close()


async def test_the_table_holds_argon2id_19_mib_two_rounds(database: Database) -> None:
    passwords = SqlPasswords(database)
    await set_password(passwords)
    passwords.close()
    stored = await database.read(lambda c: c.execute(text("SELECT hash FROM passwords")).scalar_one())
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_known_lists_the_kinds_that_are_set(passwords: SqlPasswords) -> None:
    await set_password(passwords)
    assert await passwords.has_secret("orange-ro", ANA, "password")
    assert not await passwords.has_secret("orange-ro", ANA, "pin")
