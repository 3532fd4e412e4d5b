"""Command `dialtree pack trial`: begins, shows, approves and ends an operator's menu trial (A/B)."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Mapping

from flows.domain.pack_trials import TrialState
from gateway.cli.common import is_served, read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.login_account import read_login_account
from gateway.cli.pack_desk import (
    EXIT_DONE,
    EXIT_REFUSED,
    DeskCommand,
    describe_number,
    operator_zone,
)
from gateway.cli.table_output import print_table
from gateway.studio.trial_figures import SideShare, TrialVerdict
from gateway.studio.trial_report import TrialReport, read_trial_report
from gateway.wiring.container import Container
from gateway.wiring.revision_wiring import build_desk

EXIT_NONE = 1
"""There was no trial yet."""
STATES: Mapping[TrialState, str] = {
    "begun": "waits for approval",
    "running": "running",
    "ended": "ended",
}
VERDICTS: Mapping[TrialVerdict, str] = {
    "too_few": "too few conversations",
    "chance": "may be chance",
    "difference": "more than chance",
}
FIGURE_LINE = "{:<28}  {:<13}  {:>16}  {:>16}  {}"


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    settings = read_settings(demo_world=args.demo)
    return run_in_container(settings, lambda built: run_trial_command(args, built, read_login_account()))


async def run_trial_command(args: Namespace, container: Container, account: str) -> int:
    """Run the command as an account; 0 when done, 1 when there is no trial to show, 2 when it was refused.

    Raises RevisionError for what the state of a trial or of its revision, or the second person, does not allow.
    """
    if not is_served(container, args.operator):
        return EXIT_REFUSED
    desk = build_desk(container.settings, container.database, container.revision_follower)
    command = _TrialCommand(args, desk, operator_zone(args.operator, container), account)
    return await TRIAL_COMMANDS[args.what](command)


class _TrialCommand(DeskCommand):
    """One command about one operator's trial."""

    __slots__ = ()

    async def begin(self) -> int:
        """Begin a trial; another person must approve it."""
        trial = await self.desk.begin_trial(self.operator, self.args.number, self.args.share, self.editor)
        print(f"{self.operator}: trial {trial.id} waits for approval by somebody else than {trial.beginner}")
        print(f"  dialtree pack trial approve {self.operator} {trial.id}")
        return EXIT_DONE

    async def approve(self) -> int:
        """Let a trial run."""
        await self.desk.approve_trial(self.operator, self.args.trial, self.editor)
        print(f"{self.operator}: trial {self.args.trial} runs in every process within two seconds")
        return EXIT_DONE

    async def end(self) -> int:
        """End a trial."""
        await self.desk.end_trial(self.operator, self.args.trial, self.editor)
        print(f"{self.operator}: trial {self.args.trial} is ended")
        return EXIT_DONE

    async def show(self) -> int:
        """Print the newest trial with the figures of both sides."""
        report = await read_trial_report(self.desk, self.operator)
        if report is None:
            print_error(f"{self.operator}: there was no trial yet")
            return EXIT_NONE
        print(self._heading(report))
        print(f"  {', '.join(self._list_people(report))}")
        if report.trial.approver:
            names = describe_number(report.compared), describe_number(report.trial.number)
            print(f"How conversations ended with {names[0]}, then with {names[1]}:")
            print_table(("ended on", "", *names, "difference"), figure_rows(report), FIGURE_LINE)
        return EXIT_DONE

    def _heading(self, report: TrialReport) -> str:
        trial, compared = report.trial, describe_number(report.compared)
        share = f"{describe_number(trial.number)} on {trial.share_percent} % of callers, against {compared}"
        return f"{self.operator}: trial {trial.id}, {share}: {STATES[report.state]}"

    def _list_people(self, report: TrialReport) -> Iterator[str]:
        """Yield who did what and when, as far as somebody did; a publication ends a trial by itself."""
        trial = report.trial
        yield f"begun by {trial.beginner} {self.local_time(trial.created_at)}"
        if trial.approved_at:
            yield f"approved by {trial.approver} {self.local_time(trial.approved_at)}"
        if trial.ended_by and trial.ended_at:
            yield f"ended by {trial.ended_by} {self.local_time(trial.ended_at)}"


def figure_rows(report: TrialReport) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the figures: the conversations begun on each side, then each final screen."""
    yield "(begun)", "", *(report.counts[side].conversations for side in ("published", "trial")), ""
    for each in report.outcomes:
        asked = "as asked" if each.is_success else "not as asked"
        shares = _describe_share(each.published), _describe_share(each.trial)
        yield each.screen, asked, *shares, VERDICTS[each.verdict]


def _describe_share(side: SideShare) -> str:
    return f"{side.reached} ({100 * side.ratio:.1f} %)"


TRIAL_COMMANDS: Mapping[str, Callable[[_TrialCommand], Awaitable[int]]] = {
    "begin": _TrialCommand.begin,
    "approve": _TrialCommand.approve,
    "end": _TrialCommand.end,
    "show": _TrialCommand.show,
}
