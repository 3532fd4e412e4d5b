"""Turns without a lease: one round trip to Redis, no effects, and another process may come in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis as Client

from tests.support.dialog_runs import SCENARIO_PATHS, DialogRuns, dialog_name, load_dialog
from tests.support.gateway_sandbox import HOOK_TOKEN, OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, WebhookSender, connect_webhooks

pytestmark = pytest.mark.redis
ANA = "+40740000101"
TO_E_BILL = ("1", "1", "3")
"""Keys that lead from the first screen to the question whether bills shall come by e-mail."""
SOME_DIALOGS = [
    path
    for path in SCENARIO_PATHS
    if "/orange-ro/ussd/" in str(path) and not path.stem.endswith("-en") and "sessions" not in path.read_text()
][::8]
"""Every eighth conversation by USSD, of those without a failing session store."""


@dataclass(slots=True)
class TwoProcesses:
    """Two gateways with one database and one Redis, and a caller whose requests go to either."""

    senders: list[WebhookSender]
    sandbox: GatewaySandbox
    """The first one's."""
    session: str = ""
    keys: list[str] = field(default_factory=list)

    async def press(self, key: str, process: int) -> str:
        """Press a key; the request goes to this process. Return its answer."""
        path, fields = self.next_request(key)
        return await self.senders[process].send_webhook(path, fields)

    async def press_at_both(self, key: str) -> set[str]:
        """Press a key whose request reaches both processes at once; return the answers."""
        path, fields = self.next_request(key)
        return set(await asyncio.gather(*(each.send_webhook(path, fields) for each in self.senders)))

    def next_request(self, key: str) -> tuple[str, dict[str, str]]:
        """Return the request a key brings: Africa's Talking repeats all keys of the session."""
        self.keys = [*self.keys, key]
        fields = {"sessionId": self.session, "phoneNumber": ANA, "serviceCode": "*100#"}
        path = f"/hooks/{OPERATOR}/africastalking/{HOOK_TOKEN}/ussd"
        return path, fields | {"text": "*".join(self.keys)}

    async def dial(self, session: str = "ATUid_1") -> str:
        """Dial at the first process."""
        self.session, self.keys = session, []
        path, fields = self.next_request("")
        self.keys = []
        return await self.senders[0].send_webhook(path, fields)


@pytest.fixture
async def two(sandboxes: SandboxFactory, redis_url: str) -> AsyncIterator[TwoProcesses]:
    """Provide two gateways and a caller at the first screen."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(sandboxes.open(more={"redis_url": redis_url}))
        shared = {"redis_url": redis_url, "database_url": first.container.settings.database_url}
        second = await stack.enter_async_context(sandboxes.open(more=shared))
        senders = [await stack.enter_async_context(connect_webhooks(each)) for each in (first, second)]
        made = TwoProcesses(senders, first)
        await made.dial()
        yield made


async def count_scripts(redis_url: str) -> int:
    """Return how many scripts Redis has run."""
    async with Client.from_url(redis_url) as client:
        stats = await client.info("commandstats")
        return int(stats["cmdstat_evalsha"]["calls"])


async def test_a_screen_takes_one_round_trip_and_a_step_two(two: TwoProcesses, redis_url: str) -> None:
    counts = [await count_scripts(redis_url)]
    for key in (*TO_E_BILL, "1"):
        await two.press(key, 0)
        counts.append(await count_scripts(redis_url))
    assert [after - before for before, after in pairwise(counts)] == [1, 1, 1, 2]


async def test_a_conversation_whose_keys_reach_two_processes_is_one(two: TwoProcesses) -> None:
    keys = (*TO_E_BILL, "0", "1", "0", "0")
    mixed = [await two.press(key, place % 2) for place, key in enumerate(keys)]
    await two.dial("ATUid_2")
    assert mixed == [await two.press(key, 0) for key in keys]


async def test_a_key_that_reaches_two_processes_at_once_moves_once(two: TwoProcesses) -> None:
    keys = (*TO_E_BILL, "0", "0")
    answers = [await two.press_at_both(key) for key in keys]
    await two.dial("ATUid_2")
    assert answers == [{await two.press(key, 0)} for key in keys]


async def test_T30_a_wish_that_reaches_two_processes_at_once_has_one_effect(two: TwoProcesses) -> None:
    for place, key in enumerate(TO_E_BILL):
        await two.press(key, place % 2)
    (answer,) = await two.press_at_both("1")
    assert answer.startswith("END") and await two.sandbox.count_effects() == (1, 1, 0)


async def test_T33_a_session_deleted_elsewhere_begins_anew(two: TwoProcesses, redis_url: str) -> None:
    first_screen = await two.dial("ATUid_2")
    await two.press("1", 0)
    async with Client.from_url(redis_url) as client:
        await client.flushdb()
    two.keys = []
    path, fields = two.next_request("")
    assert await two.senders[0].send_webhook(path, fields) == first_screen


async def test_turns_without_a_lease_are_reported_once(two: TwoProcesses) -> None:
    heard: list[str] = []
    two.sandbox.container.conversations.turn_listeners.append(lambda event: heard.append(event.screen))
    await two.press("1", 0)
    await two.press("1", 1)
    await two.press("3", 0)
    assert len(heard) == 2


@pytest.mark.parametrize("path", SOME_DIALOGS, ids=dialog_name)
async def test_a_dialog_sent_three_times_over_redis_has_one_effect(
    path: Path, sandboxes: SandboxFactory, dialog_runs: DialogRuns, redis_url: str
) -> None:
    dialog, expected = load_dialog(path), await dialog_runs.play_once(path)
    async with (
        sandboxes.open_for(dialog, {"redis_url": redis_url}) as sandbox,
        connect_webhooks(sandbox, "thrice") as wire,
    ):
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        transcript = await sandbox.dialog_player(phone).play(dialog)
        effects = await sandbox.count_effects()
    assert (transcript, effects) == (expected.transcript, expected.row_counts)
