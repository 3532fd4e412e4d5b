"""CSV export of usage: records and totals, whole days, roots and months, formats."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

import pytest

from flows.domain.failures import Down
from flows.domain.ports import Billing
from flows.domain.records import UsageEntry
from flows.selfcare import usage_export
from flows.selfcare.csv_format import local_format
from flows.selfcare.export_period import ExportPeriod
from flows.selfcare.usage_export import USAGE_CSV_COLUMNS, find_usage, usage_csv, usage_to_export
from flows.services.file_links import LinkedFile
from tests.support.shipped_packs import shipped_menu

LINE, OTHER_LINE = "+33660000103", "+33660000113"
ENTRIES = [
    UsageEntry(date(2026, 2, 27), "call", Decimal("1.20"), "=1+1", 3, LINE, "CF-100-A"),
    UsageEntry(date(2026, 3, 1), "call", Decimal("0.30"), "", 4, OTHER_LINE, "CF-100-A"),
    UsageEntry(date(2026, 3, 2), "call", Decimal("0.20"), "", 5, LINE, "CF-100-A"),
    UsageEntry(date(2026, 3, 2), "data", Decimal(0), "", 350, OTHER_LINE, "CF-200-A"),
    UsageEntry(date(2026, 3, 3), "fax", Decimal(0), "", 1, LINE),
]


def usage_file(root: str = "", level: str = "lines") -> LinkedFile:
    return LinkedFile("usage", "a1", LINE, "", root, level)


def read_csv(data: bytes, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator))


def test_every_record_says_its_line_and_centre() -> None:
    head, first, *_, last = read_csv(usage_csv(ENTRIES, usage_file(), "EUR"))
    assert tuple(head) == USAGE_CSV_COLUMNS
    assert first == ["2026-02-27", f"'{LINE}", "CF-100-A", "call", "'=1+1", "3", "min", "1.20", "EUR"]
    assert last == ["2026-03-03", f"'{LINE}", "", "other", "", "1", "", "0", "EUR"]


def test_totals_are_per_month_centre_and_kind() -> None:
    rows = read_csv(usage_csv(ENTRIES, usage_file(level="totals"), "EUR"))[1:]
    assert [(row[0], row[2], row[3], row[5], row[7]) for row in rows] == [
        ("2026-02", "CF-100-A", "call", "3", "1.20"),
        ("2026-03", "CF-100-A", "call", "9", "0.50"),
        ("2026-03", "CF-200-A", "data", "350", "0"),
        ("2026-03", "", "other", "1", "0"),
    ]


@pytest.mark.parametrize(
    ("root", "period", "days"),
    [
        ("", None, [27, 1, 2, 2, 3]),
        ("CF-200", None, [2]),
        ("CF", None, []),
        ("", ExportPeriod((2026, 2), (2026, 2)), [27]),
        ("CF-100", ExportPeriod((2026, 3), (2026, 4)), [1, 2]),
    ],
)
def test_root_and_months_choose_the_records(root: str, period: ExportPeriod | None, days: list[int]) -> None:
    assert [each.at.day for each in usage_to_export(ENTRIES, usage_file(root), period)] == days


def test_people_get_words_and_separators_of_their_language() -> None:
    menu = shipped_menu("bouygues")
    french = local_format(menu, "fr", USAGE_CSV_COLUMNS)
    head, first, *_ = read_csv(usage_csv(ENTRIES, usage_file(), "EUR", french), ";")
    assert head[3:8] == ["Type", "Libellé", "Quantité", "Unité", "Montant"]
    assert (first[3], first[6], first[7]) == ("Appel", "min", "1,20")


class LongUsage:
    """Billing with some records a day, the newest first."""

    def __init__(self, a_day: int, days: int) -> None:
        newest = (date(2026, 3, 3) - timedelta(days=each) for each in range(days))
        self.entries = [UsageEntry(day, "call", Decimal(0)) for day in newest for _ in range(a_day)]

    async def list_entries(self, account: str, what: str, limit: int) -> Sequence[UsageEntry]:
        return self.entries[:limit]


async def test_too_many_records_leave_out_the_oldest_days_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_export, "MAX_USAGE_RECORDS", 5)
    found = await find_usage(cast(Billing, LongUsage(2, 9)), "a1")
    assert [each.at.day for each in found] == [2, 2, 3, 3]
    assert len(await find_usage(cast(Billing, LongUsage(5, 1)), "a1")) == 5
    with pytest.raises(Down):
        await find_usage(cast(Billing, LongUsage(6, 1)), "a1")
