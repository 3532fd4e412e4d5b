"""Declarations (Typer) of `dialtree pack trial`: a share of new conversations on an approved revision."""

from typing import Annotated

import typer
from typer import Argument, Option

from flows.domain.pack_trials import MAX_SHARE_PERCENT, MIN_SHARE_PERCENT
from gateway.cli import options as opt
from gateway.cli.command_runner import run_module

trial_app = typer.Typer(
    help="Try an approved revision on a share of callers (A/B) and compare how conversations end.",
    no_args_is_help=True,
)
TrialArgument = Annotated[int, Argument(metavar="ID", min=1, help="The trial's id, as `show` prints it.")]


@trial_app.command("begin", epilog="Example: dialtree pack trial begin orange-ro 4 --share 20")
def begin_trial(
    operator: opt.OperatorArgument,
    number: Annotated[int, Argument(metavar="NUMBER", min=1, help="An approved revision, not served now.")],
    *,
    share: Annotated[
        int,
        Option(
            metavar="PERCENT",
            min=MIN_SHARE_PERCENT,
            max=MAX_SHARE_PERCENT,
            help="Callers whose new conversations are on it.",
        ),
    ] = 10,
    demo: opt.DemoOption = False,
) -> None:
    """Begin a trial against what is served; it waits for another person's approval."""
    run_module("pack_trial", what="begin", operator=operator, number=number, share=share, demo=demo)


@trial_app.command("show", epilog="Example: dialtree pack trial show orange-ro")
def show_trial(operator: opt.OperatorArgument, *, demo: opt.DemoOption = False) -> None:
    """Show the newest trial and how conversations ended on both sides; exit status 1 if there was none."""
    run_module("pack_trial", what="show", operator=operator, demo=demo)


@trial_app.command("approve", epilog="Example: dialtree pack trial approve orange-ro 1")
def approve_trial(
    operator: opt.OperatorArgument, trial: TrialArgument, *, demo: opt.DemoOption = False
) -> None:
    """Let a trial run that somebody else began."""
    run_module("pack_trial", what="approve", operator=operator, trial=trial, demo=demo)


@trial_app.command("end", epilog="Example: dialtree pack trial end orange-ro 1")
def end_trial(operator: opt.OperatorArgument, trial: TrialArgument, *, demo: opt.DemoOption = False) -> None:
    """End a trial; conversations under way end on what they began with."""
    run_module("pack_trial", what="end", operator=operator, trial=trial, demo=demo)
