"""Command `dialtree outbox pause|resume|cancel|paused`: hold messages back, or close them unsent."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.cli.common import is_served, read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.table_output import print_table
from gateway.wiring.container import Container
from storage.outbox.lane_pauses import PausableLane, SqlLanePauses


def main(args: argparse.Namespace) -> int:
    """Run the command in a container of its own and return its exit status."""
    return run_in_container(read_settings(demo_world=args.demo), lambda built: run_lane_command(args, built))


async def run_lane_command(
    args: argparse.Namespace, container: Container, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> int:
    """Run the command; 0 when it did what was asked, 1 when there was nothing to do, 2 when it was refused."""
    if args.what == "paused":
        return await _list_pauses(container.lane_pauses)
    if not is_served(container, args.operator):
        return 2
    lane = PausableLane(args.operator, args.kind, args.route)
    return await LANE_COMMANDS[args.what](_LaneCommand(lane, container, args, sleep))


async def _list_pauses(pauses: SqlLanePauses) -> int:
    paused = await pauses.list_pauses()
    rows = [(*each.lane, f"{each.since:%Y-%m-%d %H:%M} UTC") for each in paused]
    print_table(("operator", "kind", "route", "since"), rows, "{:<20}  {:<8}  {:<5}  {}")
    print(f"{len(rows)} paused")
    return 0


@dataclass(frozen=True, slots=True)
class _LaneCommand:
    """One command on one lane."""

    lane: PausableLane
    container: Container
    args: argparse.Namespace
    sleep: Callable[[float], Awaitable[None]]

    @property
    def pauses(self) -> SqlLanePauses:
        return self.container.lane_pauses

    def describe_lane(self) -> str:
        return f"{self.lane.kind}s of {self.lane.operator} by {self.lane.route}"

    async def pause(self) -> int:
        """Pause the lane; return 0."""
        taken_back = await self.pauses.hold_back(self.lane, self.container.clock, self.sleep)
        print(f"{self.describe_lane()}: paused; {taken_back} taken back from workers")
        return 0

    async def resume(self) -> int:
        """Resume the lane; return 1 when it was not paused."""
        was_paused = await self.pauses.resume(self.lane, self.container.clock())
        print(f"{self.describe_lane()}: {'resumed' if was_paused else 'not paused'}")
        return 0 if was_paused else 1

    async def cancel(self) -> int:
        """Close what waits in the lane; return 2 without --yes."""
        if not self.args.yes:
            print_error(f"{self.describe_lane()}: nothing is changed; --yes closes them all unsent, for good")
            return 2
        count = await self.pauses.cancel(self.lane, self.container.clock())
        print(f"{self.describe_lane()}: {count} closed unsent")
        return 0


LANE_COMMANDS: Mapping[str, Callable[[_LaneCommand], Awaitable[int]]] = {
    "pause": _LaneCommand.pause,
    "resume": _LaneCommand.resume,
    "cancel": _LaneCommand.cancel,
}
