"""Rubrics of a bill: the headings its charges are summed up under (B6)."""

RUBRICS = ("subscriptions", "options", "communications", "equipment", "one_off", "third_party", "prorata")
COMMUNICATION_PARTS = ("national", "international", "roaming", "messages")
"""Parts of the rubric `communications`, where billing tells them apart; each is a rubric of a bill's lines."""
LINE_RUBRICS = (*RUBRICS[:2], *COMMUNICATION_PARTS, *RUBRICS[2:])
"""Every rubric a line may have, in the order shown; `communications` holds what is in none of its parts."""


def rubric_heading(rubric: str) -> str:
    """Return the rubric that a line's rubric is a part of, or the rubric itself."""
    return "communications" if rubric in COMMUNICATION_PARTS else rubric
