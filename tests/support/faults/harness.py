"""Harness of the fault tests: commit messages, run gateway processes, compare with what arrived."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import ClientSession

from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import ChangeSet, MessageClass, OutboundMessage, Secret
from storage.credentials.passwords import SqlPasswords
from storage.crypto import derive_key
from storage.demo.world import seed_demo_world
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade_database
from tests.support.databases import CHEAP_HASHER, mark_as_demo
from tests.support.faults.aggregator_phone import AggregatorPhone, wait_until_listening
from tests.support.faults.delivery_history import HistoryVerdict, judge_history, read_states
from tests.support.faults.gateway_processes import SECRET, GatewayLauncher, GatewayProcess, gateway_settings
from tests.support.faults.recording_twilio import RecordingTwilio
from tests.support.free_ports import free_port
from tests.support.server_processes import poll_until

ANA = "+40740000101"


@dataclass
class FaultHarness:
    """Everything a fault test uses: launcher, database, provider, committed keys."""

    launcher: GatewayLauncher
    database_url: str
    database: Database
    provider: RecordingTwilio
    ledger: SqlLedger
    outbox: SqlOutbox
    promised_keys: list[str] = field(default_factory=list)
    processes: list[GatewayProcess] = field(default_factory=list)

    def start_process(
        self, point: str = "", *, role: str = "worker", redis_url: str = "", **more: int
    ) -> GatewayProcess:
        """Start one more process; `role` may be `worker`, `web`, `newer` or `both`."""
        told = gateway_settings(
            self.database_url, self.provider.url, redis_url, deduplicates=self.provider.deduplicates, **more
        )
        self.processes.append(self.launcher.start_gateway(role, told, point))
        return self.processes[-1]

    def start_link(self, redis_url: str, section: dict[str, object], provider: str = "smpp") -> GatewayProcess:
        """Start one more process that holds the operator's link; by SMPP its SMS leave by it."""
        told = gateway_settings(self.database_url, self.provider.url, redis_url)
        routes = {"routes": {"sms": "smpp"}} if provider == "smpp" else {}
        told["operators"] = {"orange-ro": {**routes, provider: section}}
        self.processes.append(self.launcher.start_gateway("link", told))
        return self.processes[-1]

    async def seed_demo_data(self) -> None:
        """Insert the demo data, so that there are subscribers to dial as."""
        passwords = SqlPasswords(self.database, hasher=CHEAP_HASHER)
        await mark_as_demo(self.database)
        await seed_demo_world(self.database, passwords, datetime.now(UTC))
        passwords.close()

    async def start_with_readyz(self, session: ClientSession) -> str:
        """Start a web process with an internal listener and return the URL of its /readyz."""
        port = free_port()
        told = gateway_settings(self.database_url, self.provider.url) | {"internal_port": port}
        self.processes.append(self.launcher.start_gateway("web", told, ""))
        await wait_until_listening(GatewayProcess(0, port, self.launcher), self.processes[-1])
        return f"http://127.0.0.1:{port}/readyz"

    async def commit_notices(self, *keys: str, kind: MessageClass = "notice") -> None:
        """Commit one message per key in one change; keys count once the commit is acknowledged."""
        now = datetime.now(UTC)
        notices = tuple(
            OutboundMessage(key, "orange-ro", ANA, "sms", kind, f"text {key}", "ro") for key in keys
        )
        await self.ledger.commit(ChangeSet(f"put {keys[0]}", "orange-ro", "s", now, messages=notices))
        self.promised_keys += keys

    async def check_history(self) -> HistoryVerdict:
        """Return the history check as of now."""
        return judge_history(
            self.promised_keys, self.provider.received_counts, await read_states(self.database)
        )

    async def wait_until_settled(self, seconds: float = 30.0) -> HistoryVerdict:
        """Wait until no message waits any more and return the history check."""

        async def nothing_waits() -> bool:
            return (await self.check_history()).waiting_count == 0

        await poll_until(nothing_waits, seconds)
        return await self.check_history()

    async def check_replies(self, phone: AggregatorPhone, message_ids: Sequence[str]) -> HistoryVerdict:
        """Return the history check of SMS replies; a reply's key derives from its message id."""
        keys = Pseudonyms(derive_key(Secret(SECRET), "conversations"))
        marks = [keys.keyed_hash("message", "orange-ro", "africastalking", each) for each in message_ids]
        self.promised_keys = [f"{mark}/reply" for mark in marks]
        return await self.wait_until_settled(60)

    async def wait_for_exit(self, gateway: GatewayProcess) -> int:
        """Return the exit status of a process that ends by itself."""
        return await asyncio.to_thread(gateway.wait_for_exit)

    def kill_processes(self) -> None:
        for gateway in self.processes:
            gateway.kill()


@asynccontextmanager
async def open_harness(
    launcher: GatewayLauncher, url: str, *, deduplicates: bool = True
) -> AsyncIterator[FaultHarness]:
    """Open a harness on an empty database."""
    database = connect(url)
    await upgrade_database(database)
    secret = Secret(SECRET)
    async with RecordingTwilio(deduplicates=deduplicates) as fake:
        harness = FaultHarness(
            launcher, url, database, fake, SqlLedger(database, secret), SqlOutbox(database, secret)
        )
        try:
            yield harness
        finally:
            harness.kill_processes()
            await database.close()
