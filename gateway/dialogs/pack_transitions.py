"""Transitions reachable in a pack for each kind of caller; the dialogs must cover all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flows.domain.actions import Action
from gateway.publishing import pack_compiler
from menus.machine.proof_rules import read_proof_rules
from menus.machine.screen import Node
from menus.machine.transitions_table import outgoing_edges
from menus.packs.graph_checks import start_nodes
from menus.packs.loader import PackDraft, load_draft

PackTransition = tuple[str, str]
"""A trigger and the node it leaves."""
BILLING_FAULTS = ("slow", "down")
BILLING_ACTIONS = frozenset(
    [
        *("invoice.latest", "invoice.list", "invoice.open", "invoice.lines", "invoice.month", "invoice.next"),
        *("invoice.users", "invoice.user", "invoice.why", "contest.lines", "contest.by_reference"),
        *("document.status", "export.roots", "export.found", "usage.last", "purchases.list"),
        *("registration.begin", "einvoice.activate", "paper.revert"),
    ]
)
"""Actions that read billing beyond the caller's identity, so billing may fail in them at any point."""
PROOF_ACTIONS = frozenset({"code.check", "proof.check", "password.check", "line.with_code"})

PURCHASE_STEPS = (
    *("configure", "cap_given", "raise", "alert_given", "silence", "categories", "toggle"),
    *("allow_picked", "block_all", "allow_all", "block_named", "allow_named"),
    *("sellers", "toggle_seller", "allow_seller"),
)
WALLET_MOVES = frozenset(
    [
        *((f"{channel} 4", "pay.confirm") for channel in ("ussd", "sms", "voice")),
        ("ok", "pay.wallet"),
        ("wait", "pay.start"),
    ]
)
"""Transitions that a dialog makes only with a wallet (`with wallet ...`); walks have none."""
PAY_STEPS = ("pay.start", "pay.bill", "pay.link", "pay.anyway")
UNREACHABLE: Mapping[PackTransition, str] = {
    ("none", "contest.lines"): "every bill of the demo world has lines",
    ("none", "invoice.users"): "every bill of the demo world has lines",
    ("already", "registration.begin"): "the address is validated on a page, which no dialog opens",
    ("ok", "registration.choose"): "the address is validated on a page, which no dialog opens",
    ("voice 1", "house.agent_away"): "no shipped pack names the hours of its agents",
    **dict.fromkeys(
        (
            *(("closed", step) for step in PAY_STEPS),
            *(("wait", step) for step in PAY_STEPS if step != "pay.start"),
            ("settled", "pay.anyway"),
        ),
        "a payment is begun on a page, and the demo world has a provider: test_paying.py",
    ),
    **dict.fromkeys(
        (
            *((out, f"purchases.{step}") for out in ("closed", "held") for step in PURCHASE_STEPS),
            *(("new", f"purchases.{step}") for step in ("silence", "toggle", "allow_picked")),
            *(("new", f"purchases.{step}") for step in ("toggle_seller", "allow_seller")),
            ("raise", "purchases.allow_seller"),
            ("none", "purchases.sellers"),
            ("new", "purchases.block_all"),
            *((outcome, "purchases.silence") for outcome in ("ok", "wrong")),
            ("raise", "purchases.allow_picked"),
            ("new", "purchases.categories"),
        ),
        "what the screen before has looked at rules it out: tests/system/test_purchases.py",
    ),
    **dict.fromkeys(
        (
            *((outcome, "promise.make") for outcome in ("changed", "open", "many", "small", "declined")),
            *((outcome, "promise.start") for outcome in ("settled", "none", "early")),
            *((outcome, step) for outcome in ("many", "small") for step in ("promise.start", "promise.latest")),
        ),
        "the screen before has looked at the bill, and promises are months apart: test_promises.py",
    ),
    **dict.fromkeys(
        (("mailed", "pay.link"), ("mailed", "pay.mandate")),
        "no line without SMS has a validated address in the demo world: test_payment_mails.py",
    ),
    **dict.fromkeys(
        (
            *((outcome, "pay.link") for outcome in ("changed", "settled", "unreachable")),
            ("settled", "pay.start"),
        ),
        "the bill changes at billing, or the line gets no SMS: test_paying.py",
    ),
    **dict.fromkeys(
        (
            *(("many", f"notify.{step}") for step in ("email", "both", "given")),
            ("many", "profile.store_email"),
        ),
        "more confirmation mails than a person asks for: test_mail_budget.py",
    ),
    **dict.fromkeys(
        (
            ("voice 5", "pay.confirm"),
            *((outcome, "pay.card") for outcome in ("ok", "wait", "settled", "changed", "closed")),
        ),
        "no connection of the demo takes cards: test_call_cards.py",
    ),
    **dict.fromkeys(
        (
            (outcome, "pay.wallet")
            for outcome in ("wait", "settled", "changed", "unreachable", "held", "closed")
        ),
        "the bill or the settings change meanwhile, or no mobile calls: test_wallet_payments.py",
    ),
}
"""Transitions that no dialog can make, and why."""
UNREACHABLE_EXCEPT_BY_TEXT: Mapping[PackTransition, str] = {
    ("off", "purchases.cap_given"): "the cap is offered while purchases are on",
    ("new", "purchases.alert_given"): "the alert is offered to lines with limits",
    ("silent", "purchases.alert_given"): "there 0 goes back",
}
"""Transitions that only a keyword leads to."""
UNREACHABLE_BY_TEXT: Mapping[PackTransition, str] = {
    (who, step): "by text a PIN is asked first, and who is left out gets none"
    for who in ("agency", "newcomer")
    for step in ("password.draft", "profile.email", "profile.invite")
}


@dataclass(frozen=True)
class PackOnChannel:
    """A pack as callers meet it on one channel."""

    operator: str
    channel: str
    pack_draft: PackDraft = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)

    @classmethod
    def load_pack(cls, operator: str, channel: str, packs: str = "") -> "PackOnChannel":
        """Load the pack of an operator; `packs` is a folder of packs beside the shipped ones."""
        return cls(
            operator,
            channel,
            load_draft(pack_compiler.find_pack(operator, packs), pack_compiler.SHARED_PLACES),
            pack_compiler.load_actions(),
        )

    def reachable_transitions(self) -> set[PackTransition]:
        """Return every transition that some caller can make."""
        kinds = ("", *self._exclusion_outcomes(), "unknown", *BILLING_FAULTS)
        made = {move for only in kinds for move in self._transitions_with(only)}
        asking = {name for _, name in made if self.pack_draft.nodes[name].action in BILLING_ACTIONS}
        return made | {(fault, name) for name in asking for fault in BILLING_FAULTS}

    def walkable_transitions(self) -> set[PackTransition]:
        """Return those of them that somebody in the demo's world can make."""
        return self.reachable_transitions() - self.unwalkable_transitions() - WALLET_MOVES

    def unwalkable_transitions(self) -> set[PackTransition]:
        """Return those that nobody in the demo's world can make on this channel."""
        other = UNREACHABLE_BY_TEXT if self.channel == "sms" else UNREACHABLE_EXCEPT_BY_TEXT
        return UNREACHABLE.keys() | other.keys()

    def _exclusion_outcomes(self) -> Iterator[str]:
        """Yield the outcomes by which the eligibility rules exclude a caller."""
        rules = self.pack_draft.config.rules
        if rules.business in ("refuse", "agency"):
            yield "refused" if rules.business == "refuse" else "agency"
        if rules.newcomer_wait:
            yield "newcomer"

    def gate_nodes(self, node: Node) -> Iterator[str]:
        """Yield the nodes that may ask for the proof a node needs."""
        gates = read_proof_rules(self.pack_draft.config).gates_by_proof(node.needs).values()
        yield from dict.fromkeys(filter(None, gates))

    def _transitions_with(self, only: str) -> Iterator[PackTransition]:
        """Yield the transitions of a caller whose account steps answer `only` (empty: a subscriber)."""
        found, todo = set[str](), list(self._start_nodes())
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            node = self.pack_draft.nodes[name]
            if only == "unknown" and node.needs not in ("none", "line"):
                continue
            for trigger, _, target in self._open_transitions(node, only):
                yield trigger, name
                todo.append(target)
            todo.extend(self.gate_nodes(node))

    def _start_nodes(self) -> Iterator[str]:
        yield from start_nodes(self.channel)
        if self.channel == "sms":
            yield from self.pack_draft.keywords.targets

    def _open_transitions(self, node: Node, only: str) -> Iterator[tuple[str, str, str]]:
        for trigger, origin, target in outgoing_edges(node):
            if node.kind == "step":
                if self._can_answer(node, trigger, only):
                    yield trigger, origin, target
            elif " " not in trigger or trigger.startswith(f"{self.channel} "):
                yield trigger, origin, target

    def _can_answer(self, node: Node, outcome: str, only: str) -> bool:
        action = self.actions[node.action]
        if action.is_deferred:
            return outcome == "slow"  # promised to every caller; the result is texted
        if only and self._is_affected(action, only):
            return outcome == only
        if only == "unknown" and node.action in PROOF_ACTIONS and outcome in ("ok", "first"):
            return False  # an unknown number has nothing to prove itself with
        return outcome in self._usual_outcomes(node, action)

    def _is_affected(self, action: Action, only: str) -> bool:
        if only in ("refused", "agency", "newcomer"):
            return action.is_private and not action.ignores_eligibility
        return action.is_private

    def _usual_outcomes(self, node: Node, action: Action) -> set[str]:
        """Return the outcomes of a step for a subscriber while billing works."""
        rules, declared = self.pack_draft.config.rules, set(action.outcomes)
        declared -= {"agency", "newcomer", "unknown", *BILLING_FAULTS}
        declared -= set() if node.action == "code.by_password" else {"refused"}
        if not rules.publish_delay_days:
            declared -= {"early"}
        if self.channel != "voice":
            declared -= {"hidden"}
        return declared - self._excluded_outcomes(node)

    def _excluded_outcomes(self, node: Node) -> set[str]:
        """Return the outcomes that the path to a step rules out."""
        never = set[str]()
        texted = {keyword.to for keyword in self.pack_draft.keywords.config.keywords if self.channel == "sms"}
        if node.action == "line.other" and node.name not in texted:
            never.add("wrong")  # an input accepts numbers only; a keyword may be followed by anything
        if node.action == "account.create" and node.name not in texted:
            never.add("challenge")  # this path goes through the challenge
        if node.action == "account.create":
            never.add(
                "ok" if self.pack_draft.config.rules.reach.get(node.action_argument) == "email" else "mailed"
            )
        return never
