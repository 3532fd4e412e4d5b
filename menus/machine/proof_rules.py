"""Proof rules of a pack: which proofs meet a need, and which node asks each kind of line for one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from menus.packfile.schema import PackFile

ADDRESS_NEED = "address"
"""Need of the steps that change where bills or notices go."""
PROOFS_MEETING_NEED: Mapping[str, frozenset[str]] = {
    "line": frozenset({"line"}),
    "code": frozenset({"code"}),
    "password": frozenset({"password", "pin"}),
    "pin": frozenset({"pin", "password"}),
    "customer_code": frozenset({"customer_code"}),
    "secret": frozenset({"code", "password", "pin", "customer_code"}),
    ADDRESS_NEED: frozenset({"code"}),
}
"""Proofs that meet each need. A trusted connection proves only the line, never a `secret`."""
NEEDS_SET_BY_RULES = ("line", "secret", ADDRESS_NEED)
"""Needs whose proof the pack's rules name per kind of line: `rules.proof`, `rules.address_proof`."""
NEEDS_MET_BY_CONNECTION = ("line", ADDRESS_NEED)
"""Needs that a trusted connection meets by itself, for the kinds of line it vouches for."""


@dataclass(frozen=True)
class ProofRules:
    """Which proof each kind of line gives, by a pack's `rules` and `gates`."""

    proof_by_kind: Mapping[str, str]
    gates: Mapping[str, str]
    """Node that asks for a proof, by proof; `address`: the node that asks for a code before a new address."""
    address_proof_by_kind: Mapping[str, str]
    vouched_kinds: frozenset[str]
    """Kinds of line that a trusted connection proves by itself."""

    def proof_asked(self, need: str, kind: str) -> str:
        """Return the proof a kind of line is asked for; that of the first kind when it is not known."""
        if need not in NEEDS_SET_BY_RULES:
            return need
        known = kind if kind in self.proof_by_kind else next(iter(self.proof_by_kind), "")
        if need == ADDRESS_NEED:
            return self.address_proof_by_kind.get(known, "code")
        return self.proof_by_kind.get(known, "line")

    def gate_for(self, need: str, kind: str) -> str:
        """Return the node that asks a kind of line for the proof of a need; empty when there is none."""
        proof = self.proof_asked(need, kind)
        if need == ADDRESS_NEED and proof == "code" and ADDRESS_NEED in self.gates:
            return self.gates[ADDRESS_NEED]
        return self.gates.get(proof, "")

    def gates_by_proof(self, need: str) -> dict[str, str]:
        """Return the gate of each proof that a need asks some kind of line for; empty where it has none.

        Nothing is asked for `none`, nor for the line itself.
        """
        kinds = tuple(self.proof_by_kind) or ("",)
        gates = {self.proof_asked(need, kind): self.gate_for(need, kind) for kind in kinds}
        return {proof: gate for proof, gate in gates.items() if proof not in ("none", "line")}

    def is_met(self, need: str, kind: str, proofs: Iterable[str]) -> bool:
        """Return whether the proofs meet a need for a kind of line."""
        if need == "none":
            return True
        sufficient = PROOFS_MEETING_NEED[need]
        if need in NEEDS_MET_BY_CONNECTION:
            asked = PROOFS_MEETING_NEED[self.proof_asked(need, kind)]
            sufficient = (sufficient - {"line"}) | asked
            if kind in self.vouched_kinds or not kind:
                sufficient |= {"line"}
        return not sufficient.isdisjoint(proofs)


def read_proof_rules(config: PackFile) -> ProofRules:
    """Return the proof rules of a pack's file; without `vouched` a trusted connection proves every kind."""
    rules = config.rules
    vouched = rules.proof if rules.vouched is None else rules.vouched
    return ProofRules(rules.proof, config.gates, rules.address_proof, frozenset(vouched))
