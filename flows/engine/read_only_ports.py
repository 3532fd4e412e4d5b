"""Read-only ports: actions may look things up, and any effect is refused (dialled-ahead answers)."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from flows.domain.actions import OperatorPorts

EFFECTS: dict[str, frozenset[str]] = {
    "ledger": frozenset({"commit", "set_opt_out", "use_link"}),
    "codes": frozenset({"issue_code", "redeem_code"}),
    "passwords": frozenset({"set_password"}),
    "billing": frozenset({"set_media", "set_postal_address", "book_payment"}),
    "intents": frozenset({"open_intent", "advance", "record_callback"}),
    "policies": frozenset({"change_policy"}),
    "charges": frozenset(
        {"decide_charge", "advance_charge", "refund_charge", "mark_billed", "mark_refund_billed"}
    ),
}
"""Methods that change something, by port."""


class EffectRefusedError(Exception):
    """An action wanted to change something where answers are only being repeated."""


class _ReadOnlyPort:
    """A port whose effects raise EffectRefusedError; everything else is the port's own."""

    def __init__(self, inner: object, effects: Collection[str]) -> None:
        self._inner = inner
        self._effects = effects

    def __getattr__(self, name: str) -> Any:
        return _refuse_effect if name in self._effects else getattr(self._inner, name)


async def _refuse_effect(*arguments: object, **options: object) -> None:
    raise EffectRefusedError


def read_only(ports: OperatorPorts) -> OperatorPorts:
    """Return the same ports without their effects."""
    limited: dict[str, Any] = {
        name: _ReadOnlyPort(port, effects)
        for name, effects in EFFECTS.items()
        if (port := getattr(ports, name)) is not None
    }
    return replace(ports, **limited)
