"""Commands `dialtree export`, `erase` and `audit`: GDPR export and erasure, audit log check."""

import json
from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Any

from flows.domain.failures import Failure, NotFound
from flows.domain.records import Deed
from gateway.cli.common import add_demo, inside, settings
from gateway.wiring.container import House
from storage.privacy.data_map import Owner


def add_export(parser: ArgumentParser) -> None:
    """Declare the arguments of `dialtree export`."""
    parser.add_argument("msisdn")
    parser.add_argument("--operator", help="by default the only one served, or the one whose country fits")
    add_demo(parser)


def add_erase(parser: ArgumentParser) -> None:
    """Declare the arguments of `dialtree erase`."""
    add_export(parser)
    parser.add_argument("--yes", action="store_true", help="do it; without this nothing is changed")


def add_audit(parser: ArgumentParser) -> None:
    """Declare the arguments of `dialtree audit`."""
    parser.add_argument("what", choices=["verify"])
    add_demo(parser)


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return inside(settings(demo_world=args.demo), lambda built: run(built, args))


async def run(built: House, args: Namespace) -> int:
    """Run one of the commands.

    Returns 0 on success, 1 when the audit chain has faults, 2 when the number cannot be used.
    """
    now = built.hooks.now()
    if args.command == "audit":
        return await _verified(built, now)
    operator = args.operator or _operator(built, args.msisdn)
    owner = await _owner(built, operator, args.msisdn) if operator else None
    if owner is None:
        print("not a number of an operator we serve; name it with --operator")
        return 2
    await built.notebook.flush()
    if args.command == "export":
        print(json.dumps(await built.privacy.export(owner), indent=2, ensure_ascii=False, default=_plain))
        return 0
    return await _erased(built, owner, now, yes=args.yes)


async def _verified(built: House, now: datetime) -> int:
    await built.notebook.flush()
    await built.audit.chain()
    verdict = await built.audit.verify(now)
    for fault in verdict.faults:
        print(fault)
    print(
        f"{verdict.lines} lines, {verdict.waiting} waiting, {len(verdict.faults)} faults; head {verdict.head}"
    )
    return 1 if verdict.faults else 0


async def _erased(built: House, owner: Owner, now: datetime, *, yes: bool) -> int:
    keys = built.conversations.keys
    tag = keys.mark(owner.operator, owner.number)
    tags = (tag, keys.mark(owner.operator, owner.subscription)) if owner.subscription else (tag,)
    report = await built.privacy.erase(owner, tags, yes=yes)
    for table, words in report.items():
        print(f"{table}: {words}")
    print("live sessions: those in Redis are dropped, those of a process alone end within three minutes")
    print("bills: the operator's own; refer to its billing system")
    if not yes:
        print("nothing was changed: --yes does it")
        return 0
    print(f"live sessions dropped: {await _ended(built, tag)}")
    built.conversations.people[owner.operator].forget(owner.number)
    entry = Deed(owner.operator, owner.number, "privacy.erase", now, "house")
    built.notebook.note(entry)
    await built.notebook.flush()
    return 0


async def _ended(built: House, tag: str) -> str:
    """Drop the live sessions and return how many, or a text when Redis does not answer."""
    try:
        return str(await built.conversations.sessions.forget(tag))
    except Failure:
        return "none, Redis does not answer: they end by themselves within three minutes"


def _operator(built: House, typed: str) -> str:
    """Return the only operator, or the first whose country code the number has; empty for none."""
    names = list(built.conversations.people)
    if len(names) == 1:
        return names[0]
    menus = (built.conversations.shelf.current(name) for name in names)
    return next((menu.name for menu in menus if typed.startswith(f"+{menu.form.country_code}")), "")


async def _owner(built: House, operator: str, typed: str) -> Owner | None:
    people = built.conversations.people.get(operator)
    if people is None:
        return None
    number = built.conversations.shelf.current(operator).msisdn(typed)
    if number is None:
        return None
    try:
        return Owner(operator, number, (await people.world.billing.subscriber(number)).id)
    except NotFound:
        return Owner(operator, number)
    except Failure:
        print("billing does not answer: only what hangs on the number itself is found")
        return Owner(operator, number)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
