"""Sandbox: an isolated gateway with a seeded database, a manual clock and fault injection."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flows.domain.failures import Refused
from flows.domain.records import ChangeSet, Preference
from gateway.demo import startup
from gateway.demo.faulty_billing import FaultyBilling, inject_faults
from gateway.demo.faulty_sessions import FaultySessions
from gateway.demo.payfake import payment_settings
from gateway.demo.wallet.wallet_owner import WalletOwner
from gateway.demo.wallet.wallet_server import find_owner, serve_own_wallet
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.format import Dialog, parse_local_time
from gateway.dialogs.player import ManualClock, MessageCollector, PhoneLine, Player
from gateway.payments.wallet_settings import WalletName
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.settings import Settings, load_settings
from gateway.settings_sources import merge_tables
from gateway.wiring.connections import DEFAULT_TRUST
from gateway.wiring.container import Container, build_container
from gateway.wiring.operators import Overrides
from menus.machine.menu import Menu
from storage.credentials.passwords import SqlPasswords
from storage.demo.demo_marker import claim_demo_database
from storage.demo.world import load_demo_world, seed_demo_world
from storage.sql.engine import connect
from storage.sql.migrate import upgrade_database


async def preset_language(container: Container, operator: str, number: str, language: str) -> None:
    """Store the subscriber's language preference; no effect for an unknown number."""
    ports = container.operators[operator]
    try:
        subscriber = await ports.billing.get_subscriber(number)
    except Refused:
        return
    key = f"dial/{number}/{language}/{ports.now().isoformat()}"
    await ports.ledger.commit(
        ChangeSet(key, operator, subscriber.id, ports.now(), preference=Preference(language))
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """Initial state of a sandbox."""

    operator: str
    local_time: str
    """The operator's local time, as a dialog writes it."""
    caller: str = field(default="", repr=False)
    language: str = ""
    """The caller's stored language preference; empty for none."""
    trust: tuple[tuple[str, str], ...] = ()
    public_url: str = "http://127.0.0.1:8080"
    packs: str = ""
    """Folder of packs beside the shipped ones."""
    payments_url: str = "http://127.0.0.1:9"
    """Address of the payment provider; a conversation by itself asks none."""
    wallet: WalletName | None = None
    """The wallet bills can be paid from beside the link; None for none."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """An isolated gateway of one operator, with its clock, messages and fault switches."""

    container: Container = field(repr=False)
    scenario: Scenario
    clock: ManualClock
    messages: MessageCollector = field(repr=False)
    faulty_billing: FaultyBilling = field(repr=False)
    faulty_sessions: FaultySessions = field(repr=False)

    @property
    def menu(self) -> Menu:
        """Return the operator's current menu."""
        return self.container.menu_versions.current_menu(self.scenario.operator)

    def create_direct_line(self) -> DirectLine:
        """Return an in-process phone line."""
        return DirectLine(self.container.conversations, self.menu, DEFAULT_TRUST | dict(self.scenario.trust))

    def create_player(self, line: PhoneLine) -> Player:
        """Return a dialog player on a phone line of this sandbox."""
        set_fault = {"billing": self.faulty_billing.set_state, "sessions": self.faulty_sessions.set_state}
        zone, wallet = self.menu.config.time_zone, self.wallet
        return Player(
            line, self.messages, zone, self.clock, set_fault, caller=self.scenario.caller, wallet=wallet
        )

    @property
    def wallet(self) -> WalletOwner | None:
        """Return the owners' side of the scenario's wallet; None where there is none."""
        return find_owner(self.container.settings.operators[self.scenario.operator].wallet)


@dataclass(slots=True)
class SandboxFactory:
    """Creates sandboxes from a database that is seeded once per hour of their time and copied for each.

    Only one `open` may run at a time.
    """

    folder: Path
    load: Callable[[Path], Menu] = pack_compiler.compile_pack
    dataset: Mapping[str, Any] | None = field(default=None, repr=False)
    """Data set the database is seeded with; by default the demo's, with generic people of other operators."""
    templates: dict[tuple[datetime, str], Path] = field(default_factory=dict, repr=False)
    next_number: Callable[[], int] = field(default_factory=lambda: count(1).__next__, repr=False)

    @asynccontextmanager
    async def open(self, scenario: Scenario) -> AsyncIterator[Sandbox]:
        """Open a sandbox for the duration of the block."""
        menu = self.load(pack_compiler.find_pack(scenario.operator, scenario.packs))
        zone = ZoneInfo(menu.config.time_zone)
        clock = ManualClock(parse_local_time(scenario.local_time).replace(tzinfo=zone).astimezone(UTC))
        path = self.folder / f"world-{self.next_number()}.db"
        shutil.copy(await self._seeded_template(clock(), menu), path)
        async with serve_own_wallet(scenario.wallet, clock) as wallet:
            settings = load_settings(
                discover_providers(), Path("no such file"), {}, _build_settings(scenario, path, wallet)
            )
            async with self._build_sandbox(scenario, settings, clock) as sandbox:
                yield sandbox
        for leftover in self.folder.glob(f"{path.name}*"):
            leftover.unlink()

    @asynccontextmanager
    async def _build_sandbox(
        self, scenario: Scenario, settings: Settings, clock: ManualClock
    ) -> AsyncIterator[Sandbox]:
        faulty_sessions = FaultySessions(lambda: clock().timestamp())
        overrides = Overrides(now=clock, sessions=faulty_sessions.sessions)
        async with build_container(settings, overrides=overrides, load=self.load) as container:
            faulty_billing = inject_faults(container.operators[scenario.operator])
            if scenario.language:
                await preset_language(container, scenario.operator, scenario.caller, scenario.language)
            yield Sandbox(
                container,
                scenario,
                clock,
                MessageCollector.for_worker(container.outbox_worker, container.recorder),
                faulty_billing,
                faulty_sessions,
            )

    async def _seeded_template(self, now: datetime, menu: Menu) -> Path:
        dataset, added = self.dataset, ""
        if dataset is None and menu.name not in load_demo_world():
            dataset, added = {menu.name: startup.operator_dataset(menu)}, menu.name
        key = now.replace(minute=0, second=0, microsecond=0), added
        if key not in self.templates:
            path = self.folder / f"seeded-{len(self.templates)}.db"
            await _seed_database(path, now, dataset)
            self.templates[key] = path
        return self.templates[key]


def scenario_of(dialog: Dialog, now: datetime) -> Scenario:
    """Return the initial state a dialog asks for; its time is `now` if it names none."""
    return Scenario(
        operator=dialog.first_argument("operator", "orange-ro"),
        local_time=dialog.first_argument("at") or f"{now:%Y-%m-%d %H:%M}",
        caller=dialog.first_argument("from"),
        language=dialog.first_argument("language"),
        trust=tuple(dialog.trust.items()),
        wallet=dialog.wallet,
    )


async def _seed_database(path: Path, now: datetime, dataset: Mapping[str, Any] | None) -> None:
    database = connect(f"sqlite:///{path}")
    await claim_demo_database(database)
    await upgrade_database(database)
    passwords = SqlPasswords(database)
    await seed_demo_world(database, passwords, now, dataset)
    passwords.close()
    await database.close()


def _build_settings(scenario: Scenario, path: Path, wallet: Mapping[str, Any]) -> dict[str, object]:
    operator = merge_tables(startup.OPERATOR_DEFAULTS, wallet)
    for name in discover_providers().keys() & operator.keys():
        operator[name] = {**operator[name], "trust": operator[name].get("trust", {}) | dict(scenario.trust)}
    operator["payments"] = payment_settings(scenario.payments_url)
    return {
        "demo": True,
        "public_url": scenario.public_url,
        "secret_key": "a world of its own, and nothing in it is secret",
        "database_url": f"sqlite:///{path}",
        "turns_per_minute": 100_000,
        "packs": scenario.packs,
        "operators": {scenario.operator: operator},
    }
