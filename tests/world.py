"""Gateway sandbox for tests: demo data seeded once and copied, a manual clock, fixed randomness."""

import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from flows.domain.ports import Sessions
from flows.engine.deadlines import Patience
from gateway.demo.faulty_billing import Weather as Weather
from gateway.demo.faulty_sessions import FragileSessions
from gateway.dialogs.direct_line import Direct
from gateway.dialogs.format import Dialog, read, write
from gateway.dialogs.player import Clock, Line, Player, Post
from gateway.dialogs.sandbox import choose_language
from gateway.providers.discovery import discover
from gateway.publishing import pack_compiler
from gateway.settings import Settings, load, merged
from gateway.wiring.container import Given, House, house
from gateway.wiring.inbound import DEFAULT_TRUST
from menus.machine.menu import Menu
from menus.machine.transitions_table import Moves
from menus.model.session import Session
from storage.credentials.passwords import SqlPasswords
from storage.demo.world import seed
from storage.sql.engine import connect
from tests.sql import LIGHT, rows_in

T = TypeVar("T")
OPERATOR = "orange-ro"
AT = "2026-03-10 09:00"
"""Local time of a dialog that sets none."""
PUBLIC_URL = "https://gw.example.net"
HOOK_TOKEN, AUTH_TOKEN = "hook-token", "auth-token"
CHANNELS = ("ussd", "sms", "voice")
COUNTED = ("outbox", "consents", "preferences")
"""Tables whose row counts show what was done, and how often."""

PATIENT = Patience(60, 60, 60)
"""Time budgets nobody exceeds on a slow shared machine; tests of slowness set their own."""

Fired = tuple[str, str, str]
"""A transition made: channel, trigger, and the node it left."""


class Watched(Moves):
    """Records every transition of a menu."""

    def __init__(self, menu: Menu) -> None:
        form, entries = menu.form, menu.keywords.targets
        super().__init__(menu.nodes, form.gates, form.rules.proof, entries, form.rules.vouched)
        self.fired: set[Fired] = set()

    def fire(self, trigger: str, session: Session) -> None:
        origin = session.state
        super().fire(trigger, session)
        self.fired.add((session.channel, trigger, origin))


@dataclass(slots=True)
class World:
    """A gateway with everything a dialog may need: clock, messages, faulty billing and sessions."""

    house: House = field(repr=False)
    clock: Clock
    post: Post = field(repr=False)
    weather: Weather = field(repr=False)
    sessions: FragileSessions = field(repr=False)
    operator: str = OPERATOR

    @property
    def menu(self) -> Menu:
        return self.house.conversations.shelf.current(self.operator)

    def direct(self, trust: dict[str, str] | None = None) -> Direct:
        return Direct(self.house.conversations, self.menu, DEFAULT_TRUST | (trust or {}))

    def player(self, line: Line, caller: str = "") -> Player:
        zone, spoil = (
            self.menu.form.time_zone,
            {"billing": self.weather.become, "sessions": self.sessions.become},
        )
        return Player(line, self.post, zone, self.clock, spoil, caller=caller)

    async def counts(self) -> tuple[int, ...]:
        """Return the row counts of the tables that show what was done."""
        return tuple([await rows_in(self.house.database, table) for table in COUNTED])


@dataclass(slots=True)
class Worlds:
    """Creates sandboxes: one seeded database file per day, copied for each sandbox."""

    folder: Path
    migrated: Path
    """An empty migrated database."""
    operators: Path = pack_compiler.OPERATORS
    seeded: dict[str, Path] = field(default_factory=dict)
    menus: dict[Path, Menu] = field(default_factory=dict)
    opened: int = 0

    def menu(self, pack: Path) -> Menu:
        """Compile a pack once, with its transitions recorded."""
        if pack not in self.menus:
            menu = pack_compiler.menu(pack)
            self.menus[pack] = replace(menu, moves=Watched(menu))
        return self.menus[pack]

    def watched(self, operator: str = OPERATOR) -> Watched:
        """Return the transitions made so far in an operator's menus."""
        moves = self.menu(pack_compiler.folder(operator, self.operators)).moves
        assert isinstance(moves, Watched)
        return moves

    def serving(self, operators: Path, folder: Path) -> "Worlds":
        """Return a factory with the same subscribers, other packs and a folder of its own."""
        return replace(self, operators=operators, folder=folder)

    @asynccontextmanager
    async def open(
        self,
        at: str = AT,
        trust: dict[str, str] | None = None,
        operator: str = OPERATOR,
        more: dict[str, Any] | None = None,
        patience: Patience = PATIENT,
    ) -> AsyncIterator[World]:
        """Open a sandbox at a local time; `more` settings override the usual ones."""
        zone = self.menu(pack_compiler.folder(operator, self.operators)).form.time_zone
        clock = Clock(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
        settings = _settings(await self._copied(str(clock()), clock()), trust or {}, operator, more or {})
        fragile = FragileSessions()
        given = _given(clock, None if settings.redis_url else fragile.sessions, patience)
        async with house(settings, self.operators, given, self.menu) as built:
            people = built.conversations.people[operator]
            weather = Weather(people.world.billing)
            people.world = replace(people.world, billing=weather)
            yield World(built, clock, Post.of(built.delivery, built.recorder), weather, fragile, operator)

    @asynccontextmanager
    async def of(self, dialog: Dialog) -> AsyncIterator[World]:
        """Open the sandbox a dialog starts in."""
        async with self.open(dialog.first("at", AT), dialog.trust, dialog.first("operator")) as sandbox:
            language = dialog.first("language")
            if language:
                await choose_language(sandbox.house, sandbox.operator, dialog.first("from"), language)
            yield sandbox

    async def _copied(self, at: str, now: datetime) -> Path:
        if at not in self.seeded:
            path = self.folder / f"seeded-{len(self.seeded)}.db"
            self.seeded[at] = await _seeded(Path(shutil.copy(self.migrated, path)), now)
        self.opened += 1
        return Path(shutil.copy(self.seeded[at], self.folder / f"world-{self.opened}.db"))


async def _seeded(path: Path, now: datetime) -> Path:
    database = connect(f"sqlite:///{path}")
    passwords = SqlPasswords(database, hasher=LIGHT)
    await seed(database, passwords, now)
    passwords.close()
    await database.close()
    return path


def _settings(path: Path, trust: dict[str, str], operator: str, more: dict[str, Any]) -> Settings:
    links: dict[str, Any] = {
        "routes": {"sms": "africastalking"},
        "africastalking": {"username": "sandbox", "api_key": "key", "hook_token": HOOK_TOKEN, "trust": trust},
        "twilio": {"account_sid": "AC1", "auth_token": AUTH_TOKEN, "sender": "477", "trust": trust},
    }
    base: dict[str, Any] = {
        "demo": True,
        "public_url": PUBLIC_URL,
        "secret_key": "a key for the tests and nothing else",
        "database_url": f"sqlite:///{path}",
        "turns_per_minute": 100_000,
        "operators": {operator: links},
    }
    return load(discover(), Path("no such file"), {}, merged(base, more))


def _given(clock: Callable[[], datetime], sessions: Sessions | None, patience: Patience) -> Given:
    """Return overrides that give the same digits and tokens in every run."""
    dice = random.Random(7)
    return Given(
        now=clock,
        sessions=sessions,
        digits=lambda count: f"{dice.randrange(10**count):0{count}}",
        token=lambda: f"{dice.getrandbits(128):032x}",
        patience=patience,
        passwords=partial(SqlPasswords, hasher=LIGHT),
    )


async def replayed(sandboxes: Worlds, text: str) -> str:
    """Replay a saved dialog in a sandbox and return it as written again."""
    dialog = read(text, "saved")
    async with sandboxes.of(dialog) as sandbox:
        return write(dialog, await sandbox.player(sandbox.direct(dialog.trust)).play(dialog))


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory, sqlite_migrated: Path) -> Worlds:
    """Provide the sandbox factory of this run."""
    return Worlds(tmp_path_factory.mktemp("worlds"), sqlite_migrated)


@pytest.fixture
async def sandbox(sandboxes: Worlds) -> AsyncIterator[World]:
    """Provide a sandbox of this test alone."""
    async with sandboxes.open() as opened:
        yield opened
