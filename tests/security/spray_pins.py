"""PIN spraying (T10) at two gateway processes: one alarm, a throttle, and an owner who gets in all the while.

Run: python -m tests.security.spray_pins [--lines 2000]
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from aiohttp import ClientSession

from storage.credentials.passwords import UPSERT_HASH
from tests.support.databases import CHEAP_HASHER
from tests.support.faults.aggregator_phone import open_http_session, wait_until_listening
from tests.support.faults.gateway_processes import HOOK_TOKEN, GatewayProcess, gateway_settings, run_launcher
from tests.support.faults.harness import FaultHarness, open_harness
from tests.support.server_processes import PostgresServer, RedisServer, run_server

OPERATOR, OWNER, PIN, WRONG_PIN = "maroc-telecom", "+212661000101", "2847", "0000"
HOOK = f"/hooks/{OPERATOR}/africastalking/{HOOK_TOKEN}/ussd"
PHONE_COUNT = 20
OWNER_EVERY = 100
"""The owner dials in between once so many guesses."""
PROFILE_MENU, BILL = "Changer de PIN", "MAD"
"""Words of the screen behind the owner's PIN, and of the one behind a guess that is right."""


@dataclass
class Spraying:
    """Guesses at many lines from few phones, each in one dialled string."""

    client: ClientSession
    webs: list[GatewayProcess]
    lines: list[str]
    session_numbers: "count[int]" = field(default_factory=count)
    owner_tries: list[bool] = field(default_factory=list)
    """Whether the owner got in, each time."""

    async def run(self) -> None:
        """Guess at all lines, every phone one after another; the owner dials in between."""
        await asyncio.gather(*(self._spray_from(phone) for phone in range(PHONE_COUNT)))

    async def _spray_from(self, phone: int) -> None:
        for number in range(phone, len(self.lines), PHONE_COUNT):
            await self.guess(f"+21270000{phone:04}", self.lines[number], WRONG_PIN)
            if number % OWNER_EVERY == 0:
                self.owner_tries.append(PROFILE_MENU in await self._dial(OWNER, f"2*2*{PIN}"))

    async def guess(self, phone: str, line: str, pin: str) -> bool:
        """Guess a line's PIN on the way to its bill; return whether it was taken."""
        return BILL in await self._dial(phone, f"3*2*0{line.removeprefix('+212')}*1*1*{pin}")

    async def _dial(self, caller: str, keys: str) -> str:
        number = next(self.session_numbers)
        form = {"sessionId": f"ATUid_s{number}", "serviceCode": "*580#", "phoneNumber": caller, "text": keys}
        port = self.webs[number % len(self.webs)].port
        async with self.client.post(f"http://127.0.0.1:{port}{HOOK}", data=form) as answer:
            assert answer.status == 200, answer.status
            return await answer.text()


@dataclass(frozen=True)
class SprayVerdict:
    """What came of a spraying."""

    line_count: int
    seconds: float
    alarm_count: int
    is_throttled: bool
    """Whether a right PIN from a phone that never guessed is refused by then."""
    owner_tries: tuple[bool, ...]

    @property
    def is_held(self) -> bool:
        return self.alarm_count == 1 and self.is_throttled and bool(self.owner_tries) and all(self.owner_tries)

    def __str__(self) -> str:
        owner = f"owner in {sum(self.owner_tries)} of {len(self.owner_tries)}"
        throttle = "throttled" if self.is_throttled else "NOT throttled"
        return (
            f"lines {self.line_count}  ({self.seconds:.0f} s)  alarms {self.alarm_count}  {throttle}  {owner}"
        )


async def spray(harness: FaultHarness, redis_url: str, line_count: int) -> SprayVerdict:
    """Spray as many lines with a PIN over two gateways, and return what came of it."""
    lines = [f"+2126620{number:05}" for number in range(line_count)]
    await harness.seed_demo_data()
    await _store_pins(harness, [OWNER, *lines])
    told = gateway_settings(harness.database_url, harness.provider.url, redis_url)
    orange = told["operators"].pop("orange-ro")
    told["operators"][OPERATOR] = orange
    webs = [harness.launcher.start_gateway("web", told) for _ in range(2)]
    harness.processes += webs
    await wait_until_listening(*webs)
    async with open_http_session() as client:
        spraying = Spraying(client, webs, lines)
        assert await spraying.guess("+212700009999", OWNER, PIN), "a right PIN opens nothing even before"
        began = time.monotonic()
        await spraying.run()
        seconds = time.monotonic() - began
        is_throttled = not await spraying.guess("+212700009999", OWNER, PIN)
    return SprayVerdict(line_count, seconds, _count_alarms(harness), is_throttled, tuple(spraying.owner_tries))


async def _store_pins(harness: FaultHarness, lines: list[str]) -> None:
    """Give every line the same PIN, in one statement."""
    row = {"operator": OPERATOR, "kind": "pin", "hash": CHEAP_HASHER.hash(PIN), "at": datetime.now(UTC)}
    rows = [{**row, "number": line} for line in lines]
    await harness.database.write(lambda connection: connection.execute(UPSERT_HASH, rows).close())


def _count_alarms(harness: FaultHarness) -> int:
    """Return how often the gateways logged that the operator's budget is used up."""
    logged = [json.loads(line) for line in harness.launcher.log.read_text().splitlines() if line[:1] == "{"]
    alarms = [each for each in logged if each.get("event") == "codes.budget_exhausted"]
    return sum(each["state"] == "operator" and each["operator"] == OPERATOR for each in alarms)


async def run_spraying(server: PostgresServer, redis_url: str, line_count: int) -> SprayVerdict:
    """Spray at an empty database of the server, with a launcher of its own."""
    with run_launcher() as launcher:
        async with open_harness(launcher, server.create_database("spray")) as harness:
            return await spray(harness, redis_url, line_count)


def main() -> int:
    """Print alarms, throttle and how often the owner got in; return 1 unless all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.spray_pins")
    parser.add_argument("--lines", type=int, default=2000)
    arguments = parser.parse_args()
    with run_server(PostgresServer) as server, run_server(RedisServer) as redis:
        verdict = asyncio.run(run_spraying(server, redis.url, arguments.lines))
    print(verdict)
    return int(not verdict.is_held)


if __name__ == "__main__":
    sys.exit(main())
