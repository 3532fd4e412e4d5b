"""E-mail address fault: say what is wrong with an address that cannot be used (T7, R4)."""

import re
from collections.abc import Mapping

from flows.domain.actions import ActionRequest, Outcome, define_action
from menus.model.facts import TextRef

FAULT_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "space": re.compile(r".*\S\s+\S.*"),
    "sign": re.compile(r"[^@]*|@.*|.*@.*@.*"),
    "dot": re.compile(r".*@([^.]*|.*\.|\..*|.*\.\..*)"),
}
"""Faults by what an address with them looks like; the first that matches is told, `letter` when none does."""


async def explain_fault(request: ActionRequest) -> Outcome:
    """Name the fault of the texted address."""
    typed = request.input_text.strip()
    fault = next((name for name, pattern in FAULT_PATTERNS.items() if pattern.fullmatch(typed)), "letter")
    return Outcome("ok", {"email_fault": TextRef(f"email_fault.{fault}")})


ACTIONS = {"email.explain": define_action(explain_fault, "ok", is_private=False)}
