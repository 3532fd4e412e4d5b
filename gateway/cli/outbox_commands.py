"""Declarations (Typer) of `dialtree outbox`: rows, and lanes that are paused, resumed or cancelled."""

from typing import Annotated

import typer
from typer import Argument, Option

from gateway.cli import options as opt
from gateway.cli.command_runner import run_module

outbox_app = typer.Typer(help="Look after outbound messages.", no_args_is_help=True)
KindOption = Annotated[
    opt.PausableKindName, Option("--kind", help="Which messages; codes and replies always go.")
]
RouteOption = Annotated[opt.SmsOrEmail, Option("--route", help="How they are sent.")]


@outbox_app.command("list", epilog="Example: dialtree outbox list again --operator orange-ro --older 2")
def list_outbox(
    state: Annotated[opt.RowState, Argument(help="The rows' state.")] = "dead",
    *,
    operator: Annotated[str | None, Option("--operator", help="Of this operator only.")] = None,
    kind: Annotated[opt.MessageKindName | None, Option("--kind", help="Of this kind only.")] = None,
    older: Annotated[float | None, Option(min=0, metavar="HOURS", help="Enqueued before then.")] = None,
    newer: Annotated[float | None, Option(min=0, metavar="HOURS", help="Enqueued since then.")] = None,
    limit: Annotated[int, Option(min=1, help="Rows at most.")] = 50,
    demo: opt.DemoOption = False,
) -> None:
    """List rows in a state, newest first, with when they were enqueued (UTC)."""
    wanted = {"operator": operator, "kind": kind, "older": older, "newer": newer}
    run_module("outbox", what="list", state=state, limit=limit, demo=demo, **wanted)


@outbox_app.command("show", epilog="Example: dialtree outbox show 17")
def show_outbox(
    row: Annotated[int, Argument(metavar="ID", help="The row's number.")], *, demo: opt.DemoOption = False
) -> None:
    """Show all about one row, except its text."""
    run_module("outbox", what="show", id=row, demo=demo)


@outbox_app.command("replay", epilog="Example: dialtree outbox replay --all dead")
def replay_outbox(
    rows: Annotated[list[int] | None, Argument(metavar="[ID]...", help="The rows' numbers.")] = None,
    *,
    all_in: Annotated[opt.ReplayState | None, Option("--all", help="Every row in this state.")] = None,
    demo: opt.DemoOption = False,
) -> None:
    """Send rows that are dead, failed, unknown or expired again."""
    if not rows and not all_in:
        raise typer.BadParameter("name rows, or a state with --all", param_hint="ID")
    run_module("outbox", what="replay", id=rows or [], all=all_in, demo=demo)


@outbox_app.command("purge", epilog="Example: dialtree outbox purge --days 90")
def purge_outbox(
    *,
    days: Annotated[int, Option(min=1, help="Delete rows older than so many days.")],
    demo: opt.DemoOption = False,
) -> None:
    """Delete rows that were finished long ago."""
    run_module("outbox", what="purge", days=days, demo=demo)


@outbox_app.command("pause", epilog="Example: dialtree outbox pause orange-ro --kind campaign")
def pause_lane(
    operator: opt.OperatorArgument,
    *,
    kind: KindOption = "notice",
    route: RouteOption = "sms",
    demo: opt.DemoOption = False,
) -> None:
    """Hold an operator's notices or campaigns back, in all workers, until they are resumed."""
    run_module("outbox_lanes", what="pause", operator=operator, kind=kind, route=route, demo=demo)


@outbox_app.command("resume", epilog="Example: dialtree outbox resume orange-ro --kind campaign")
def resume_lane(
    operator: opt.OperatorArgument,
    *,
    kind: KindOption = "notice",
    route: RouteOption = "sms",
    demo: opt.DemoOption = False,
) -> None:
    """Send again what was paused."""
    run_module("outbox_lanes", what="resume", operator=operator, kind=kind, route=route, demo=demo)


@outbox_app.command("cancel", epilog="Example: dialtree outbox cancel orange-ro --kind campaign --yes")
def cancel_lane(
    operator: opt.OperatorArgument,
    *,
    kind: KindOption = "notice",
    route: RouteOption = "sms",
    yes: Annotated[bool, Option("--yes", help="Do it; without this nothing is changed.")] = False,
    demo: opt.DemoOption = False,
) -> None:
    """Close an operator's waiting notices or campaigns for good, unsent; they cannot be replayed."""
    run_module("outbox_lanes", what="cancel", operator=operator, kind=kind, route=route, yes=yes, demo=demo)


@outbox_app.command("paused", epilog="Example: dialtree outbox paused")
def list_paused(*, demo: opt.DemoOption = False) -> None:
    """List what is paused, and since when."""
    run_module("outbox_lanes", what="paused", demo=demo)
