"""GSUP link processes killed in a dialogue, and two of one name: the next key is answered, one is connected."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.faults.harness import ANA, FaultHarness
from tests.support.gsup_phone import GsupPhone
from tests.support.installed_programs import run_installed
from tests.support.osmo_hlr import ENTITY, OsmoHlr
from tests.support.server_processes import poll_until
from tests.support.vlr_peer import connect_vlr

pytestmark = [pytest.mark.postgres, pytest.mark.redis]
TAKE_OVER_SECONDS = 60
"""Far longer than a lease of 10 s and a standby's 2 s take on a slow machine."""
ADDED = f"Adding GSUP route for EUSE-{ENTITY}"


@pytest.fixture
def hlr() -> Iterator[OsmoHlr]:
    with run_installed(OsmoHlr, "60") as server:
        yield server


async def wait_for_entity(hlr: OsmoHlr, times: int) -> None:
    """Wait until an entity of our name has come to the HLR so often."""

    async def has_come() -> bool:
        return hlr.read_log().count(ADDED) >= times

    await poll_until(has_come, TAKE_OVER_SECONDS)


async def test_the_next_key_continues_on_the_process_that_stood_by(
    harness: FaultHarness, hlr: OsmoHlr, redis_url: str
) -> None:
    await harness.seed_demo_data()
    holder = harness.start_link(redis_url, hlr.settings(), "gsup")
    await wait_for_entity(hlr, 1)
    harness.start_link(redis_url, hlr.settings(), "gsup")
    async with connect_vlr(hlr.host) as peer:
        phone = GsupPhone(peer)
        screens = [await phone.dial(ANA, "*100#"), await phone.press("1"), await phone.press("1")]
        assert hlr.read_log().count(ADDED) == 1
        holder.send_signal(signal.SIGKILL)
        assert await harness.wait_for_exit(holder) == -signal.SIGKILL
        await wait_for_entity(hlr, 2)
        screens.append(await phone.press("3"))
    assert screens[2].lines[0] == "Factura"
    assert screens[3].lines[0].startswith("Treceti la factura electronica?")
    assert hlr.read_log().count(ADDED) == 2
