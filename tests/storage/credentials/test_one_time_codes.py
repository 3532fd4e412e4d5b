"""One-time codes: lifetime, uses, attempts and sends, each at its boundary and concurrently."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from flows.domain.failures import Overloaded
from flows.domain.records import CodeRequest, OutboundMessage, Secret
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.privacy.retention import apply_retention
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows, dump_table

ANA = "+40740000101"
CODE_LIFETIME = timedelta(minutes=15)


@pytest.fixture
def codes(database: Database) -> SqlOneTimeCodes:
    return SqlOneTimeCodes(database, SECRET)


def code_request(
    code: str = "482913", at: datetime = NOW, *, key: str = "", purpose: str = "bill", number: str = ANA
) -> CodeRequest:
    name = key or f"{number}/{purpose}/{at.isoformat()}"
    notice = OutboundMessage(
        name, "orange-ro", number, "sms", "code", f"Codul: {code}", "ro", expires_at=at + CODE_LIFETIME
    )
    return CodeRequest(name, "orange-ro", number, purpose, Secret(code), at, at + CODE_LIFETIME, notice)


async def redeem_code(
    codes: SqlOneTimeCodes,
    code: str = "482913",
    now: datetime = NOW,
    *,
    purpose: str = "bill",
    number: str = ANA,
    operator: str = "orange-ro",
) -> str:
    return await codes.redeem_code(operator, number, purpose, Secret(code), now)


async def test_a_code_is_good_once(codes: SqlOneTimeCodes) -> None:
    assert await codes.issue_code(code_request()) == "ok"
    assert [await redeem_code(codes), await redeem_code(codes)] == ["ok", "wrong"]


@pytest.mark.parametrize(("seconds", "told"), [(-1, "ok"), (0, "wrong"), (1, "wrong")])
async def test_R7_code_valid_fifteen_minutes(codes: SqlOneTimeCodes, seconds: int, told: str) -> None:
    await codes.issue_code(code_request())
    assert await redeem_code(codes, now=NOW + CODE_LIFETIME + timedelta(seconds=seconds)) == told


@pytest.mark.parametrize(
    ("number", "purpose", "operator"),
    [("+40740000102", "bill", "orange-ro"), (ANA, "proof", "orange-ro"), (ANA, "bill", "orange-fr")],
    ids=["another number", "another purpose", "another operator"],
)
async def test_a_code_opens_only_what_it_was_made_for(
    codes: SqlOneTimeCodes, number: str, purpose: str, operator: str
) -> None:
    await codes.issue_code(code_request())
    assert await redeem_code(codes, number=number, purpose=purpose, operator=operator) == "wrong"
    assert await redeem_code(codes) == "ok"


async def test_a_new_code_kills_the_old_one(codes: SqlOneTimeCodes) -> None:
    await codes.issue_code(code_request("111111"))
    later = NOW + timedelta(seconds=30)
    await codes.issue_code(code_request("222222", later))
    assert await redeem_code(codes, "111111", later) == "wrong"
    assert await redeem_code(codes, "222222", later) == "ok"


async def test_five_wrong_tries_kill_a_code(codes: SqlOneTimeCodes) -> None:
    await codes.issue_code(code_request())
    assert [await redeem_code(codes, "000000") for _ in range(5)] == ["wrong"] * 5
    assert await redeem_code(codes) == "wrong"


async def test_four_wrong_tries_do_not(codes: SqlOneTimeCodes) -> None:
    await codes.issue_code(code_request())
    assert [await redeem_code(codes, "000000") for _ in range(4)] == ["wrong"] * 4
    assert await redeem_code(codes) == "ok"


async def test_nine_wrong_a_day_lock_the_number_however_many_codes_it_gets(codes: SqlOneTimeCodes) -> None:
    for again in range(3):
        at = NOW + again * timedelta(minutes=30)
        assert await codes.issue_code(code_request(at=at)) == "ok"
        assert [await redeem_code(codes, "000000", at) for _ in range(3)] == ["wrong"] * 3
    assert await redeem_code(codes, now=at) == "locked"
    assert await redeem_code(codes, now=NOW + timedelta(days=1) - timedelta(seconds=1)) == "locked"
    tomorrow = NOW + timedelta(days=1)
    await codes.issue_code(code_request(at=tomorrow))
    assert await redeem_code(codes, now=tomorrow) == "ok"


async def test_T11_a_stranger_on_the_web_does_not_lock_the_handset(codes: SqlOneTimeCodes) -> None:
    for _ in range(10):
        await redeem_code(codes, "000000", purpose="bill")
    await codes.issue_code(code_request(purpose="proof"))
    assert await redeem_code(codes, purpose="bill") == "locked"
    assert await redeem_code(codes, purpose="proof") == "ok"


async def redeem_at_once(codes: SqlOneTimeCodes, tries: list[str]) -> Counter[str]:
    told = await asyncio.gather(*(redeem_code(codes, code) for code in tries), return_exceptions=True)
    return Counter(each if isinstance(each, str) else type(each).__name__ for each in told)


async def test_of_64_concurrent_uses_one_succeeds(codes: SqlOneTimeCodes) -> None:
    await codes.issue_code(code_request())
    assert (await redeem_at_once(codes, ["482913"] * 64))["ok"] == 1


async def test_T9_parallel_guesses_never_pass_the_limit(codes: SqlOneTimeCodes, database: Database) -> None:
    await codes.issue_code(code_request())
    told = await redeem_at_once(codes, [f"{guess:06}" for guess in range(64)])
    assert told["wrong"] <= 9 and told["ok"] == 0 and told["wrong"] + told["locked"] >= 10
    assert await database.read(lambda c: c.execute(text("SELECT wrong FROM code_tries")).scalar()) == 9


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ((0, 29), "soon"),
        ((0, 30), "ok"),
        ((0, 60, 120, 3599), "many"),
        ((0, 60, 120, 3600), "ok"),
        ((0, 3600, 7200, 10800, 14400, 18000, 86399), "many"),
        ((0, 3600, 7200, 10800, 14400, 18000, 86400), "ok"),
    ],
    ids=lambda value: str(value),
)
async def test_sends_are_limited(codes: SqlOneTimeCodes, seconds: tuple[int, ...], told: str) -> None:
    answers = [await codes.issue_code(code_request(at=NOW + timedelta(seconds=after))) for after in seconds]
    assert answers == ["ok"] * (len(seconds) - 1) + [told]


async def test_each_purpose_has_a_budget_of_its_own(codes: SqlOneTimeCodes) -> None:
    for minute in range(3):
        assert await codes.issue_code(code_request(at=NOW + timedelta(minutes=minute), purpose="bill")) == "ok"
    assert await codes.issue_code(code_request(at=NOW + timedelta(minutes=3), purpose="bill")) == "many"
    assert await codes.issue_code(code_request(at=NOW + timedelta(minutes=3), purpose="proof")) == "ok"
    assert await codes.issue_code(code_request(number="+40740000102")) == "ok"


async def test_ten_documents_an_hour_leave_the_proofs_alone(codes: SqlOneTimeCodes) -> None:
    times = [NOW + timedelta(minutes=minute) for minute in range(11)]
    told = [await codes.issue_code(code_request(at=at, purpose="file")) for at in times]
    assert told == ["ok"] * 10 + ["many"]
    assert await codes.issue_code(code_request(at=times[-1], purpose="proof")) == "ok"


async def test_all_purposes_together_send_no_more_than_six_an_hour(codes: SqlOneTimeCodes) -> None:
    told = [
        await codes.issue_code(code_request(at=NOW + timedelta(minutes=minute), purpose=purpose))
        for minute, purpose in enumerate(["bill", "proof", "first"] * 3)
    ]
    assert told == ["ok"] * 6 + ["many"] * 3


async def test_a_reset_code_asked_for_again_stays_the_only_one(codes: SqlOneTimeCodes) -> None:
    later = NOW + timedelta(minutes=2)
    assert await codes.issue_code(code_request("111111", purpose="reset")) == "ok"
    assert await codes.issue_code(code_request("222222", at=later, purpose="reset")) == "soon"
    assert await redeem_code(codes, "222222", purpose="reset", now=later) == "wrong"
    assert await redeem_code(codes, "111111", purpose="reset", now=later) == "ok"


async def test_a_reset_code_about_to_expire_is_replaced(codes: SqlOneTimeCodes) -> None:
    late = NOW + CODE_LIFETIME - timedelta(minutes=1)
    await codes.issue_code(code_request("111111", purpose="reset"))
    assert await codes.issue_code(code_request("222222", at=late, purpose="reset")) == "ok"
    assert await redeem_code(codes, "222222", purpose="reset", now=late) == "ok"


async def test_of_parallel_requests_one_is_sent(codes: SqlOneTimeCodes, database: Database) -> None:
    told = await asyncio.gather(
        *(codes.issue_code(code_request(key=f"k{number}")) for number in range(20)), return_exceptions=True
    )
    assert all(each in ("ok", "soon") or isinstance(each, Overloaded) for each in told)
    assert told.count("ok") == 1
    assert await count_rows(database, "outbox") == 1


async def test_a_repeated_key_gets_the_same_answer_and_sends_nothing(
    codes: SqlOneTimeCodes, database: Database
) -> None:
    assert await codes.issue_code(code_request("111111", key="k")) == "ok"
    again = code_request("222222", NOW + timedelta(minutes=5), key="k")
    assert await codes.issue_code(again) == "ok"
    assert await redeem_code(codes, "111111") == "ok"
    assert await count_rows(database, "outbox") == 1


async def test_T12_a_number_of_nobody_costs_no_message_and_counts_alike(
    codes: SqlOneTimeCodes, database: Database
) -> None:
    silent = code_request()
    nobody = CodeRequest("k", "orange-ro", ANA, "bill", silent.code, NOW, silent.expires_at, None)
    assert await codes.issue_code(nobody) == "ok"
    assert await codes.issue_code(code_request(at=NOW + timedelta(seconds=5))) == "soon"
    assert await count_rows(database, "outbox") == 0


async def test_the_tables_hold_neither_code_nor_number(codes: SqlOneTimeCodes, database: Database) -> None:
    await codes.issue_code(code_request(key="k"))
    await redeem_code(codes, "000000")
    for table in ("codes", "code_tries", "code_sends", "changes"):
        rows = await dump_table(database, table)
        assert "482913" not in rows and "740000101" not in rows
    payload = await database.read(lambda c: c.execute(text("SELECT payload FROM outbox")).scalar_one())
    assert b"482913" not in payload


async def test_another_secret_recognises_nothing(codes: SqlOneTimeCodes, database: Database) -> None:
    await codes.issue_code(code_request())
    assert await redeem_code(SqlOneTimeCodes(database, Secret("another"))) == "wrong"


async def test_retention_deletes_expired_codes(codes: SqlOneTimeCodes, database: Database) -> None:
    await codes.issue_code(code_request())
    await redeem_code(codes, "000000")
    await apply_retention(database, NOW + timedelta(days=2))
    for table in ("codes", "code_tries", "code_sends"):
        assert await count_rows(database, table) == 0
