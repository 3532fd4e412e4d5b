"""Gateway sandbox for tests: demo data seeded once and copied, a manual clock, fixed randomness."""

import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from flows.domain.ports import SessionStore
from flows.engine.deadlines import TimeBudgets
from gateway.demo.faulty_billing import FaultyBilling as FaultyBilling
from gateway.demo.faulty_billing import inject_faults
from gateway.demo.faulty_sessions import FaultySessions
from gateway.demo.payfake import payment_settings
from gateway.demo.startup import seed_demo
from gateway.demo.wallet.wallet_server import find_owner, serve_own_wallet
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.format import Dialog, format_dialog, parse_dialog
from gateway.dialogs.player import ManualClock, MessageCollector, PhoneLine, Player
from gateway.dialogs.recorded_transitions import RecordingTransitions, record_transitions
from gateway.dialogs.sandbox import preset_language
from gateway.providers.registry import discover_providers
from gateway.publishing import pack_compiler
from gateway.settings import Settings, load_settings
from gateway.settings_sources import merge_tables
from gateway.wiring.connections import DEFAULT_TRUST
from gateway.wiring.container import Container, build_container
from gateway.wiring.operators import Overrides
from menus.machine.menu import Menu
from storage.credentials.passwords import SqlPasswords
from storage.demo.world import load_demo_world, seed_demo_world
from storage.sql.engine import connect
from tests.support.databases import CHEAP_HASHER, count_rows, mark_as_demo, mark_url_as_demo
from tests.support.shipped_packs import compile_once

T = TypeVar("T")
OPERATOR = "orange-ro"
DEFAULT_TIME = "2026-03-10 09:00"
"""Local time of a dialog that sets none."""
PUBLIC_URL = "https://gw.example.net"
HOOK_TOKEN, AUTH_TOKEN = "hook-token", "auth-token"
CHANNELS = ("ussd", "sms", "voice")
EFFECT_TABLES = ("outbox", "consents", "preferences")
"""Tables whose row counts show what was done, and how often."""

LONG_TIME_BUDGETS = TimeBudgets(60, 60, 60)
"""Time budgets nobody exceeds on a slow shared machine; tests of slowness set their own."""


@dataclass(slots=True)
class GatewaySandbox:
    """A gateway with everything a dialog may need: clock, messages, faulty billing and sessions."""

    container: Container = field(repr=False)
    clock: ManualClock
    messages: MessageCollector = field(repr=False)
    faulty_billing: FaultyBilling = field(repr=False)
    sessions: FaultySessions = field(repr=False)
    operator: str = OPERATOR

    @property
    def menu(self) -> Menu:
        return self.container.menu_versions.current_menu(self.operator)

    def direct_line(self, trust: dict[str, str] | None = None) -> DirectLine:
        return DirectLine(self.container.conversations, self.menu, DEFAULT_TRUST | (trust or {}))

    def dialog_player(self, line: PhoneLine, caller: str = "") -> Player:
        zone, spoil = (
            self.menu.config.time_zone,
            {"billing": self.faulty_billing.set_state, "sessions": self.sessions.set_state},
        )
        wallet = find_owner(self.container.settings.operators[self.operator].wallet)
        return Player(line, self.messages, zone, self.clock, spoil, caller=caller, wallet=wallet)

    async def count_effects(self) -> tuple[int, ...]:
        """Return the row counts of the tables that show what was done."""
        return tuple([await count_rows(self.container.database, table) for table in EFFECT_TABLES])


@dataclass(slots=True)
class SandboxFactory:
    """Creates sandboxes: one seeded database file per day, copied for each sandbox."""

    folder: Path
    migrated_database: Path
    """An empty migrated database."""
    operators: Path = pack_compiler.OPERATORS
    seeded_databases: dict[str, Path] = field(default_factory=dict)
    menus: dict[Path, Menu] = field(default_factory=dict)
    open_count: int = 0

    def menu(self, pack: Path) -> Menu:
        """Compile a pack once, with its transitions recorded."""
        if pack not in self.menus:
            self.menus[pack], _ = record_transitions(compile_once(pack))
        return self.menus[pack]

    def recorded_transitions(self, operator: str = OPERATOR) -> RecordingTransitions:
        """Return the transitions made so far in an operator's menus."""
        moves = self.menu(pack_compiler.pack_folder(operator, self.operators)).transition_table
        assert isinstance(moves, RecordingTransitions)
        return moves

    def with_operators(self, operators: Path, folder: Path) -> "SandboxFactory":
        """Return a factory with the same subscribers, other packs and a folder of its own."""
        return replace(self, operators=operators, folder=folder)

    @asynccontextmanager
    async def open(
        self,
        at: str = DEFAULT_TIME,
        trust: dict[str, str] | None = None,
        operator: str = OPERATOR,
        more: dict[str, Any] | None = None,
        patience: TimeBudgets = LONG_TIME_BUDGETS,
    ) -> AsyncIterator[GatewaySandbox]:
        """Open a sandbox at a local time; `more` settings override the usual ones."""
        zone = self.menu(pack_compiler.pack_folder(operator, self.operators)).config.time_zone
        clock = ManualClock(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
        settings = _sandbox_settings(
            await self._copy_database(str(clock()), clock()), trust or {}, operator, more or {}
        )
        if "database_url" in (more or {}):
            await mark_url_as_demo(settings.database_url)
        fragile = FaultySessions(lambda: clock().timestamp())
        given = _test_overrides(clock, None if settings.redis_url else fragile.sessions, patience)
        async with build_container(settings, self.operators, given, self.menu) as built:
            weather = inject_faults(built.operators[operator])
            yield GatewaySandbox(
                built,
                clock,
                MessageCollector.for_worker(built.outbox_worker, built.recorder),
                weather,
                fragile,
                operator,
            )

    @asynccontextmanager
    async def open_for(
        self, dialog: Dialog, more: dict[str, Any] | None = None
    ) -> AsyncIterator[GatewaySandbox]:
        """Open the sandbox a dialog starts in; `more` settings override the usual ones."""
        at, operator = dialog.first_argument("at", DEFAULT_TIME), dialog.first_argument("operator")
        async with AsyncExitStack() as stack:
            clock: list[ManualClock] = []
            wallet = await stack.enter_async_context(serve_own_wallet(dialog.wallet, lambda: clock[0]()))
            settings = merge_tables({"operators": {operator: wallet}}, more or {}) if wallet else more
            sandbox = await stack.enter_async_context(self.open(at, dialog.trust, operator, settings))
            clock.append(sandbox.clock)
            if sandbox.operator not in load_demo_world():
                await seed_demo(sandbox.container)
            language = dialog.first_argument("language")
            if language:
                await preset_language(
                    sandbox.container, sandbox.operator, dialog.first_argument("from"), language
                )
            yield sandbox

    async def _copy_database(self, at: str, now: datetime) -> Path:
        if at not in self.seeded_databases:
            path = self.folder / f"seeded-{len(self.seeded_databases)}.db"
            self.seeded_databases[at] = await _seed_database(
                Path(shutil.copy(self.migrated_database, path)), now
            )
        self.open_count += 1
        return Path(shutil.copy(self.seeded_databases[at], self.folder / f"world-{self.open_count}.db"))


async def _seed_database(path: Path, now: datetime) -> Path:
    database = connect(f"sqlite:///{path}")
    passwords = SqlPasswords(database, hasher=CHEAP_HASHER)
    await mark_as_demo(database)
    await seed_demo_world(database, passwords, now)
    passwords.close()
    await database.close()
    return path


def _sandbox_settings(path: Path, trust: dict[str, str], operator: str, more: dict[str, Any]) -> Settings:
    links: dict[str, Any] = {
        "routes": {"sms": "africastalking"},
        "payments": payment_settings("http://127.0.0.1:9"),
        "africastalking": {"username": "sandbox", "api_key": "key", "hook_token": HOOK_TOKEN, "trust": trust},
        "twilio": {
            "account_sid": "AC1",
            "auth_token": AUTH_TOKEN,
            "sender": "477",
            "trust": {"sms": "line"} | trust,
        },
    }
    base: dict[str, Any] = {
        "demo": True,
        "public_url": PUBLIC_URL,
        "secret_key": "a key for the tests and nothing else",
        "database_url": f"sqlite:///{path}",
        "turns_per_minute": 100_000,
        "operators": {operator: links},
    }
    return load_settings(discover_providers(), Path("no such file"), {}, merge_tables(base, more))


def _test_overrides(
    clock: Callable[[], datetime], sessions: SessionStore | None, patience: TimeBudgets
) -> Overrides:
    """Return overrides that give the same digits and tokens in every run."""
    dice = random.Random(7)
    return Overrides(
        now=clock,
        sessions=sessions,
        random_digits=lambda count: f"{dice.randrange(10**count):0{count}}",
        random_token=lambda: f"{dice.getrandbits(128):032x}",
        time_budgets=patience,
        passwords=partial(SqlPasswords, hasher=CHEAP_HASHER),
    )


async def replay_dialog(sandboxes: SandboxFactory, text: str) -> str:
    """Replay a saved dialog in a sandbox and return it as written again."""
    dialog = parse_dialog(text, "saved")
    async with sandboxes.open_for(dialog) as sandbox:
        return format_dialog(
            dialog, await sandbox.dialog_player(sandbox.direct_line(dialog.trust)).play(dialog)
        )


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory, sqlite_migrated: Path) -> SandboxFactory:
    """Provide the sandbox factory of this run."""
    return SandboxFactory(tmp_path_factory.mktemp("worlds"), sqlite_migrated)


@pytest.fixture
async def sandbox(sandboxes: SandboxFactory) -> AsyncIterator[GatewaySandbox]:
    """Provide a sandbox of this test alone."""
    async with sandboxes.open() as opened:
        yield opened
