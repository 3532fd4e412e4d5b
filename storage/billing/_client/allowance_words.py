"""Allowance kinds by the words a BSS uses for what is counted."""

from collections.abc import Mapping

from flows.domain.account_activity import AllowanceKind

KIND_WORDS: Mapping[AllowanceKind, tuple[str, ...]] = {
    "call": ("voice", "call", "minute"),
    "data": ("data", "internet", "byte"),
    "text": ("sms", "mms", "text", "message"),
}


def allowance_kind(words: str) -> AllowanceKind | None:
    """Return the kind a usage type, bucket or unit names; None for one we do not know."""
    folded = words.lower()
    return next((kind for kind, known in KIND_WORDS.items() if any(word in folded for word in known)), None)
