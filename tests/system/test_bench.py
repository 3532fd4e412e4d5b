"""The benchmark cannot lie: a wrong screen, an error in a log and a fallback end it."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from bench import billing, load, purchases, reminders, ussd_links
from bench.bulk_figures import BulkFigures
from bench.cases import CASES, bare_journey
from bench.comparison import MeasuredPlace, call_as_known_callers, summarise_case
from bench.measure import KNOWN_CALLERS, MENU_STEPS, WEBHOOK_PATH, RoundFigures, require_right_answers
from bench.servers import BARE_REPLY, require_clean_log
from bench.streamed_cycle import StreamedCycle
from gateway.http.listening import serve_app
from storage.sql.engine import connect
from tests.support.server_processes import PostgresServer

USSD_MENUS = load.ussd_journey(WEBHOOK_PATH, MENU_STEPS, KNOWN_CALLERS)


async def walk(text: str, status: int = 200, journey: load.Journey = USSD_MENUS) -> load.LoadResult:
    """Walk one journey at a server that answers every request alike."""

    async def handle(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(text=text, status=status)

    application = web.Application()
    application.router.add_route("*", "/{tail:.+}", handle)
    async with serve_app(application, "127.0.0.1", 0) as port:
        return await load.run_journeys(port, journey, itertools.islice(itertools.count(), 1), 1)


async def test_an_apology_to_everybody_is_no_result() -> None:
    with pytest.raises(SystemExit, match="6 of 6 answers were not the screen they must be: 'END Serviciul"):
        require_right_answers(await walk("END Serviciul nu este disponibil."))


@pytest.mark.parametrize("key", list(CASES))
async def test_every_answer_of_every_case_is_compared(key: str) -> None:
    tally = await walk("END Serviciul nu este disponibil.", journey=CASES[key]().journey)
    assert tally.wrong_count == tally.answer_count > 0


async def test_another_status_is_no_result() -> None:
    with pytest.raises(SystemExit, match="6 of 6 answers were no 200"):
        require_right_answers(await walk("no", 503))


@pytest.mark.parametrize(
    "line",
    [
        '{"level": "warning", "event": "sessions.circuit_opened"}',
        '{"level": "ERROR"}',
        "Traceback (most recent",
        "{}",
    ],
)
def test_a_warning_in_the_log_is_no_result(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f'{{"level": "info"}}\n{line}\n')
    with pytest.raises(SystemExit, match="1 lines that must not be there"):
        require_clean_log(tmp_path / "log")


def test_a_quiet_log_is_clean(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"level": "info"}\n\n')
    require_clean_log(tmp_path / "log")


def test_ratios_are_formed_within_a_round() -> None:
    rounds = [(RoundFigures(bare, 1.0, 1), RoundFigures(2 * bare, 2.0, 1)) for bare in (10.0, 1000.0, 30.0)]
    menus = summarise_case(MeasuredPlace("menus", "menus", "memory", 32), rounds)
    assert (menus.ratio, menus.lowest_ratio, menus.highest_ratio, menus.p99_factor) == (0.5, 0.5, 0.5, 2.0)


async def test_every_known_caller_calls_once_before_a_round() -> None:
    callers: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        callers.append(str((await request.post())["phoneNumber"]))
        return web.Response(text=BARE_REPLY)

    application, menus = web.Application(), CASES["menus"]()
    application.router.add_route("*", "/{tail:.+}", handle)
    case = replace(menus, journey=bare_journey(menus.journey))
    async with serve_app(application, "127.0.0.1", 0) as port:
        await asyncio.to_thread(call_as_known_callers, (0, port), case, 4)
    assert set(Counter(callers).values()) == {len(MENU_STEPS)} and len(set(callers)) == KNOWN_CALLERS


@pytest.mark.postgres
async def test_bulk_runs_are_measured_with_none_missing_or_doubled(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    assert postgres_server.child
    server, database = postgres_server.child.pid, connect(postgres_database)
    cycle = StreamedCycle(40, "orange-ro", billing.CYCLE_DATE)
    notices = [each async for each in billing.measure_bill_run(database, server, cycle)]
    reminded = [each async for each in reminders.measure_reminders(database, server, 40)]
    assert [(each.given, each.stored) for each in notices] == [(40, 40), (40, 40)]
    assert [(each.given, each.stored) for each in reminded] == [(40, 80), (40, 80)]
    await database.close()


def test_a_missing_row_is_no_result() -> None:
    with pytest.raises(SystemExit, match="missing or doubled"):
        BulkFigures(40, 39, 1.0, 1.0, 1.0, 0.0).require_complete()


async def test_links_are_measured_on_right_screens_each_at_its_own_phone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await ussd_links.run_bench(journeys=2, rounds=1, open_count=40)
    told = capsys.readouterr().out
    assert "step over SMPP" in told and "40 dialogues open on one bind" in told


@pytest.mark.postgres
def test_charges_of_two_processes_are_all_decided_and_never_pass_a_cap(
    postgres_server: PostgresServer, postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert postgres_server.child
    figures = purchases.decide_in_processes(postgres_database, postgres_server.child.pid, 2, 12)
    purchases.print_figures(figures, 12)
    assert sum(each.spent for each in figures) == Decimal("9.00")
    assert "2 processes" in capsys.readouterr().out


def test_a_cap_that_was_passed_is_no_result() -> None:
    figures = purchases.ShareFigures(0.0, 1.0, 1.0, 1.0, Decimal("10.50"))
    with pytest.raises(SystemExit, match="cap was passed"):
        purchases.print_figures([figures], 1)
