"""Soak test of paused workers: stopped in mid delivery (SIGSTOP) for longer than their lease.

Run: python -m tests.faults.paused_soak --kills 100 [--seed 1]
"""

import argparse
import asyncio
import random
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flows.domain.records import Receipt
from gateway.cli.progress import ReportProgress, show_progress
from storage.outbox.claim import LEASE
from tests.support.faults.delivery_history import HistoryVerdict
from tests.support.faults.gateway_processes import GatewayProcess, run_launcher
from tests.support.faults.harness import FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, poll_until, run_server

WORKER_COUNT = 4
PAUSE_SECONDS = (LEASE + timedelta(seconds=2)).total_seconds()
"""How long a worker stands still: its rows are other workers' by then."""
PROVIDER_SECONDS = 0.3
"""How long the provider takes, so that workers are stopped while it has their message and they no answer."""
NOTICES_PER_PAUSE = 3


@dataclass
class PausedSoak:
    """A run of the given number of pauses, at a provider that does not recognise what it had before."""

    harness: FaultHarness
    pause_count: int
    seed: int
    running: list[GatewayProcess] = field(default_factory=list)
    pauses: set[asyncio.Task[None]] = field(default_factory=set)
    reported_count: int = 0
    """Message ids that the provider has reported as delivered."""

    async def run(self, on_progress: ReportProgress = lambda done, total: None) -> HistoryVerdict:
        """Pause the given number of times, resume all, and return the history check.

        A row that is still unknown then had its late message id lost.
        """
        dice, self.harness.provider.delay_seconds = random.Random(self.seed), PROVIDER_SECONDS
        self.running = [self.harness.start_process() for _ in range(WORKER_COUNT)]
        for number in range(self.pause_count):
            self.harness.provider.request_begun.clear()
            await self.harness.commit_notices(*(f"p{number}.{part}" for part in range(NOTICES_PER_PAUSE)))
            await self.harness.provider.wait_for_request()
            await self._pause_one(dice)
            await self._report_delivered()
            on_progress(number + 1, self.pause_count)
        await asyncio.gather(*self.pauses)
        await self.harness.wait_until_settled(60)
        await poll_until(self._is_nothing_unknown, 30)
        return await self.harness.check_history()

    async def _pause_one(self, dice: random.Random) -> None:
        """Stop a worker; one always runs on, so wait for the next to be resumed where no other does."""
        while len(self.running) < 2:
            await asyncio.wait(self.pauses, return_when=asyncio.FIRST_COMPLETED)
        worker = self.running.pop(dice.randrange(len(self.running)))
        worker.send_signal(signal.SIGSTOP)
        pause = asyncio.create_task(self._resume_later(worker))
        self.pauses.add(pause)
        pause.add_done_callback(self.pauses.discard)

    async def _resume_later(self, worker: GatewayProcess) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        worker.send_signal(signal.SIGCONT)
        self.running.append(worker)

    async def _report_delivered(self) -> None:
        """Bring the provider's report for each message id that it gave since the last time."""
        accepted = self.harness.provider.accepted_ids
        for message_id in accepted[self.reported_count :]:
            receipt = Receipt("twilio", message_id, "delivered", "delivered")
            await self.harness.outbox.record_receipt(receipt, datetime.now(UTC))
            self.reported_count += 1

    async def _is_nothing_unknown(self) -> bool:
        await self._report_delivered()
        return (await self.harness.check_history()).unknown_count == 0


async def run_soak(url: str, pause_count: int, seed: int) -> HistoryVerdict:
    """Run a soak on an empty database, with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_harness(launcher, url, deduplicates=False) as harness:
            with show_progress("paused soak", "pauses") as report:
                return await PausedSoak(harness, pause_count, seed).run(report)


def main() -> int:
    """Print what became of the messages and the seed; return 1 if any was lost, sent twice or unknown."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.paused_soak")
    parser.add_argument("--kills", type=int, default=100, help="how many times a worker is paused")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = parser.parse_args()
    with run_server(PostgresServer) as server:
        found = asyncio.run(run_soak(server.create_database("paused"), args.kills, args.seed))
    print(
        f"pauses {args.kills}  accepted {found.accepted_count}  lost {len(found.lost_keys)}  "
        f"duplicated {len(found.duplicated_keys)}  unknown {found.unknown_count}  seed {args.seed}"
    )
    return int(not found.is_exactly_once or found.unknown_count > 0)


if __name__ == "__main__":
    sys.exit(main())
