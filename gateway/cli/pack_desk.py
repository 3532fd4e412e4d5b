"""Command `dialtree pack`: revisions of an operator's pack, pulled, pushed, approved, published."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.domain.pack_revisions import PackEditor, PackFiles, PackRevision, RevisionError
from gateway.cli.common import is_served, read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.login_account import read_login_account
from gateway.cli.table_output import print_table
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files, write_pack_files
from gateway.studio.revision_comparison import PackDifference, compare_revisions
from gateway.studio.revision_desk import RevisionDesk
from gateway.wiring.container import Container
from gateway.wiring.revision_wiring import build_desk

EXIT_DONE, EXIT_DIFFERENT, EXIT_REFUSED = 0, 1, 2
PACKS = Path("packs")
"""Folder of packs that commands read and write by default."""


def main(args: Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    settings = read_settings(demo_world=args.demo)
    return run_in_container(settings, lambda built: run_pack_command(args, built, read_login_account()))


async def run_pack_command(args: Namespace, container: Container, account: str) -> int:
    """Run the command; 0 when it did what was asked, 1 for packs that differ, 2 when it was refused.

    Raises RevisionError for what a revision's state, its findings or its editors do not allow.
    """
    if not is_served(container, args.operator):
        return EXIT_REFUSED
    desk = build_desk(container.settings, container.database, container.revision_follower)
    zone = operator_zone(args.operator, container)
    return await PACK_COMMANDS[args.what](_PackCommand(args, desk, zone, account))


def operator_zone(operator: str, container: Container) -> ZoneInfo:
    """Return the operator's time zone, in which times are given and shown."""
    return ZoneInfo(container.menu_versions.current_menu(operator).config.time_zone)


@dataclass(frozen=True, slots=True)
class DeskCommand:
    """A command about one operator's revisions, for an account of the machine."""

    args: Namespace
    desk: RevisionDesk = field(repr=False)
    zone: ZoneInfo
    account: str

    @property
    def operator(self) -> str:
        """The operator's name, as it was typed."""
        return str(self.args.operator)

    @property
    def editor(self) -> PackEditor:
        """Who is recorded for what the command changes."""
        return PackEditor(self.account, self.account)

    def local_time(self, at: datetime) -> str:
        """Return an instant in the operator's zone, to the minute."""
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"


class _PackCommand(DeskCommand):
    """One command about one operator's pack."""

    __slots__ = ()

    async def list_revisions(self) -> int:
        """Print the revisions, and what is planned."""
        now = self.desk.clock()
        revisions = await self.desk.revisions.list_revisions(self.operator, now)
        headers = ("revision", "state", "author", "approver", "made", "message")
        print_table(headers, map(self._revision_row, revisions), "{:>4}  {:<10}  {:<16}  {:<16}  {}  {}")
        served = await self.desk.served_number(self.operator)
        print(f"{self.operator}: {describe_number(served)} is served")
        for each in await self.desk.revisions.publications.list_publications(self.operator):
            if each.effective_at > now:
                when = self.local_time(each.effective_at)
                print(
                    f"publication {each.id}: {describe_number(each.number)} from {when} on, by {each.publisher}"
                )
        return EXIT_DONE

    async def pull(self) -> int:
        """Write a revision's files to a folder; refused when it holds others and nothing forces it."""
        served = await self.desk.served_number(self.operator)
        number = served if self.args.number is None else self.args.number
        files = await self.desk.read_files(self.operator, number)
        folder = pack_folder(self.operator, self.args.into)
        changed = [*files.changed_paths(read_pack_files(folder))] if (folder / "pack.yaml").is_file() else []
        if changed and not self.args.force:
            print_error(f"{folder}: {', '.join(changed)} would be replaced; --force does it")
            return EXIT_REFUSED
        write_pack_files(folder, files)
        print(f"{folder}: {describe_number(number)}, {len(files.texts)} files")
        return EXIT_DONE

    async def push(self) -> int:
        """Make a folder the next revision."""
        files = read_pack_files(self.args.folder or pack_folder(self.operator, PACKS))
        author = PackEditor(self.args.author or self.account, self.account)
        revision = await self.desk.push_files(self.operator, files, author, self.args.message)
        print(f"{self.operator} {revision.number}: waits for approval by somebody else than {_names(revision)}")
        return EXIT_DONE

    async def diff(self) -> int:
        """Print how two packs differ; status 1 when they do."""
        served = await self.desk.served_number(self.operator)
        old = await self._read_place(self.args.old or str(served))
        new = await self._read_place(self.args.new or str(pack_folder(self.operator, PACKS)))
        differences = compare_revisions(old, new)
        for each in differences:
            print(describe_difference(each))
        return EXIT_DIFFERENT if differences else EXIT_DONE

    async def approve(self) -> int:
        """Approve a revision."""
        revision = await self.desk.approve(self.operator, self.args.number, self.editor)
        print(f"{self.operator} {revision.number}: approved; `dialtree pack publish` serves it")
        return EXIT_DONE

    async def reject(self) -> int:
        """Refuse a revision."""
        revision = await self.desk.reject(self.operator, self.args.number, self.editor)
        print(f"{self.operator} {revision.number}: rejected")
        return EXIT_DONE

    async def publish(self) -> int:
        """Publish a revision, now or later."""
        at = _parse_time(self.args.at, self.zone) if self.args.at else None
        if at is not None and at <= self.desk.clock():
            raise RevisionError(f"--at: {self.args.at} is over")
        await self.desk.publish(self.operator, self.args.number, self.editor, at)
        print(f"{self.operator} {self.args.number}: served from {self.local_time(at) if at else 'now'} on")
        return EXIT_DONE

    async def cancel(self) -> int:
        """Cancel a planned publication."""
        publications, now = self.desk.revisions.publications, self.desk.clock()
        await publications.cancel_scheduled(self.operator, self.args.publication, self.editor, now)
        print(f"{self.operator}: publication {self.args.publication} is cancelled")
        return EXIT_DONE

    async def roll_back(self) -> int:
        """Serve what was served before."""
        number = await self.desk.roll_back(self.operator, self.editor, self.args.to)
        print(f"{self.operator}: {describe_number(number)} is served again")
        return EXIT_DONE

    async def _read_place(self, place: str) -> PackFiles:
        """Return the files of a number, or of a folder."""
        if place.isdecimal():
            return await self.desk.read_files(self.operator, int(place))
        return read_pack_files(Path(place))

    def _revision_row(self, each: PackRevision) -> tuple[object, ...]:
        made = self.local_time(each.created_at)
        return each.number, each.state, each.author, each.approver or "-", made, each.message


def describe_difference(difference: PackDifference) -> str:
    """Return a difference as a line: what, where, and both values."""
    place = " ".join(filter(None, (difference.language, difference.name, difference.part)))
    if difference.what == "file":
        return f"{difference.verb} file {difference.name}"
    values = " -> ".join(repr(each) for each in (difference.old, difference.new) if each is not None)
    return f"{difference.verb} {difference.what} {place}: {values}"


def describe_number(number: int) -> str:
    """Return what a revision is called; 0 is the pack of the folder."""
    return f"revision {number}" if number else "the folder's pack"


def _names(revision: PackRevision) -> str:
    return " and ".join(sorted(revision.editors))


def _parse_time(text: str, zone: ZoneInfo) -> datetime:
    """Return an instant; RevisionError for a text that is no time by ISO 8601."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RevisionError(f"--at: write a time like 2026-04-01T06:00, not {text!r}") from error
    return at if at.tzinfo else at.replace(tzinfo=zone)


PACK_COMMANDS: Mapping[str, Callable[[_PackCommand], Awaitable[int]]] = {
    "revisions": _PackCommand.list_revisions,
    "pull": _PackCommand.pull,
    "push": _PackCommand.push,
    "diff": _PackCommand.diff,
    "approve": _PackCommand.approve,
    "reject": _PackCommand.reject,
    "publish": _PackCommand.publish,
    "cancel": _PackCommand.cancel,
    "rollback": _PackCommand.roll_back,
}
