"""Number owner detection with backends that do not know when a number changed hands."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.domain.records import Secret, Subscriber
from gateway.publishing import pack_compiler
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

ANA = "+40740000101"


class UndatedBilling:
    """A backend that does not know since when a subscriber has a number and says today."""

    def __init__(self, sandbox: GatewaySandbox, zone: str) -> None:
        self.inner, self.clock, self.zone = sandbox.faulty_billing, sandbox.clock, ZoneInfo(zone)

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        found = await self.inner.get_subscriber(msisdn)
        return replace(found, since=self.clock().astimezone(self.zone).date())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("zone", ["America/Martinique", "Europe/Bucharest", "Pacific/Noumea"])
async def test_a_backend_that_says_today_causes_no_owner_change(
    zone: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    shutil.copytree(pack_compiler.OPERATORS, tmp_path / "packs")
    pack = tmp_path / "packs/orange_ro/pack.yaml"
    pack.write_text(pack.read_text().replace("time_zone: Europe/Bucharest", f"time_zone: {zone}"))
    async with sandboxes.with_operators(tmp_path / "packs", tmp_path).open("2026-03-10 20:30") as sandbox:
        ports = sandbox.container.operators["orange-ro"]
        people = sandbox.container.subscriber_caches["orange-ro"]
        ports.billing = UndatedBilling(sandbox, zone)
        await people.find(ANA)
        await sandbox.container.write_behind.flush()
        await ports.passwords.set_password("orange-ro", ANA, Secret("ThankYou1"), "password", sandbox.clock())
        sandbox.clock.advance(timedelta(days=1))
        await people.find(ANA)
        told = await ports.passwords.verify_password(
            "orange-ro", ANA, Secret("ThankYou1"), "password", sandbox.clock()
        )
        assert told == "ok"
