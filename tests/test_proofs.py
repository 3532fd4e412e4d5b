"""Proofs of identity: no private step runs unproven, by any path, channel or set of proofs."""

from collections.abc import Iterator
from functools import cache
from itertools import chain, combinations

import pytest

from flows.domain.actions import Subject
from flows.domain.records import Change, Registration
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.machine.screen import Node
from menus.machine.transitions_table import SATISFIES, NoMoveError
from menus.model.session import Session, load
from menus.packs.graph_checks import reachable
from menus.packs.loader import draft
from menus.step import Heard, held, hold, take, turn_to
from storage.ledger.store import SqlLedger
from storage.sql.engine import Database
from tests.sql import NOW, SECRET
from tests.sql import database as database
from tests.sql import database_url as database_url
from tests.world import CHANNELS, Worlds
from tests.world import sandboxes as sandboxes

PROOFS = ("line", "code", "password", "pin", "customer_code")
SETS = [*chain.from_iterable(combinations(PROOFS, size) for size in range(len(PROOFS) + 1))]
CALLER, OTHER = "+21698000101", "+21671000102"
TUNISIE = "tunisie-telecom"


@cache
def menu(operator: str) -> Menu:
    return pack_compiler.menu(pack_compiler.folder(operator))


def standing(pack: Menu, state: str, kind: str, proofs: tuple[str, ...], channel: str = "ussd") -> Session:
    return Session(
        pack.name, channel, CALLER, pack.revision, state, pack.language(""), kind=kind, proofs=proofs
    )


def private(pack: Menu) -> set[str]:
    """Yield the steps that read billing data or change an account."""
    actions = pack_compiler.actions()
    return {name for name, node in pack.nodes.items() if node.action and actions[node.action].private}


def enough(pack: Menu, node: Node, kind: str, proofs: tuple[str, ...]) -> bool:
    """Restate the proof rules independently of the code."""
    rules = pack.form.rules
    asked = SATISFIES[rules.proof[kind]]
    if node.needs == "secret":
        return bool(set(proofs) - {"line"})
    vouched = rules.vouched is None or kind in rules.vouched
    if node.needs == "line" and vouched and "line" in proofs:
        return True
    return bool((asked if node.needs == "line" else SATISFIES[node.needs]).intersection(proofs))


def arrivals(pack: Menu, channel: str) -> Iterator[tuple[str, str, str]]:
    """Yield every transition on a channel into a private step: trigger, origin, step."""
    reached, aims = (
        reachable(draft(pack_compiler.folder(pack.name), pack_compiler.PLACES), channel),
        private(pack),
    )
    for trigger, origin, target in pack.moves.edges():
        proving = trigger.startswith("resume ") and channel != CHANNELS[0]  # the same on every channel
        if target in aims and origin in reached and not proving:
            yield trigger, origin, target


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("operator", pack_compiler.names())
def test_a_private_step_is_entered_only_with_the_proof_of_the_rules(operator: str, channel: str) -> None:
    pack = menu(operator)
    for trigger, origin, target in arrivals(pack, channel):
        for kind in pack.form.rules.proof:
            for proofs in SETS:
                session = standing(pack, origin, kind, proofs, channel)
                pack.moves.fire(trigger, session)
                proven = enough(pack, pack.nodes[target], kind, proofs)
                assert (session.state == target) is proven, (trigger, origin, target, kind, proofs)


@pytest.mark.parametrize("operator", pack_compiler.names())
def test_the_lookup_of_open_moves_agrees_with_the_machine(operator: str) -> None:
    pack = menu(operator)
    for trigger, origin, _ in pack.moves.edges():
        for proofs in ((), ("line",), ("code",), ("password",)):
            moved, asked = (standing(pack, origin, next(iter(pack.form.rules.proof)), proofs) for _ in range(2))
            pack.moves.fire(trigger, moved)
            pack.moves.ask(trigger, asked)
            assert moved == asked, (trigger, origin, proofs)


@pytest.mark.parametrize("operator", pack_compiler.names())
def test_a_line_not_proven_is_asked_for_the_proof_of_its_kind(operator: str) -> None:
    pack = menu(operator)
    for kind, proof in pack.form.rules.proof.items():
        session = standing(pack, "home", kind, ())
        trigger = next(f"enter {name}" for name in sorted(private(pack)) if _entered(pack, name))
        pack.moves.fire(trigger, session)
        assert session.state == pack.form.gates[proof] and session.then == trigger.removeprefix("enter ")


def _entered(pack: Menu, name: str) -> bool:
    return pack.nodes[name].needs == "line" and f"enter {name}" in pack.moves._events


@pytest.mark.parametrize("proofs", SETS)
def test_another_line_loses_every_proof(proofs: tuple[str, ...]) -> None:
    session = standing(menu(TUNISIE), "home", "mobile", proofs)
    turn_to(session, OTHER, "fixed", trusted=True)
    assert (session.number, session.kind, session.proofs, session.facts) == (OTHER, "fixed", (), {})


def test_back_on_the_own_line_the_trusted_connection_counts_again_and_nothing_else() -> None:
    session = standing(menu(TUNISIE), "home", "mobile", ("line",))
    turn_to(session, OTHER, "fixed", trusted=True)
    session.proofs = ("customer_code",)
    turn_to(session, CALLER, "mobile", trusted=True)
    assert (session.subject, session.proofs) == ("", ("line",))


def test_an_untrusted_connection_proves_not_even_the_own_line() -> None:
    session = standing(menu(TUNISIE), "home", "mobile", ("line",))
    turn_to(session, CALLER, "mobile", trusted=False)
    assert session.proofs == ()


def test_a_session_about_another_line_comes_back_as_it_was() -> None:
    session = standing(menu(TUNISIE), "home", "mobile", ("line",))
    turn_to(session, OTHER, "fixed", trusted=True)
    assert load(session.dump()) == session and load(session.dump()).number == OTHER


def test_a_session_of_another_release_is_no_session() -> None:
    with pytest.raises(ValueError, match="fields of other types"):
        load(b'["orange-ro","ussd","+40740000101","r","home","ro",{}]')


def test_an_open_answer_waits_for_its_proof_and_a_secret_does_not() -> None:
    pack = menu("maroc-telecom")
    session = standing(pack, "password.enter", "mobile", ())
    hold(pack, session, Heard("moved", "12345678", secret=True))
    assert held(session) == ""
    hold(pack, session, Heard("moved", "0226"))
    assert (held(session), held(session)) == ("0226", "")


def test_a_number_of_another_kind_than_stated_is_unknown() -> None:
    assert Subject(OTHER, "mobile") != Subject(OTHER, "fixed") and OTHER not in repr(Subject(OTHER))


async def test_a_fixed_line_said_to_be_mobile_proves_nothing_and_gets_no_code(sandboxes: Worlds) -> None:
    async with sandboxes.open(operator=TUNISIE) as sandbox:
        phone = sandbox.direct()
        await phone.dial(CALLER, "*101*5*1*71000102#")
        assert "Tapez le code" in (await phone.press("2")).lines[0]
        assert await sandbox.post.collect() == []


async def test_a_proof_of_one_line_opens_no_other(sandboxes: Worlds) -> None:
    async with sandboxes.open(operator=TUNISIE) as sandbox:
        phone = sandbox.direct()
        await phone.dial(CALLER, "*101*5*2*71000102*2*88441207#")
        await phone.press("00")
        seen = [await phone.press(key) for key in ("5", "3", "20000103", "2")]
        assert "code client" in seen[-1].lines[0] and "25,000" not in "".join(seen[-1].lines)


async def test_a_proof_taken_cannot_be_fired_from_elsewhere() -> None:
    pack = menu(TUNISIE)
    session = standing(pack, "proof.check_customer_code", "fixed", ())
    with pytest.raises(NoMoveError):
        take(pack, session, "ok", {}, "")


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database, SECRET)


def registering(key: str, line: str, by: str = CALLER) -> Change:
    made = Registration(by, line, f"tt-{line}", line.removeprefix("+"))
    return Change(key, TUNISIE, made.subscription, NOW, registration=made)


async def test_lines_are_listed_by_the_phone_that_registered_them_once_each(ledger: SqlLedger) -> None:
    for key, line, by in (("1", CALLER, CALLER), ("2", OTHER, CALLER), ("3", OTHER, CALLER)):
        await ledger.commit(registering(key, line, by))
    await ledger.commit(registering("4", OTHER, OTHER))
    assert [each.line for each in await ledger.registrations(TUNISIE, CALLER)] == [OTHER, CALLER]
    assert await ledger.registrations("maroc-telecom", CALLER) == []


async def test_a_subscription_knows_its_registration(ledger: SqlLedger) -> None:
    await ledger.commit(registering("1", OTHER))
    found = await ledger.registered(TUNISIE, f"tt-{OTHER}")
    assert found == registering("1", OTHER).registration
    assert await ledger.registered(TUNISIE, "tt-nobody") is None
