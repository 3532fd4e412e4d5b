"""Proofs of identity: no private step runs unproven, by any path, channel or set of proofs."""

from collections.abc import Iterator
from functools import cache
from itertools import chain, combinations

import pytest

from flows.domain.actions import LineSwitch
from flows.domain.email_registration import Registration
from flows.domain.records import ChangeSet
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.machine.proof_rules import PROOFS_MEETING_NEED
from menus.machine.screen import Node
from menus.machine.transitions_table import NoTransitionError
from menus.model.session import Session, load_session
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import load_draft
from menus.step import AnswerResult, follow_outcome, keep_pending_answer, switch_line, take_pending_answer
from storage.ledger.sql_ledger import SqlLedger
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET
from tests.support.databases import database as database
from tests.support.databases import database_url as database_url
from tests.support.gateway_sandbox import CHANNELS, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.shipped_packs import shipped_menu

PROOFS = ("line", "code", "password", "pin", "customer_code")
PROOF_SETS = [*chain.from_iterable(combinations(PROOFS, size) for size in range(len(PROOFS) + 1))]
CALLER, OTHER = "+21698000101", "+21671000102"
TUNISIE = "tunisie-telecom"


@cache
def compiled_menu(operator: str) -> Menu:
    return shipped_menu(operator)


def session_at(pack: Menu, state: str, kind: str, proofs: tuple[str, ...], channel: str = "ussd") -> Session:
    return Session(
        pack.name,
        channel,
        CALLER,
        pack.revision,
        state,
        pack.supported_language(""),
        line_kind=kind,
        proofs=proofs,
    )


def private_steps(pack: Menu) -> set[str]:
    """Yield the steps that read billing data or change an account."""
    actions = pack_compiler.load_actions()
    return {name for name, node in pack.nodes.items() if node.action and actions[node.action].is_private}


def is_proof_enough(pack: Menu, node: Node, kind: str, proofs: tuple[str, ...]) -> bool:
    """Restate the proof rules independently of the code."""
    rules = pack.config.rules
    asked = PROOFS_MEETING_NEED[rules.proof[kind]]
    if node.needs == "secret":
        return bool(set(proofs) - {"line"})
    vouched = rules.vouched is None or kind in rules.vouched
    if node.needs in ("line", "address") and vouched and "line" in proofs:
        return True
    if node.needs == "address":
        asked = PROOFS_MEETING_NEED[rules.address_proof.get(kind, "code")] | {"code"}
        return bool(asked & set(proofs))
    return bool((asked if node.needs == "line" else PROOFS_MEETING_NEED[node.needs]).intersection(proofs))


def moves_to_private_steps(pack: Menu, channel: str) -> Iterator[tuple[str, str, str]]:
    """Yield every transition on a channel into a private step: trigger, origin, step."""
    reached, aims = (
        reachable_nodes(load_draft(pack_compiler.pack_folder(pack.name), pack_compiler.SHARED_PLACES), channel),
        private_steps(pack),
    )
    for trigger, origin, target in pack.transition_table.edges():
        proving = trigger.startswith("resume ") and channel != CHANNELS[0]  # the same on every channel
        if target in aims and origin in reached and not proving:
            yield trigger, origin, target


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_a_private_step_is_entered_only_with_the_proof_of_the_rules(operator: str, channel: str) -> None:
    pack = compiled_menu(operator)
    for trigger, origin, target in moves_to_private_steps(pack, channel):
        for kind in pack.config.rules.proof:
            for proofs in PROOF_SETS:
                session = session_at(pack, origin, kind, proofs, channel)
                pack.transition_table.fire(trigger, session)
                proven = is_proof_enough(pack, pack.nodes[target], kind, proofs)
                assert (session.state == target) is proven, (trigger, origin, target, kind, proofs)


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_the_lookup_of_open_moves_agrees_with_the_machine(operator: str) -> None:
    pack = compiled_menu(operator)
    for trigger, origin, _ in pack.transition_table.edges():
        for proofs in ((), ("line",), ("code",), ("password",)):
            moved, asked = (
                session_at(pack, origin, next(iter(pack.config.rules.proof)), proofs) for _ in range(2)
            )
            pack.transition_table.fire(trigger, moved)
            pack.transition_table.fire_on_machine(trigger, asked)
            assert moved == asked, (trigger, origin, proofs)


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_a_line_not_proven_is_asked_for_the_proof_of_its_kind(operator: str) -> None:
    pack = compiled_menu(operator)
    for kind, proof in pack.config.rules.proof.items():
        session = session_at(pack, "home", kind, ())
        trigger = next(f"enter {name}" for name in sorted(private_steps(pack)) if _entry_of(pack, name))
        pack.transition_table.fire(trigger, session)
        assert session.state == pack.config.gates[proof] and session.resume_node == trigger.removeprefix(
            "enter "
        )


def _entry_of(pack: Menu, name: str) -> bool:
    return pack.nodes[name].needs == "line" and pack.transition_table.has_edge(f"enter {name}", "home")


@pytest.mark.parametrize("proofs", PROOF_SETS)
def test_another_line_loses_every_proof(proofs: tuple[str, ...]) -> None:
    session = session_at(compiled_menu(TUNISIE), "home", "mobile", proofs)
    switch_line(session, OTHER, "fixed", trusted=True)
    assert (session.msisdn, session.line_kind, session.proofs, session.facts) == (OTHER, "fixed", (), {})


def test_back_on_the_own_line_the_trusted_connection_counts_again_and_nothing_else() -> None:
    session = session_at(compiled_menu(TUNISIE), "home", "mobile", ("line",))
    switch_line(session, OTHER, "fixed", trusted=True)
    session.proofs = ("customer_code",)
    switch_line(session, CALLER, "mobile", trusted=True)
    assert (session.subject, session.proofs) == ("", ("line",))


def test_an_untrusted_connection_proves_not_even_the_own_line() -> None:
    session = session_at(compiled_menu(TUNISIE), "home", "mobile", ("line",))
    switch_line(session, CALLER, "mobile", trusted=False)
    assert session.proofs == ()


def test_a_session_about_another_line_comes_back_as_it_was() -> None:
    session = session_at(compiled_menu(TUNISIE), "home", "mobile", ("line",))
    switch_line(session, OTHER, "fixed", trusted=True)
    assert load_session(session.dump()) == session and load_session(session.dump()).msisdn == OTHER


def test_a_session_of_another_release_is_no_session() -> None:
    with pytest.raises(ValueError, match="fields of other types"):
        load_session(b'["orange-ro","ussd","+40740000101","r","home","ro",{}]')


def test_an_open_answer_waits_for_its_proof_and_a_secret_does_not() -> None:
    pack = compiled_menu("maroc-telecom")
    session = session_at(pack, "password.enter", "mobile", ())
    keep_pending_answer(pack, session, AnswerResult("moved", "12345678", is_secret=True))
    assert take_pending_answer(session) == ""
    keep_pending_answer(pack, session, AnswerResult("moved", "0226"))
    assert (take_pending_answer(session), take_pending_answer(session)) == ("0226", "")


def test_a_number_of_another_kind_than_stated_is_unknown() -> None:
    assert LineSwitch(OTHER, "mobile") != LineSwitch(OTHER, "fixed") and OTHER not in repr(LineSwitch(OTHER))


async def test_a_fixed_line_said_to_be_mobile_proves_nothing_and_gets_no_code(
    sandboxes: SandboxFactory,
) -> None:
    async with sandboxes.open(operator=TUNISIE) as sandbox:
        phone = sandbox.direct_line()
        await phone.dial(CALLER, "*101*5*1*71000102#")
        assert "Tapez le code" in (await phone.press("2")).lines[0]
        assert await sandbox.messages.collect_new() == []


async def test_a_proof_of_one_line_opens_no_other(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(operator=TUNISIE) as sandbox:
        phone = sandbox.direct_line()
        await phone.dial(CALLER, "*101*5*2*71000102*2*88441207#")
        await phone.press("00")
        seen = [await phone.press(key) for key in ("5", "3", "20000103", "2")]
        assert "code client" in seen[-1].lines[0] and "25,000" not in "".join(seen[-1].lines)


async def test_a_proof_taken_cannot_be_fired_from_elsewhere() -> None:
    pack = compiled_menu(TUNISIE)
    session = session_at(pack, "proof.check_customer_code", "fixed", ())
    with pytest.raises(NoTransitionError):
        follow_outcome(pack, session, "ok", {}, "")


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


def registration_change(key: str, line: str, by: str = CALLER) -> ChangeSet:
    made = Registration(by, line, f"tt-{line}", line.removeprefix("+"))
    return ChangeSet(key, TUNISIE, made.subscription, NOW, registration=made)


async def test_lines_are_listed_by_the_phone_that_registered_them_once_each(ledger: SqlLedger) -> None:
    for key, line, by in (("1", CALLER, CALLER), ("2", OTHER, CALLER), ("3", OTHER, CALLER)):
        await ledger.commit(registration_change(key, line, by))
    await ledger.commit(registration_change("4", OTHER, OTHER))
    assert [each.line for each in await ledger.list_registrations(TUNISIE, CALLER)] == [OTHER, CALLER]
    assert await ledger.list_registrations("maroc-telecom", CALLER) == []


async def test_a_subscription_knows_its_registration(ledger: SqlLedger) -> None:
    await ledger.commit(registration_change("1", OTHER))
    found = await ledger.find_registration(TUNISIE, f"tt-{OTHER}")
    assert found == registration_change("1", OTHER).registration
    assert await ledger.find_registration(TUNISIE, "tt-nobody") is None
