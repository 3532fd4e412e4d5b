"""Command declarations (Typer): arguments and help; a command imports its module when it runs."""

import os
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from gateway.cli import options as opt
from gateway.cli.command_runner import run_module, select_packs
from gateway.cli.console_commands import console_app
from gateway.cli.outbox_commands import outbox_app
from gateway.cli.pack_commands import pack_app
from gateway.cli.pack_revision_commands import revisions_app
from gateway.cli.payment_commands import payments_app

app = typer.Typer(
    name="dialtree",
    help="A USSD, SMS and voice gateway for telecom e-billing.",
    epilog="Exit status: 0 done, 1 not all of it, 2 unusable input or settings, 3 bills left out, 130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
tickets_app = typer.Typer(help="Answer the tickets subscribers opened.", no_args_is_help=True)
audit_app = typer.Typer(help="Look after the audit log.", no_args_is_help=True)
db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.command(epilog="Example: dialtree demo --billing tmf678")
def demo(*, billing: opt.BillingOption = None, packs: opt.PacksOption = None) -> None:
    """Serve the demo world and its browser phone on loopback."""
    print("The demo starts; this takes a few seconds.", flush=True)
    run_module("demo", billing=billing or "", beside=select_packs(packs))


@app.command(epilog="Example: dialtree serve --workers 2")
def serve(
    *,
    workers: Annotated[int, Option(min=1, metavar="N", help="Processes that share the port.")] = 1,
    deliver: Annotated[bool, Option("--deliver", help="Deliver due messages, too.")] = False,
    links: Annotated[bool, Option("--links", help="Hold connections to networks, too.")] = False,
    watch: Annotated[bool, Option("--watch", help="Publish packs as they are edited.")] = False,
    port: Annotated[int | None, Option(min=0, max=65535, help="The port; by default PORT or 8080.")] = None,
    packs: opt.PacksOption = None,
    member: Annotated[int | None, Option(hidden=True)] = None,
) -> None:
    """Serve webhooks and pages."""
    if port is not None:
        os.environ["PORT"] = str(port)
    beside = select_packs(packs)
    work = {"deliver": deliver, "links": links, "watch": watch}
    run_module("serve", workers=workers, member=member, beside=beside, **work)


@app.command(epilog="Example: dialtree worker")
def worker() -> None:
    """Deliver due messages, without an HTTP server for providers."""
    run_module("worker")


@app.command(epilog="Example: dialtree link")
def link() -> None:
    """Hold connections to networks (SMPP, GSUP, ARI); of two such processes one stands by."""
    run_module("link")


@app.command(epilog="Example: dialtree hooks orange-ro")
def hooks(operator: Annotated[str, Argument(metavar="[OPERATOR]", show_default=False)] = "") -> None:
    """Print the addresses to give to each provider; they hold secrets."""
    run_module("hooks", operator=operator)


@app.command(epilog="Example: dialtree dialects")
def dialects() -> None:
    """List the USSD dialects of SMPP, with their source."""
    run_module("dialects")


@app.command(epilog="Example: dialtree dial '*100#' --operator orange-ro --from +40740000101")
def dial(
    *,
    address: Annotated[str, Argument(help="What to dial: '*100#', 411, 477.", show_default=False)] = "",
    more: Annotated[list[Path] | None, Argument(hidden=True)] = None,
    operator: Annotated[str, Option(help="The operator's name.")] = "orange-ro",
    caller: Annotated[
        str, Option("--from", metavar="MSISDN", help="The phone's number; by default the first person's.")
    ] = "",
    language: Annotated[str, Option(help="The language the subscriber has chosen, e.g. en.")] = "",
    channel: Annotated[
        opt.ChannelName | None, Option(help="Dial the operator's own number on this channel.")
    ] = None,
    script: Annotated[
        list[Path] | None,
        Option(metavar="FILE...", help="Play dialogs, each in its own sandbox; status 1 when one differs."),
    ] = None,
    save: Annotated[Path | None, Option(metavar="FILE", help="Write the conversation as a dialog.")] = None,
    billing: opt.BillingOption = None,
    packs: opt.PacksOption = None,
) -> None:
    """Be a phone in the terminal."""
    scripts = [*(script or []), *([Path(address)] if script and address else []), *(more or [])]
    phone = {"address": address, "operator": operator, "caller": caller, "language": language}
    files = {"script": scripts, "save": save, "beside": select_packs(packs)}
    run_module("dial", **phone, **files, channel=channel, billing=billing or "")


@app.command(epilog="Example: dialtree smsc --port 2775 --unkind hex-ids")
def smsc(
    *,
    port: Annotated[int, Option(min=0, max=65535, envvar="SMSC_PORT", help="The port ESMEs bind to.")] = 2775,
    caller: Annotated[str, Option("--from", metavar="MSISDN", help="The phone's number.")] = "+40740000101",
    dialect: Annotated[str, Option(metavar="NAME", help="USSD dialect: see dialtree dialects.")] = "plain",
    password: Annotated[str, Option(help="What ESMEs bind with; their name is dialtree.")] = "secret",  # noqa: S107 - the simulator's own
    unkind: Annotated[
        list[str] | None, Option(metavar="MODE", help="How it misbehaves, e.g. slow; may be repeated.")
    ] = None,
) -> None:
    """Be an SMSC and USSD gateway in the terminal, with a phone to dial and text from."""
    run_module("smsc", port=port, caller=caller, dialect=dialect, password=password, unkind=unkind or [])


@app.command(epilog="Example: dialtree notify orange-ro --cycle 2026-03")
def notify(
    operator: opt.OperatorArgument,
    *,
    cycle: Annotated[
        str, Option(metavar="YYYY-MM", help="Bills issued in this month; by default the current one.")
    ] = "",
    listen: Annotated[bool, Option("--listen", help="Only subscribe to the BSS's bill events.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Count and show samples; enqueue nothing.")] = False,
    confirm: Annotated[
        int, Option(metavar="COUNT", min=0, help="Enqueue up to so many messages without asking.")
    ] = 0,
    demo: opt.DemoOption = False,
) -> None:
    """Send the bill notices of a billing cycle; a large one must be confirmed."""
    given = {"operator": operator, "cycle": cycle, "listen": listen, "dry_run": dry_run}
    run_module("notify", **given, confirm=confirm, demo=demo)


@app.command(epilog="Example: dialtree remind orange-ro")
def remind(operator: opt.OperatorArgument, *, demo: opt.DemoOption = False) -> None:
    """Remind subscribers of unpaid bills, by the schedule of the pack; run it once a day."""
    run_module("remind", operator=operator, demo=demo)


@tickets_app.command("list", epilog="Example: dialtree tickets list orange-fr")
def list_tickets(
    operator: opt.OperatorArgument,
    state: Annotated[opt.TicketStateName, Argument(help="The tickets' state.")] = "open",
    *,
    limit: Annotated[int, Option(min=1, help="Tickets at most.")] = 50,
    demo: opt.DemoOption = False,
) -> None:
    """List tickets in a state, the oldest first; numbers are masked."""
    run_module("ticket_desk", what="list", operator=operator, state=state, limit=limit, demo=demo)


@tickets_app.command("show", epilog="Example: dialtree tickets show orange-fr KUXJDQO7")
def show_ticket(
    operator: opt.OperatorArgument, reference: opt.ReferenceArgument, *, demo: opt.DemoOption = False
) -> None:
    """Show all about one ticket, with the number to call; the audit log keeps that it was shown."""
    run_module("ticket_desk", what="show", operator=operator, reference=reference, demo=demo)


@tickets_app.command("answer", epilog="Example: dialtree tickets answer orange-fr KUXJDQO7 'Remboursé.'")
def answer_ticket(
    operator: opt.OperatorArgument,
    reference: opt.ReferenceArgument,
    text: Annotated[str, Argument(help="The answer, in the subscriber's language.")],
    *,
    demo: opt.DemoOption = False,
) -> None:
    """Text an answer to the phone that asked; the same answer is sent once."""
    run_module("ticket_desk", what="answer", operator=operator, reference=reference, text=text, demo=demo)


@tickets_app.command("close", epilog="Example: dialtree tickets close orange-fr KUXJDQO7")
def close_ticket(
    operator: opt.OperatorArgument, reference: opt.ReferenceArgument, *, demo: opt.DemoOption = False
) -> None:
    """Close a ticket; the subscriber is told nothing."""
    run_module("ticket_desk", what="close", operator=operator, reference=reference, demo=demo)


@app.command(epilog="Example: dialtree export +40740000101 > ana.json")
def export(
    msisdn: opt.NumberArgument, *, operator: opt.OwnerOption = None, demo: opt.DemoOption = False
) -> None:
    """Print what is stored about a number, as JSON."""
    run_module("privacy", command="export", msisdn=msisdn, operator=operator, demo=demo)


@app.command(epilog="Example: dialtree erase +40740000101 --yes")
def erase(
    msisdn: opt.NumberArgument,
    *,
    operator: opt.OwnerOption = None,
    yes: Annotated[bool, Option("--yes", help="Do it; without this nothing is changed.")] = False,
    demo: opt.DemoOption = False,
) -> None:
    """Erase what is stored about a number."""
    run_module("privacy", command="erase", msisdn=msisdn, operator=operator, yes=yes, demo=demo)


@app.command(epilog="Example: dialtree who +40740000101")
def who(msisdn: opt.NumberArgument, *, operator: opt.OwnerOption = None, demo: opt.DemoOption = False) -> None:
    """Print what a number is called in logs and in the audit log."""
    run_module("privacy", command="who", msisdn=msisdn, operator=operator, demo=demo)


@audit_app.command("verify", epilog="Example: dialtree audit verify")
def verify_audit(*, demo: opt.DemoOption = False) -> None:
    """Verify the hash chain of the audit log."""
    run_module("privacy", command="audit", what="verify", demo=demo)


@audit_app.command("prove", epilog="Example: dialtree audit prove 10417")
def prove_audit(line_id: opt.AuditIdArgument, *, demo: opt.DemoOption = False) -> None:
    """Print the proof that an audit entry, named by its id, stands in the chain (JSON)."""
    run_module("privacy", command="audit", what="prove", line_id=line_id, demo=demo)


@db_app.command("upgrade", epilog="Example: dialtree db upgrade")
def upgrade_db() -> None:
    """Upgrade the database schema to this release."""
    run_module("db", what="upgrade")


@db_app.command("finish", epilog="Example: dialtree db finish")
def finish_db() -> None:
    """Finish an upgrade once no process of the previous release runs any more."""
    run_module("db", what="finish")


app.add_typer(pack_app)
app.add_typer(revisions_app, name="pack")
app.add_typer(outbox_app, name="outbox")
app.add_typer(payments_app, name="payments")
app.add_typer(tickets_app, name="tickets")
app.add_typer(audit_app, name="audit")
app.add_typer(db_app, name="db")
app.add_typer(console_app, name="console")
