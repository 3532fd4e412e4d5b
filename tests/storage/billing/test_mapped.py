"""The `mapped` backend: an operator's own tables, read under their names and never written."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from flows.domain.failures import NotEligible
from flows.domain.ports import Billing
from tests.support.billing.backends import build_book, open_backend

ANA, BARBU = "40740000101", "40740000102"


@pytest.fixture
async def mapped(tmp_path: Path) -> AsyncIterator[Billing]:
    async with open_backend("mapped", tmp_path, build_book(), lambda: date(2026, 3, 10)) as billing:
        yield billing


async def test_bill_media_are_read_and_a_change_is_refused(mapped: Billing) -> None:
    assert (await mapped.get_media(ANA), await mapped.get_media(BARBU)) == ("paper", "email")
    assert not await mapped.set_media(BARBU, "email")
    with pytest.raises(NotEligible):
        await mapped.set_media(ANA, "email")
    assert await mapped.get_media(ANA) == "paper"
