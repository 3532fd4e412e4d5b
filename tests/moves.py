"""Transitions reachable in a pack for each kind of caller; the dialogs must cover all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flows.domain.actions import Action
from gateway.publishing import pack_compiler
from menus.machine.screen import Node
from menus.machine.transitions_table import BY_RULES, forward
from menus.packs.graph_checks import ALWAYS_THERE
from menus.packs.loader import Draft, draft

Move = tuple[str, str]
"""A trigger and the node it leaves."""
FAULTS = ("slow", "down")
ASKING = frozenset(
    [
        *("invoice.latest", "invoice.list", "invoice.open", "invoice.lines", "invoice.month", "invoice.next"),
        *("invoice.users", "invoice.user", "invoice.why", "contest.lines", "contest.by_reference"),
        *("document.status", "export.roots", "export.found", "usage.last", "purchases.list"),
        *("registration.begin", "einvoice.activate", "paper.revert"),
    ]
)
"""Actions that read billing beyond the caller's identity, so billing may fail in them at any point."""
PROVING = frozenset({"code.check", "proof.check", "password.check", "line.with_code"})


@dataclass(frozen=True)
class Pack:
    """A pack as callers meet it on one channel."""

    operator: str
    channel: str
    written: Draft = field(repr=False)
    actions: Mapping[str, Action] = field(repr=False)

    @classmethod
    def of(cls, operator: str, channel: str) -> "Pack":
        """Load the pack of an operator."""
        return cls(
            operator,
            channel,
            draft(pack_compiler.folder(operator), pack_compiler.PLACES),
            pack_compiler.actions(),
        )

    def moves(self) -> set[Move]:
        """Return every transition that some caller can make."""
        kinds = ("", *self._barring(), "unknown", *FAULTS)
        made = {move for only in kinds for move in self._made_by(only)}
        asking = {name for _, name in made if self.written.nodes[name].action in ASKING}
        return made | {(fault, name) for name in asking for fault in FAULTS}

    def _barring(self) -> Iterator[str]:
        """Yield the outcomes by which the eligibility rules exclude a caller."""
        rules = self.written.form.rules
        if rules.business in ("refuse", "agency"):
            yield "refused" if rules.business == "refuse" else "agency"
        if rules.newcomer_wait:
            yield "newcomer"

    def _made_by(self, only: str) -> Iterator[Move]:
        """Yield the transitions of a caller whose account steps answer `only` (empty: a subscriber)."""
        found, todo = set[str](), list(self._starts())
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            node = self.written.nodes[name]
            if only == "unknown" and node.needs not in ("none", "line"):
                continue
            for trigger, _, target in self._open(node, only):
                yield trigger, name
                todo.append(target)
            todo.extend(self._gates(node))

    def _starts(self) -> Iterator[str]:
        yield from ALWAYS_THERE
        if self.channel == "sms":
            yield from self.written.keywords.targets

    def _gates(self, node: Node) -> Iterator[str]:
        form = self.written.form
        wanted = set(form.rules.proof.values()) if node.needs in BY_RULES else {node.needs}
        yield from (form.gates[proof] for proof in wanted if proof in form.gates)

    def _open(self, node: Node, only: str) -> Iterator[tuple[str, str, str]]:
        for trigger, origin, target in forward(node):
            if node.kind == "step":
                if self._answers(node, trigger, only):
                    yield trigger, origin, target
            elif " " not in trigger or trigger.startswith(f"{self.channel} "):
                yield trigger, origin, target

    def _answers(self, node: Node, outcome: str, only: str) -> bool:
        action = self.actions[node.action]
        if action.later:
            return outcome == "slow"  # promised to every caller; the result is texted
        if only and self._touched(action, only):
            return outcome == only
        if only == "unknown" and node.action in PROVING and outcome in ("ok", "first"):
            return False  # an unknown number has nothing to prove itself with
        return outcome in self._usual(node, action)

    def _touched(self, action: Action, only: str) -> bool:
        if only in ("refused", "agency", "newcomer"):
            return action.private and not action.for_all
        return action.private

    def _usual(self, node: Node, action: Action) -> set[str]:
        """Return the outcomes of a step for a subscriber while billing works."""
        rules, declared = self.written.form.rules, set(action.outcomes)
        declared -= {"agency", "newcomer", "unknown", *FAULTS}
        declared -= set() if node.action == "code.by_password" else {"refused"}
        if not rules.publish_delay_days:
            declared -= {"early"}
        if self.channel != "voice":
            declared -= {"hidden"}
        return declared - self._never(node)

    def _never(self, node: Node) -> set[str]:
        """Return the outcomes that the path to a step rules out."""
        never = set[str]()
        texted = {keyword.to for keyword in self.written.keywords.form.keywords if self.channel == "sms"}
        if node.action == "line.other" and node.name not in texted:
            never.add("wrong")  # an input accepts numbers only; a keyword may be followed by anything
        if node.action == "account.create" and node.name not in texted:
            never.add("challenge")  # this path goes through the challenge
        if node.action == "account.create":
            never.add("ok" if self.written.form.rules.reach.get(node.given) == "email" else "mailed")
        return never
