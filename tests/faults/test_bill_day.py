"""A small billing day in every run: the command tells all usable bills and lists the others."""

from pathlib import Path

import pytest

from tests.faults.bill_day import run_bill_day


@pytest.mark.postgres
async def test_the_command_tells_995_of_a_thousand_bills_and_lists_five(
    postgres_database: str, tmp_path: Path
) -> None:
    result = await run_bill_day(postgres_database, tmp_path, bills=1_000, bad=5)
    assert result.exit_status == 3 and "995" in result.last_line
    assert sorted(result.bills_named) == ["B0", "B200", "B400", "B600", "B800"]
    assert (result.notices, result.recipients) == (995, 995)
