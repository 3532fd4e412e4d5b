"""SIM swap (T7): no code leaves for a fresh SIM, a new owner, or on an answer that is not of this moment."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from flows.domain.records import Subscriber
from gateway.dialogs.direct_line import DirectLine
from storage.sql.tables import audit
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import FaultyBilling, GatewaySandbox, SandboxFactory
from tests.support.sim_change import with_sim_change

ANA, DAN, ELENA = "+40740000101", "+40740000105", "+40740000106"


async def test_T7_a_fresh_sim_gets_no_code_in_the_same_words(sandbox: GatewaySandbox) -> None:
    ports = sandbox.container.operators["orange-ro"]
    answers = []
    for hours in (100, 1):
        changed = sandbox.clock() - timedelta(hours=hours)
        ports.billing = with_sim_change(ports.billing, changed)
        sandbox.container.subscriber_caches["orange-ro"].profiles.clear()
        answers.append((await sandbox.direct_line().send_text(ANA, "477", "ThankYou1")).lines)
        answers.append(tuple(notice.kind for notice in await sandbox.messages.collect_new()))
        sandbox.clock.advance(timedelta(minutes=5))
    assert answers == [answers[0], ("code",), answers[0], ()]


async def test_T7_a_sim_changed_during_the_conversation_gets_no_code(sandbox: GatewaySandbox) -> None:
    ports, phone = sandbox.container.operators["orange-ro"], sandbox.direct_line()
    usual = (await phone.send_text(DAN, "477", "DanRest5")).lines
    await phone.dial(ANA, "*100#")
    assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code"]
    ports.billing = with_sim_change(ports.billing, sandbox.clock())
    assert (await phone.send_text(ANA, "477", "ThankYou1")).lines == usual
    assert await sandbox.messages.collect_new() == []
    metric = 'dialtree_codes_withheld_total{operator="orange-ro",reason="sim_changed"} 1.0'
    assert metric in sandbox.container.metrics_registry.render_exposition().decode()
    assert await withheld_entries(sandbox) == [("code.withheld", "bill", "sim_changed")]


async def withheld_entries(sandbox: GatewaySandbox) -> list[tuple[str, ...]]:
    """Return the audit entries about codes that were not sent."""
    await sandbox.container.write_behind.flush()
    statement = select(audit.c.action, audit.c.object, audit.c.outcome).where(audit.c.action == "code.withheld")
    rows = await sandbox.container.database.read(lambda connection: connection.execute(statement).all())
    return [tuple(row) for row in rows]


class NewOwnerBilling(FaultyBilling):
    """A backend by which the number has become another person's."""

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        return replace(await super().recheck_subscriber(msisdn), id="another")


async def test_T7_no_code_goes_to_the_next_owner_of_the_number(sandbox: GatewaySandbox) -> None:
    ports, phone = sandbox.container.operators["orange-ro"], sandbox.direct_line()
    await phone.dial(ANA, "*100#")
    ports.billing = NewOwnerBilling(ports.billing)
    await phone.send_text(ANA, "477", "ThankYou1")
    assert await sandbox.messages.collect_new() == []
    assert await withheld_entries(sandbox) == [("code.withheld", "bill", "owner_changed")]


async def test_T7_no_code_on_an_old_answer_and_no_word_that_one_was_sent(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    usual = (await phone.send_text(DAN, "477", "DanRest5")).lines
    assert [notice.kind for notice in await sandbox.messages.collect_new()] == ["code"]
    await phone.dial(ANA, "*100#")
    sandbox.faulty_billing.set_state("down")
    assert (await phone.send_text(ANA, "477", "ThankYou1")).lines != usual
    assert await sandbox.messages.collect_new() == []
    sandbox.faulty_billing.set_state("up")
    assert (await phone.send_text(ANA, "477", "ThankYou1")).lines == usual


class CountingBilling(FaultyBilling):
    """A backend that counts how often it is asked past the caches."""

    rechecks = 0

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        self.rechecks += 1
        return await super().recheck_subscriber(msisdn)


async def test_T7_billing_is_asked_again_only_for_a_code_that_will_leave(sandbox: GatewaySandbox) -> None:
    ports, phone = sandbox.container.operators["orange-ro"], sandbox.direct_line()
    counting = CountingBilling(ports.billing)
    ports.billing = counting
    for password in ("ThankYou1", "ThankYou1", "wrong-one"):
        await phone.send_text(ANA, "477", password)
    assert counting.rechecks == 1


ShownLines = list[tuple[str, ...]]


async def ask_for_code(
    sandbox: GatewaySandbox, phone: DirectLine, caller: str, password: str
) -> tuple[ShownLines, list[str]]:
    """Request a code on each channel; return what is shown and the kinds of message sent."""
    shown, came = [], list[str]()
    for channel in ("sms", "ussd", "voice"):
        if channel == "sms":
            shown.append((await phone.send_text(caller, "477", password)).lines)
        else:
            await (phone.dial(caller, "*100*1*1#") if channel == "ussd" else phone.call(caller, "411"))
            keys = ("5",) if channel == "ussd" else ("1", "4")
            shown += [(await phone.press(key)).lines for key in keys]
        came += [notice.kind for notice in await sandbox.messages.collect_new()]
        sandbox.clock.advance(timedelta(minutes=2))
    return shown, came


async def test_T7_billing_says_swapped_an_hour_ago_and_no_channel_tells(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    elena, sent = await ask_for_code(sandbox, phone, ELENA, "ElenaSim6")
    dan, usual = await ask_for_code(sandbox, phone, DAN, "DanRest5")
    assert elena == dan and (sent, usual) == ([], ["code", "code", "code"])
    per_number = 3  # the handset's own code, its copy for everybody else, and the one a call asked for
    assert await count_rows(sandbox.container.database, "codes") == 2 * per_number


async def test_T7_after_three_days_the_sim_is_believed(sandbox: GatewaySandbox) -> None:
    sandbox.clock.advance(timedelta(hours=71, minutes=1))
    _, sent = await ask_for_code(sandbox, sandbox.direct_line(), ELENA, "ElenaSim6")
    assert sent == ["code", "code", "code"]


async def test_a_fresh_sim_loosens_no_limit_of_purchases(
    sandboxes: SandboxFactory,
) -> None:
    async with sandboxes.open("2026-03-10 09:00", operator="bouygues") as sandbox:
        ports, phone = sandbox.container.operators["bouygues"], sandbox.direct_line()
        ports.billing = with_sim_change(ports.billing, sandbox.clock())
        shown: list[str] = []
        for words in ("PLAFOND 20", "BLOQ JEUX", "PLAFOND 80", "4826", "DEBLOQ JEUX"):
            shown += (await phone.send_text("+33660000101", "61064", words)).lines
        policy = ports.policies and await ports.policies.find_policy("bouygues", "bouygues-33660000101")
        assert policy and policy.monthly_cap == 20 and policy.blocked == {"content"}
        assert len([line for line in shown if "SIM" in line]) == 2
