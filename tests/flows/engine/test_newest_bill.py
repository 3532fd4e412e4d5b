"""Newest bill: read with the subscriber where one turn needs both, and read anew by every later one."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from flows.domain.records import Bill
from gateway.dialogs.direct_line import DirectLine
from storage.billing.sql import SqlBilling
from storage.sql.tables import billing_bills
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA = "+40740000101"
LATEST = "*100*1*1*1#"


class CountingSqlBilling(SqlBilling):
    """Our own tables, with the reads of bill lists counted."""

    lists_read = 0

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        self.lists_read += 1
        return await super().list_bills(account, limit, offset)


@pytest.fixture
def billing(sandbox: GatewaySandbox) -> CountingSqlBilling:
    """Provide the sandbox's billing without the faults of the demo."""
    ports = sandbox.container.operators[OPERATOR]
    ports.billing = CountingSqlBilling(sandbox.container.database, OPERATOR, ports.today, "RON")
    return ports.billing


async def dial(sandbox: GatewaySandbox, code: str = LATEST) -> tuple[str, DirectLine]:
    line = sandbox.direct_line()
    return "\n".join((await line.dial(ANA, code)).lines), line


async def change_bills(sandbox: GatewaySandbox, **values: Any) -> None:
    statement = update(billing_bills).values(**values)
    await sandbox.container.database.write(lambda connection: connection.execute(statement).close())


async def test_a_bill_dialled_ahead_by_a_new_caller_is_one_read(
    sandbox: GatewaySandbox, billing: CountingSqlBilling
) -> None:
    shown, _ = await dial(sandbox)
    assert shown.startswith("Factura") and billing.lists_read == 0


async def test_a_caller_who_goes_key_by_key_sees_the_bill_of_that_moment(
    sandbox: GatewaySandbox, billing: CountingSqlBilling
) -> None:
    _, line = await dial(sandbox, "*100#")
    await change_bills(sandbox, total=7, remaining=7)
    for key in ("1", "1"):
        await line.press(key)
    assert "7,00" in "\n".join((await line.press("1")).lines) and billing.lists_read == 1


async def test_a_known_callers_next_conversation_reads_the_bill_anew(
    sandbox: GatewaySandbox, billing: CountingSqlBilling
) -> None:
    await dial(sandbox)
    await change_bills(sandbox, total=7, remaining=7)
    line = sandbox.direct_line()
    line.session_prefix = "second"
    assert "7,00" in "\n".join((await line.dial(ANA, LATEST)).lines) and billing.lists_read == 1


async def test_a_profile_is_cached_without_the_bill(
    sandbox: GatewaySandbox, billing: CountingSqlBilling
) -> None:
    cache = sandbox.container.subscriber_caches[OPERATOR]
    assert (await cache.find(ANA)).newest_bills
    assert (await cache.find(ANA)).newest_bills is None


async def test_a_bill_that_cannot_be_read_leaves_the_caller_known(
    sandbox: GatewaySandbox, billing: CountingSqlBilling
) -> None:
    await change_bills(sandbox, total="NaN")
    shown, _ = await dial(sandbox, "*100*1#")
    assert shown and billing.lists_read == 0
