"""Notice number: a line's notices go to another phone once it has proven itself by a code (R4)."""

import pytest

from flows.domain.records import Preference
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

ANA, DAN = "+40740000101", "+40740000105"
LINE = "orange-ro-40740000101"


async def stored_preference(sandbox: GatewaySandbox) -> Preference:
    return await sandbox.container.operators["orange-ro"].ledger.get_preference("orange-ro", LINE)


async def name_number(sandbox: GatewaySandbox, number: str, code: str = "") -> tuple[str, ...]:
    """Name a number on USSD; answer with the code that number got, or with another one."""
    phone = sandbox.direct_line()
    await phone.dial(ANA, "*100*1*1*6*4#")
    shown = (await phone.press(number)).lines
    sent = [each for each in await sandbox.messages.collect_new() if each.kind == "code"]
    if not sent:
        return shown
    assert {each.to for each in sent} == {DAN}
    digits = "".join(filter(str.isdigit, sent[0].body.partition(",")[0]))
    return (await phone.press(code or digits)).lines


async def test_R4_the_notices_of_the_callers_own_line_go_where_the_code_was_read(
    sandbox: GatewaySandbox,
) -> None:
    assert "07***105" in " ".join(await name_number(sandbox, "0740000105"))
    assert (await stored_preference(sandbox)).notify_number == DAN
    other = await sandbox.container.operators["orange-ro"].ledger.get_preference(
        "orange-ro", "orange-ro-40740000105"
    )
    assert other == Preference()


async def test_R4_a_wrong_code_changes_nothing(sandbox: GatewaySandbox) -> None:
    await name_number(sandbox, "0740000105", code="000000")
    assert await stored_preference(sandbox) == Preference()


async def test_R4_the_own_number_needs_no_code_and_ends_what_was_chosen(sandbox: GatewaySandbox) -> None:
    await name_number(sandbox, "0740000105")
    phone = sandbox.direct_line()
    phone.session_prefix = "again"
    await phone.dial(ANA, "*100*1*1*6#")
    await phone.press("1")
    assert (await stored_preference(sandbox)).notify_number == ANA


async def test_R4_a_number_with_a_new_owner_gets_no_notices_of_others(sandbox: GatewaySandbox) -> None:
    await name_number(sandbox, "0740000105")
    ports = sandbox.container.operators["orange-ro"]
    dan = await ports.billing.get_subscriber(DAN)
    await ports.ledger.bind_number(DAN, dan, sandbox.clock(), ports.today())
    await sandbox.container.write_behind.flush()
    heir = type(dan)(**{name: getattr(dan, name) for name in dan.__slots__} | {"id": "another"})
    await ports.ledger.bind_number(DAN, heir, sandbox.clock(), ports.today())
    assert (await stored_preference(sandbox)).notify_number == ""


@pytest.mark.parametrize("number", ["+33612345678", "0033612345678"])
async def test_a_foreign_number_gets_no_code(sandboxes: SandboxFactory, number: str) -> None:
    async with sandboxes.open() as sandbox:
        await name_number(sandbox, number)
        assert await sandbox.messages.collect_new() == []
