"""Harness of the fault tests: commit messages, run gateway processes, compare with what arrived."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import ClientSession

from flows.domain.pseudonyms import Keys
from flows.domain.records import Change, Notice, NoticeClass, Secret
from storage.credentials.passwords import SqlPasswords
from storage.crypto import derived
from storage.demo.world import seed
from storage.ledger.store import SqlLedger
from storage.outbox.store import SqlOutbox
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade
from tests.faults.family import SECRET, Gateway, Nursery, settings
from tests.faults.history import Verdict, judged, states_in
from tests.faults.phone import Phone, serves
from tests.faults.provider import RecordingTwilio
from tests.ports import free_port
from tests.services import eventually
from tests.sql import LIGHT

ANA = "+40740000101"


@dataclass
class Stage:
    """Everything a fault test uses: launcher, database, provider, committed keys."""

    family: Nursery
    url: str
    database: Database
    fake: RecordingTwilio
    ledger: SqlLedger
    outbox: SqlOutbox
    promised: list[str] = field(default_factory=list)
    own: list[Gateway] = field(default_factory=list)

    def worker(self, point: str = "", *, role: str = "worker", redis_url: str = "", **more: int) -> Gateway:
        """Start one more process; `role` may be `worker`, `web`, `newer` or `both`."""
        told = settings(self.url, self.fake.url, redis_url, capable=self.fake.capable, **more)
        self.own.append(self.family.start(role, told, point))
        return self.own[-1]

    async def seed(self) -> None:
        """Insert the demo data, so that there are subscribers to dial as."""
        passwords = SqlPasswords(self.database, hasher=LIGHT)
        await seed(self.database, passwords, datetime.now(UTC))
        passwords.close()

    async def readyz(self, session: ClientSession) -> str:
        """Start a web process with an internal listener and return the URL of its /readyz."""
        port = free_port()
        told = settings(self.url, self.fake.url) | {"internal_port": port}
        self.own.append(self.family.start("web", told, ""))
        await serves(Gateway(0, port, self.family), self.own[-1])
        return f"http://127.0.0.1:{port}/readyz"

    async def promise(self, *keys: str, kind: NoticeClass = "notice") -> None:
        """Commit one message per key in one change; keys count once the commit is acknowledged."""
        now = datetime.now(UTC)
        notices = tuple(Notice(key, "orange-ro", ANA, "sms", kind, f"text {key}", "ro") for key in keys)
        await self.ledger.commit(Change(f"put {keys[0]}", "orange-ro", "s", now, notices=notices))
        self.promised += keys

    async def verdict(self) -> Verdict:
        """Return the history check as of now."""
        return judged(self.promised, self.fake.received, await states_in(self.database))

    async def quiet(self, seconds: float = 30.0) -> Verdict:
        """Wait until no message waits any more and return the history check."""

        async def nothing_waits() -> bool:
            return (await self.verdict()).waiting == 0

        await eventually(nothing_waits, seconds)
        return await self.verdict()

    async def replies(self, phone: Phone, message_ids: Sequence[str]) -> Verdict:
        """Return the history check of SMS replies; a reply's key derives from its message id."""
        keys = Keys(derived(Secret(SECRET), "conversations"))
        marks = [keys.mark("message", "orange-ro", "africastalking", each) for each in message_ids]
        self.promised = [f"{mark}/reply" for mark in marks]
        return await self.quiet(60)

    async def ended(self, gateway: Gateway) -> int:
        """Return the exit status of a process that ends by itself."""
        return await asyncio.to_thread(gateway.ended)

    def clear(self) -> None:
        for gateway in self.own:
            gateway.kill()


@asynccontextmanager
async def staged(launcher: Nursery, url: str, *, capable: bool = True) -> AsyncIterator[Stage]:
    """Open a harness on an empty database."""
    database = connect(url)
    await upgrade(database)
    secret = Secret(SECRET)
    async with RecordingTwilio(capable=capable) as fake:
        harness = Stage(launcher, url, database, fake, SqlLedger(database, secret), SqlOutbox(database, secret))
        try:
            yield harness
        finally:
            harness.clear()
            await database.close()
