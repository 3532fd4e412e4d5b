"""Page of an operator's menu trial (A/B): begun and approved by two people, its figures."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from flows.domain.pack_revisions import FindingsPresentError, RevisionError
from flows.domain.pack_trials import MAX_SHARE_PERCENT, MIN_SHARE_PERCENT, OwnTrialError
from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from gateway.console.studio.pack_view import editor_of
from gateway.console.studio.studio_page import (
    Decision,
    StudioPage,
    operator_path,
    refuse_operator,
    revision_name,
)
from gateway.studio.revision_desk import RevisionDesk
from gateway.studio.trial_figures import MIN_CONVERSATIONS
from gateway.studio.trial_report import TrialReport, read_trial_report


class TrialPage(StudioPage):
    """The page and what is decided on it."""

    async def show_trial(self, request: ConsoleRequest) -> web.Response:
        """Show the operator's newest trial with its figures, and the form that begins one if none is open."""
        operator = request.parts["operator"]
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        desk = self.reader.desk
        report = await read_trial_report(desk, operator)
        stored = await desk.revisions.list_revisions(operator, request.now)
        values = {
            "operator": operator,
            "note": request.note,
            "address": trial_path(operator),
            "operator_path": operator_path,
            "local_time": request.local_time,
            "least": MIN_SHARE_PERCENT,
            "most": MAX_SHARE_PERCENT,
            "choices": [each for each in stored if each.state in ("approved", "superseded")],
            "trial": None,
            "state": "ended",
            **(_describe_report(request, report) if report else {}),
        }
        return responses.staff_page(request, "studio/trial.html", values)

    async def decide(self, request: ConsoleRequest) -> web.Response:
        """Begin, approve or end a trial; what the rules forbid is refused and says why."""
        operator = request.parts["operator"]
        if operator not in request.operators:
            return await refuse_operator(request, operator)
        try:
            note = await self.apply_decision(request, DECISIONS)
        except OwnTrialError:
            note = "fault_own_trial"
        except FindingsPresentError:
            note = "fault_findings"
        except RevisionError:
            note = "fault_trial"
        return responses.redirect_to(f"{trial_path(operator)}?note={note}")


async def _begin(desk: RevisionDesk, request: ConsoleRequest) -> str:
    number, share = _read_number(request, "number"), _read_number(request, "share")
    await desk.begin_trial(request.parts["operator"], number, share, editor_of(request))
    return "note_trial_begun"


async def _approve(desk: RevisionDesk, request: ConsoleRequest) -> str:
    await desk.approve_trial(request.parts["operator"], _read_number(request, "trial"), editor_of(request))
    return "note_trial_approved"


async def _end(desk: RevisionDesk, request: ConsoleRequest) -> str:
    await desk.end_trial(request.parts["operator"], _read_number(request, "trial"), editor_of(request))
    return "note_trial_ended"


DECISIONS: Mapping[str, Decision] = {"begin": _begin, "approve": _approve, "end": _end}
"""What the page's buttons do, by their value."""


def _read_number(request: ConsoleRequest, name: str) -> int:
    """Return a number from the form; 0, which no trial, revision or share has, for anything else."""
    return parse_row_id(request.fields.get(name, "")) or 0


def _describe_report(request: ConsoleRequest, report: TrialReport) -> dict[str, Any]:
    """Return what the page shows of a trial: its state, both sides' conversations and their outcomes."""
    return {
        "trial": report.trial,
        "state": report.state,
        "is_own": request.user.name == report.trial.beginner,
        "tried_name": revision_name(request, report.trial.number),
        "compared_name": revision_name(request, report.compared),
        "counts": report.counts,
        "outcomes": report.outcomes,
        "enough": MIN_CONVERSATIONS,
    }


def trial_path(operator: str) -> str:
    """Return the address of an operator's trial."""
    return f"{operator_path(operator)}/trial"
