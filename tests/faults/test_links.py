"""Link processes killed and stopped, an SMSC that goes away: one owner, nothing lost, nothing twice."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from gateway.smpp.wire.protocol import Status
from storage.outbox.sql_outbox import OutboxState
from tests.support.faults.harness import ANA, FaultHarness
from tests.support.server_processes import poll_until
from tests.support.shipped_packs import shipped_menu
from tests.support.smpp_phone import SmppPhone, smpp_settings
from tests.support.smsc_server import SmscServer, serve_smsc

pytestmark = [pytest.mark.postgres, pytest.mark.redis]
TAKE_OVER_SECONDS = 60
"""Far longer than a lease of 10 s and a standby's 2 s take on a slow machine."""


@pytest.fixture
async def smsc() -> AsyncIterator[SmscServer]:
    async with serve_smsc() as served:
        yield served


def phone_behind(smsc: SmscServer) -> SmppPhone:
    return SmppPhone(smsc, shipped_menu("orange-ro"))


def account(smsc: SmscServer) -> dict[str, object]:
    return smpp_settings(smsc.port, retry_seconds=1)


async def wait_for_bind(smsc: SmscServer) -> None:
    async with asyncio.timeout(TAKE_OVER_SECONDS):
        await smsc.bound()


def texts_sent(smsc: SmscServer) -> Counter[str]:
    return Counter(message.octets.decode() for message in smsc.taken)


async def states_by_key(harness: FaultHarness, *states: OutboxState) -> dict[str, str]:
    rows = [row for state in states for row in await harness.outbox.list_rows(state, 100)]
    return {row.key: row.state for row in rows}


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
async def test_the_next_key_continues_on_the_process_that_stood_by(
    by: int, harness: FaultHarness, smsc: SmscServer, redis_url: str
) -> None:
    await harness.seed_demo_data()
    holder = harness.start_link(redis_url, account(smsc))
    await wait_for_bind(smsc)
    harness.start_link(redis_url, account(smsc))
    phone = phone_behind(smsc)
    screens = [await phone.dial(ANA, "*100#"), await phone.press("1"), await phone.press("1")]
    holder.send_signal(by)
    assert await harness.wait_for_exit(holder) == (0 if by == signal.SIGTERM else -by)
    await smsc.wait_until(lambda: not smsc.connections)
    await wait_for_bind(smsc)
    screens.append(await phone.press("3"))
    assert screens[2].lines[0] == "Factura"
    assert screens[3].lines[0].startswith("Treceti la factura electronica?")
    assert smsc.most_at_once == 1


async def test_a_window_cut_off_is_unknown_and_the_rest_is_sent_once(
    harness: FaultHarness, smsc: SmscServer, redis_url: str
) -> None:
    keys = [f"p{number:02}" for number in range(30)]
    smsc.status_for = lambda message: None
    holder = harness.start_link(redis_url, account(smsc))
    await wait_for_bind(smsc)
    await harness.commit_notices(*keys)
    await smsc.wait_until(lambda: len(smsc.taken) == 10)
    holder.kill()
    await smsc.wait_until(lambda: not smsc.connections)
    smsc.status_for = lambda message: Status.OK
    harness.start_link(redis_url, account(smsc))

    async def all_settled() -> bool:
        return len(await states_by_key(harness, "sent", "unknown")) == len(keys)

    await poll_until(all_settled, TAKE_OVER_SECONDS)
    states = Counter((await states_by_key(harness, "sent", "unknown")).values())
    sent = texts_sent(smsc)
    assert max(sent.values()) == 1 and sent.total() == states["sent"] + 10
    assert states["unknown"] >= 10


async def test_an_smsc_that_is_gone_for_a_while_costs_no_attempt(
    harness: FaultHarness, smsc: SmscServer, redis_url: str
) -> None:
    harness.start_link(redis_url, account(smsc))
    await wait_for_bind(smsc)
    await smsc.stop()
    await smsc.wait_until(lambda: not smsc.connections)
    await harness.commit_notices("a", "b", kind="code")
    await asyncio.gather(smsc.start(), smsc.bound())

    async def all_sent() -> bool:
        return len(await harness.outbox.list_rows("sent", 9)) == 2

    await poll_until(all_sent, TAKE_OVER_SECONDS)
    rows = await harness.outbox.list_rows("sent", 9)
    assert [row.attempt for row in rows] == [1, 1]
    assert texts_sent(smsc) == {"text a": 1, "text b": 1}
