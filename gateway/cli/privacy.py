"""Commands `dialtree export`, `erase`, `who` and `audit`: a person's data and names, audit log check."""

import json
from argparse import Namespace
from dataclasses import replace
from datetime import datetime

from flows.domain.records import AuditEntry
from gateway.cli.common import read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.login_account import read_login_account
from gateway.cli.progress import show_progress
from gateway.cli.table_output import print_table
from gateway.console.subject_requests import (
    NO_SESSIONS_DROPPED,
    drop_sessions,
    erase_subject,
    export_as_json,
    find_subject,
)
from gateway.wiring.container import Container
from storage.privacy.data_map import DataSubject


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_container(
        read_settings(demo_world=args.demo), lambda built: run_request(built, args, read_login_account())
    )


async def run_request(container: Container, args: Namespace, account: str) -> int:
    """Run one of the commands for a login account, whose requests about a person are in the audit log.

    Each is written there before anything is shown or changed; raises Failure when that is not possible.

    Returns 0 on success, 1 when the audit chain has faults or an entry cannot be proven, 2 when the number
    cannot be used.
    """
    now = container.clock()
    if args.command == "audit" and args.what == "prove":
        return await _prove_line(container, args.line_id)
    if args.command == "audit":
        return await _verify_audit(container, now)
    operator = args.operator or _guess_operator(container, args.msisdn)
    found = await find_subject(container, operator, args.msisdn) if operator else None
    if found is None:
        print_error("not a number of an operator we serve; name it with --operator")
        return 2
    if not found.billing_answered:
        print_error("billing does not answer: only what hangs on the number itself is found")
    owner = found.subject
    await container.write_behind.write_pending()
    shown_only = args.command == "erase" and not args.yes
    entry = AuditEntry(
        owner.operator, owner.number, f"privacy.{args.command}", now, "house", correlation=account
    )
    await container.write_behind.write_entry(replace(entry, outcome="shown") if shown_only else entry)
    if args.command == "who":
        return _name_owner(container, owner)
    if args.command == "export":
        with show_progress("export", "tables") as report:
            exported = await container.privacy.export(owner, report)
        print(export_as_json(exported))
        return 0
    return await _erase_owner(container, owner, yes=args.yes)


def _name_owner(container: Container, owner: DataSubject) -> int:
    """Print what a line is called in logs and in the audit log."""
    pseudonym = container.write_behind.audit_writer.pseudonym
    names = {"log": container.pseudonyms.keyed_hash(owner.operator, owner.number)}
    names["audit log, by number"] = pseudonym(owner.operator, owner.number)
    if owner.subscription:
        names["audit log, by subscription"] = pseudonym(owner.operator, owner.subscription)
    print_table(("where", "name"), names.items(), "{}: {}")
    return 0


async def _verify_audit(container: Container, now: datetime) -> int:
    await container.write_behind.flush()
    await container.audit.chain_entries()
    with show_progress("audit log", "lines") as report:
        verdict = await container.audit.verify_chain(now, report)
    for fault in verdict.faults:
        print(fault)
    print(
        f"{verdict.chained_count} lines, {verdict.unchained_count} waiting, {len(verdict.faults)} faults; "
        f"head {verdict.head}"
    )
    return 1 if verdict.faults else 0


async def _prove_line(container: Container, line_id: int) -> int:
    """Print the proof of one audit entry as JSON; 1 when there is none."""
    await container.write_behind.flush()
    await container.audit.chain_entries()
    proof = await container.audit.prove_line(line_id)
    if proof is None:
        print_error(
            "no proof: no such entry, one chained by itself, or one that does not verify: dialtree audit verify"
        )
        return 1
    print(json.dumps(proof.to_json(), indent=2))
    return 0


async def _erase_owner(container: Container, owner: DataSubject, *, yes: bool) -> int:
    report = await erase_subject(container, owner, confirmed=yes)
    print_table(("data", "what happens to it"), report.items(), "{}: {}")
    print("live sessions: those in Redis are dropped, those of a process alone end within ten minutes")
    print("bills: the operator's own; refer to its billing system")
    if not yes:
        print("nothing was changed: --yes does it")
        return 0
    dropped = await drop_sessions(container, owner)
    is_unknown = dropped == NO_SESSIONS_DROPPED
    told = "none, Redis does not answer: they end by themselves within ten minutes" if is_unknown else dropped
    print(f"live sessions dropped: {told}")
    return 0


def _guess_operator(container: Container, msisdn: str) -> str:
    """Return the only operator, or the first whose country code the number has; empty for none."""
    names = list(container.operators)
    if len(names) == 1:
        return names[0]
    menus = (container.menu_versions.current_menu(name) for name in names)
    return next((menu.name for menu in menus if msisdn.startswith(f"+{menu.config.country_code}")), "")
