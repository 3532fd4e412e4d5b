"""Declarations (Typer) of `dialtree payments`: list, show, ask, refund, resolve, check."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from flows.domain.payment_records import PaymentState, ResolvedState
from gateway.cli import options as opt
from gateway.cli.command_runner import run_module

payments_app = typer.Typer(help="Look after payments of bills.", no_args_is_help=True)
PaymentArgument = Annotated[
    str, Argument(metavar="ID", help="The payment's id, or its first 8 characters or more.")
]


@payments_app.command("list", epilog="Example: dialtree payments list orange-fr --days 2")
def list_payments(
    operator: opt.OperatorArgument,
    *,
    days: Annotated[int, Option(min=1, help="Payments of the last so many days.")] = 7,
    limit: Annotated[int, Option(min=1, help="Payments at most.")] = 50,
    state: Annotated[PaymentState | None, Option(help="Only those in this state, e.g. refunding.")] = None,
    demo: opt.DemoOption = False,
) -> None:
    """List payments, newest first; numbers are not shown."""
    run_module("payments", what="list", operator=operator, days=days, limit=limit, state=state, demo=demo)


@payments_app.command("show", epilog="Example: dialtree payments show orange-fr 0a1b2c3d4e5f")
def show_payment(
    operator: opt.OperatorArgument, payment: PaymentArgument, *, demo: opt.DemoOption = False
) -> None:
    """Show all about one payment, its numbers masked."""
    run_module("payments", what="show", operator=operator, payment=payment, demo=demo)


@payments_app.command("ask", epilog="Example: dialtree payments ask orange-fr 0a1b2c3d4e5f")
def ask_provider(
    operator: opt.OperatorArgument, payment: PaymentArgument, *, demo: opt.DemoOption = False
) -> None:
    """Ask the provider about a payment now, and apply what it says."""
    run_module("payments", what="ask", operator=operator, payment=payment, demo=demo)


@payments_app.command("refund", epilog="Example: dialtree payments refund orange-fr 0a1b2c3d4e5f --yes")
def refund_payment(
    operator: opt.OperatorArgument,
    payment: PaymentArgument,
    *,
    yes: Annotated[bool, Option("--yes", help="Do it; without this nothing is changed.")] = False,
    demo: opt.DemoOption = False,
) -> None:
    """Give back what was paid; only for payments in state `unknown`, which billing has not booked."""
    run_module("payments", what="refund", operator=operator, payment=payment, yes=yes, demo=demo)


@payments_app.command(
    "resolve",
    epilog="Example: dialtree payments resolve orange-fr 0a1b2c3d4e5f --as refunded --amount 34.99"
    ' --by m.durand --note "refund 4711 at the provider" --yes',
)
def resolve_payment(
    operator: opt.OperatorArgument,
    payment: PaymentArgument,
    *,
    state: Annotated[
        ResolvedState,
        Option("--as", help="Given back at the provider, booked at billing, or no money moved."),
    ],
    staff: Annotated[str, Option("--by", metavar="NAME", help="Who did it; 64 characters at most.")],
    note: Annotated[
        str, Option(metavar="TEXT", help="Why, and the number of it there; 255 characters at most.")
    ],
    amount: Annotated[str, Option(help="What was given back or booked, e.g. 34.99.")] = "0",
    no_notice: Annotated[bool, Option("--no-notice", help="Tell the payer nothing.")] = False,
    yes: Annotated[bool, Option("--yes", help="Do it; without this nothing is changed.")] = False,
    demo: opt.DemoOption = False,
) -> None:
    """Record what was done by hand about a payment that is `unknown`, or whose refund was refused."""
    given = {"state": state, "staff": staff, "note": note, "amount": amount, "tells_payer": not no_notice}
    run_module("payments", what="resolve", operator=operator, payment=payment, yes=yes, demo=demo, **given)


@payments_app.command("check", epilog="Example: dialtree payments check orange-fr --day 2026-03-10")
def check_payments(
    operator: opt.OperatorArgument,
    *,
    day: Annotated[
        datetime | None, Option(formats=["%Y-%m-%d"], help="The day (UTC); yesterday by default.")
    ] = None,
    metrics: Annotated[
        Path | None, Option(metavar="FILE", help="Write the differences of each kind for Prometheus.")
    ] = None,
    demo: opt.DemoOption = False,
) -> None:
    """Compare one day at the provider, here and at billing; exit status 1 when they differ."""
    chosen = day.date() if day else None
    run_module("payments", what="check", operator=operator, day=chosen, metrics=metrics, demo=demo)
